/** A service from its first start, run from the command line: accounts, workers, the queue, and what becomes of examinations. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Desk, jsonLines, openDesk, type Running } from './custodia.ts';
import { type Colleague, colleague } from './service-desk.ts';

let database: TestDatabase;
let desk: Desk;
let server: Running;
let administrator: Colleague;
let ops: Colleague;
let lead: Colleague;
const password = 'seven grey herons at the weir';

beforeAll(async () => {
  database = await testDatabase();
  desk = openDesk({ DATABASE_URL: database.url });
  server = desk.start(['serve', '--port', '0', '--json', '--threads', '1']);
  const told = jsonLines(await server.until('"administrator"'));
  const { address } = told.find(({ event }) => event === 'serving');
  const { token } = told.find(({ event }) => event === 'administrator');
  [administrator, ops, lead] = [colleague(address, null), colleague(address, null), colleague(address, null)];
  expect((await administrator.types(token, 'login')).status).toBe(0);
  const create = (who: Colleague, login: string, role: string) =>
    who.types(password, 'accounts', 'create', login, '--role', role, '--password');
  expect((await create(administrator, 'ada', 'administrator')).status).toBe(0);
  expect((await create(administrator, 'late', 'administrator')).stderr).toContain('[http.identity]'); // the token was good for one account
  expect((await administrator.types(password, 'login', '--login', 'ada')).status).toBe(0);
  for (const [who, login, role] of [
    [ops, 'otto', 'ops'],
    [lead, 'lea', 'lab-lead'],
  ] as const) {
    expect((await create(administrator, login, role)).status).toBe(0);
    expect((await who.types(password, 'login', '--login', login)).status).toBe(0);
  }
  mkdirSync(lead.desk.path('evidence'));
  copyFileSync(fixturePath('disk-mbr-e01'), lead.desk.path('evidence/disk.E01'));
}, 120_000);
afterAll(async () => {
  server.process.kill('SIGTERM');
  await server.ended;
  await Promise.all([administrator, ops, lead].map((who) => who.close()));
  await desk.close();
  await database.close();
});

// biome-ignore lint/suspicious/noExplicitAny: lines of JSON
async function until(what: string, found: () => Promise<any>): Promise<any> {
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(200)) {
    const value = await found();
    if (value) return value;
  }
  throw new Error(`${what}: not within 20 s`);
}

const submit = (exhibit: string, ...more: readonly string[]) =>
  lead.does('submit', 'evidence/disk.E01', '--case', '2026-9', '--exhibit', exhibit, ...more).then((lines) => lines.at(-1).examination);

it('workers are scaled, set, paused, resumed and drained while they run', async () => {
  const workers = () => ops.does('workers');
  const [own] = await workers();
  expect(own).toMatchObject({ state: 'running', threads: 1, pid: expect.any(Number) });
  await ops.does('workers', 'scale', '2');
  const all = await until('three workers', async () => ((await workers()).length === 3 ? workers() : null));
  const other = all.find(({ id }: { id: string }) => id !== own.id);
  const is = (wanted: object) => async () => (await workers()).some((worker) => expectSome(worker, { id: other.id, ...wanted }));
  await ops.does('workers', 'set', other.id, '--threads', '2', '--concurrency', '3');
  await until('threads', is({ threads: 2, concurrency: 3 }));
  await ops.does('workers', 'pause', other.id);
  await until('paused', is({ state: 'paused' }));
  await ops.does('workers', 'resume', other.id);
  await until('running', is({ state: 'running' }));
  await ops.does('workers', 'drain', other.id);
  await until('drained', async () => (await workers()).every(({ id }) => id !== other.id));
  await ops.does('workers', 'scale', '0');
  await until('one worker', async () => (await workers()).length === 1);
  expect((await ops.tries('workers')).stdout.split('\n')[0]).toMatch(
    /^ID +HOST +PID +VERSION +STATE +THREADS +CONCURRENCY +UNITS +HEARTBEAT AT$/,
  );
}, 90_000);

const expectSome = (worker: Record<string, unknown>, wanted: Record<string, unknown>): boolean =>
  Object.entries(wanted).every(([key, value]) => worker[key] === value);

it('the queue is paused and resumed; what waits is cancelled, begun again, and done', async () => {
  await ops.does('queue', 'drain');
  expect(await ops.does('queue')).toMatchObject([{ state: 'draining', drained: true }]);
  const id = await submit('A-1', '--priority', '7');
  const [waiting] = await lead.does('units', id);
  expect(waiting).toMatchObject({ status: 'open', worker: null });
  expect(await lead.does('examinations', 'priority', id, '2', '--deadline', '2027-01-01T00:00Z')).toMatchObject([
    { priority: 2, deadline: '2027-01-01T00:00:00.000Z' },
  ]);
  await lead.does('units', 'priority', waiting.id, '1');

  expect(await lead.does('examinations', 'cancel', id, '--why', 'the wrong disk')).toMatchObject([{ status: 'cancelled' }]);
  const cancelled = await lead.tries('watch', id);
  expect([cancelled.status, cancelled.stderr]).toEqual([1, expect.stringContaining('[examination.cancelled]')]);
  const twice = await lead.tries('examinations', 'pause', id);
  expect([twice.status, twice.stderr]).toEqual([3, expect.stringContaining('[examination.ended]')]);

  expect(await lead.does('examinations', 'retry', id)).toMatchObject([{ status: 'open' }]);
  await ops.does('queue', 'resume');
  expect((await lead.tries('watch', id, '--json')).status).toBe(4);
  expect(await lead.does('status', id)).toMatchObject([{ status: 'complete' }]);
}, 90_000);

it('ops see that there are examinations, and nothing of what is in them', async () => {
  const [seen] = await ops.does('status');
  expect(seen).toMatchObject({ status: 'complete', case: null });
  expect(JSON.stringify(seen)).not.toContain('2026-9');
  for (const command of [
    ['list', seen.id],
    ['report', seen.id, '--out', 'r'],
    ['cat', 'image:', '--examination', seen.id],
  ] as const) {
    const { status, stdout, stderr } = await ops.tries(...command);
    expect([status, stdout, stderr], command[0]).toEqual([3, '', expect.stringContaining('[http.not-found]')]);
  }
  for (const command of [['workers'], ['queue', 'pause']]) {
    expect((await lead.tries(...command)).status, command.join(' ')).toBe(3);
  }
});

it('a service that is away is waited for a moment, then told of with exit status 1', async () => {
  const { status, stderr } = await lead.tries('whoami', '--server', 'http://127.0.0.1:9', '--token-file', '/dev/null');
  expect([status, stderr]).toEqual([3, expect.stringContaining('[client.token]')]);
  const away = await desk.start(['whoami'], { CUSTODIA_SERVER: 'http://127.0.0.1:9', CUSTODIA_TOKEN: `cst_${'a'.repeat(43)}` }).ended;
  expect([away.status, away.stderr]).toEqual([1, expect.stringContaining('[client.unreachable]')]);
});
