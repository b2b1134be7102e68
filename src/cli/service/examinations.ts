/** `status`, `watch`, `examinations`, `units`: how far examinations are, and what becomes of them. */
import { type Command } from 'commander';
import { type Connection, path } from '../../client/connection.ts';
import { openProgress } from '../progress.ts';
import { stopSignal } from '../stop-signal.ts';
import { jsonLine } from '../terminal.ts';
import { asks, group, idOf, type ServiceFlags } from './ask.ts';
import { follow, statusOf } from './follow.ts';
import { moment, priorityNumber } from './option-values.ts';
import { type Column, printDone, printOne, printRows, type Row } from './rows.ts';

export const examinationColumns: readonly Column[] = [
  'id',
  'created',
  'status',
  ['case', ({ reference }: { reference: string }) => reference],
  ['exhibit', ({ label = '-' }: { label?: string }) => label],
  'priority',
  'deadline',
];

export function addStatus(program: Command): void {
  const status = program.command('status [examination]').description('how far examinations are: all that you may see, or one');
  asks(status, async ({ connection, args, json, out }) => {
    if (args[0] === undefined) await printRows(connection.all('/examinations'), examinationColumns, json, out);
    else printOne(await connection.ask<Row>('GET', path`/examinations/${idOf(args[0], 'examination')}`), json, out);
  });
  const watch = program.command('watch <examination>').description('follow an examination until it has ended; exit status as of `process`');
  asks(watch, async ({ connection, args, json }) => {
    process.exitCode = await watchToEnd(connection, idOf(args[0]!, 'examination'), json, stopSignal('the examination goes on'));
  });
}

/** Progress as bars at a terminal, as lines elsewhere; gives the exit status. */
export async function watchToEnd(connection: Connection, id: string, json: boolean, signal: AbortSignal): Promise<number> {
  const form = json ? 'json' : process.stderr.isTTY ? 'bars' : 'lines';
  const view = openProgress(json ? process.stdout : process.stderr, form, () => performance.now());
  const ended = await follow(connection, id, view, signal);
  const status = statusOf(ended);
  process.stdout.write(json ? jsonLine({ event: 'ended', examination: id, status: ended.status }) : `examination ${id}: ${ended.status}\n`);
  return status;
}

const verbs = {
  cancel: 'stops it for good, wherever it is worked on; what was recorded stays',
  retry: 'goes on with a failed or cancelled one, and with units that were given up',
  pause: 'begins no unit of it; what is under way goes on',
  resume: 'goes on with a paused one',
} as const;

type WhyFlags = ServiceFlags & { readonly why?: string };
const withWhy = (command: Command): Command => command.option('--why <text>', 'the reason: stands in the ledger');

export function addExaminations(program: Command): void {
  const examinations = group(program, 'examinations', 'the examinations that you may see');
  asks(examinations, ({ connection, json, out }) => printRows(connection.all('/examinations'), examinationColumns, json, out));
  for (const [verb, description] of Object.entries(verbs)) {
    asks<WhyFlags>(
      withWhy(examinations.command(`${verb} <examination>`).description(description)),
      async ({ connection, args, flags, json, out }) => {
        const id = idOf(args[0]!, 'examination');
        const answer = await connection.ask<Row>('POST', path`/examinations/${id}/${verb}`, { body: { why: flags.why } });
        printDone(`examination ${id}: ${verb}`, answer, json, out);
      },
    );
  }
  const priority = examinations
    .command('priority <examination>')
    .argument('[number]', '1 (first) to 10 (last)', priorityNumber)
    .description('what comes first: a number, a deadline, or both')
    .option('--deadline <time>', 'when it should have ended (ISO 8601)', moment);
  asks<WhyFlags & { deadline?: string }>(withWhy(priority), async ({ connection, args, flags, json, out }) => {
    const { deadline, why } = flags;
    const number = args[1] === undefined ? undefined : Number(args[1]);
    const id = idOf(args[0]!, 'examination');
    printOne(await connection.ask<Row>('PATCH', path`/examinations/${id}`, { body: { priority: number, deadline, why } }), json, out);
  });
}

export function addUnits(program: Command): void {
  const units = group(program, 'units', 'the units of an examination');
  const list = units.command('list <examination>', { isDefault: true }).description('all of them, with what became of them');
  asks(list, ({ connection, args, json, out }) => {
    const shown = ['id', 'kind', 'status', 'priority', 'files', 'bytes', 'failures', 'losses', 'worker', 'problem'];
    return printRows(connection.all(path`/examinations/${idOf(args[0]!, 'examination')}/units`), shown, json, out);
  });
  for (const [verb, description] of [
    ['cancel', 'gives a unit up; its examination goes on without'],
    ['retry', 'begins a unit again that was given up'],
  ] as const) {
    asks<WhyFlags>(withWhy(units.command(`${verb} <unit>`).description(description)), async ({ connection, args, flags, json, out }) => {
      const id = idOf(args[0]!, 'unit');
      const answer = await connection.ask<Row>('POST', path`/units/${id}/${verb}`, { body: { why: flags.why } });
      printDone(`unit ${id}: ${verb}`, answer, json, out);
    });
  }
  const priority = units
    .command('priority <unit>')
    .argument('<number>', '1 (first) to 10 (last)', priorityNumber)
    .description('what comes first');
  asks(priority, async ({ connection, args, json, out }) => {
    const id = idOf(args[0]!, 'unit');
    printOne(await connection.ask<Row>('PATCH', path`/units/${id}`, { body: { priority: Number(args[1]) } }), json, out);
  });
}
