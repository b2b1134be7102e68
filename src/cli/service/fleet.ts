/** `workers`, `queue`: how many work, with how much, and whether they go on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command } from 'commander';
import { type Connection, path } from '../../client/connection.ts';
import { stopSignal } from '../stop-signal.ts';
import { wholeNumber } from '../whole-number.ts';
import { asks, group, idOf, type ServiceFlags } from './ask.ts';
import { positiveNumber } from './option-values.ts';
import { printDone, printOne, printRows, type Row } from './rows.ts';

const states = { pause: 'paused', resume: 'running', drain: 'draining' } as const;
type Verb = keyof typeof states;
const verbs = Object.keys(states) as Verb[];

const about: Readonly<Record<Verb, string>> = {
  pause: 'takes nothing new; what it works on goes on',
  resume: 'takes units again',
  drain: 'takes nothing new, and ends when its units are done',
};

export function addWorkers(program: Command): void {
  const workers = group(program, 'workers', 'the worker processes of the service');
  asks(workers, ({ connection, json, out }) =>
    printRows(
      connection.all('/workers'),
      ['id', 'host', 'pid', 'version', 'state', 'threads', 'concurrency', ['units', lengthOf], 'heartbeatAt'],
      json,
      out,
    ),
  );
  const scale = workers
    .command('scale')
    .argument('<number>', 'of processes', positiveNumber)
    .description('so many worker processes of a host, beside the service')
    .option('--host <name>', 'default: that of the service');
  asks<ServiceFlags & { host?: string }>(scale, async ({ connection, args, flags, json, out }) => {
    const wanted = Number(args[0]);
    const answer = await connection.ask<Row>('PUT', '/fleet', { body: { wanted, host: flags.host } });
    printDone(`${wanted} worker processes are wanted on ${String(answer.host)}`, answer, json, out);
  });
  const set = workers
    .command('set <id>')
    .description('other numbers for a worker that runs')
    .option('--threads <number>', 'threads', wholeNumber)
    .option('--concurrency <number>', 'units at once', wholeNumber);
  asks<ServiceFlags & { threads?: number; concurrency?: number }>(set, async ({ connection, args, flags, json, out }) => {
    const { threads, concurrency } = flags;
    printOne(await connection.ask<Row>('PATCH', path`/workers/${idOf(args[0]!, 'worker')}`, { body: { threads, concurrency } }), json, out);
  });
  for (const verb of verbs) {
    asks(workers.command(`${verb} <id>`).description(about[verb]), async ({ connection, args, json, out }) => {
      const id = idOf(args[0]!, 'worker');
      const answer = await connection.ask<Row>('PATCH', path`/workers/${id}`, { body: { state: states[verb] } });
      printDone(`worker ${id}: ${states[verb]}`, answer, json, out);
    });
  }
}

const lengthOf = (value: unknown): string => String(Array.isArray(value) ? value.length : value);

export function addQueue(program: Command): void {
  const queue = group(program, 'queue', 'what waits, and whether it is worked on');
  asks(queue, async ({ connection, json, out }) => {
    printOne(await connection.ask<Row>('GET', '/queues'), json, out);
  });
  const what: Readonly<Record<Verb, string>> = {
    pause: 'no unit is begun',
    resume: 'units are begun again',
    drain: 'no unit is begun; waits until none is worked on',
  };
  for (const verb of verbs) {
    asks(queue.command(verb).description(what[verb]), async ({ connection, json, out }) => {
      const answer = await connection.ask<Row>('POST', path`/queues/units/${verb}`);
      if (verb === 'drain') await waitUntilDrained(connection, stopSignal('the queue stays as it was told to be'));
      printDone(`queue: ${verb === 'drain' ? 'drained' : states[verb]}`, answer, json, out);
    });
  }
}

const pollMs = 500;

async function waitUntilDrained(connection: Connection, signal: AbortSignal): Promise<void> {
  while ((await connection.ask<{ drained: boolean }>('GET', '/queues', { signal })).drained !== true)
    await sleep(pollMs, undefined, { signal });
}
