/** What a crash left behind is found: units of processes that are gone, announcements that were lost. Real processes, a real queue; witness: kill(2) and proc(5). */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hostOf, reconcile, startOf } from '../../src/pipeline/reconciler.ts';
import { type UnitQueue } from '../../src/pipeline/unit-queue.ts';
import { openUnitQueue, prepareQueue } from '../../src/queue/open-queue.ts';
import { claimUnit } from '../../src/store/units.ts';
import { listWorkers, registerWorker } from '../../src/store/workers.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { insertTestExamination, readUnit, someUnits } from '../support/examination.ts';

const hour = 3_600_000;
let database: TestDatabase;
let queue: UnitQueue;

beforeEach(async () => {
  database = await testDatabase();
  const options = { pool: database.pool, databaseUrl: database.url, queueUrl: null, log: pino({ level: 'silent' }) };
  await prepareQueue(options);
  queue = await openUnitQueue(options);
});
afterEach(async () => {
  await queue.close();
  await database.close();
});

async function register(pid: number, started: string, host = hostname()): Promise<string> {
  const id = randomUUID();
  await registerWorker(database.pool, { id, host, pid, started, version: '0', threads: 1, concurrency: 1 });
  return id;
}

/** A unit that this worker holds for an hour. */
async function heldBy(worker: string): Promise<string> {
  const unit = (await insertTestExamination(database.pool, someUnits(1))).unitIds[0]!;
  await claimUnit(database.pool, unit, worker, hour);
  return unit;
}

const isFree = async (unit: string) => (await claimUnit(database.pool, unit, randomUUID(), hour)) !== null;
const deadPid = (): number => spawnSync('true').pid;

describe('a worker', () => {
  it('whose process is gone loses what it held, at once', async () => {
    const worker = await register(deadPid(), '1');
    const unit = await heldBy(worker);
    expect(await isFree(unit)).toBe(false);
    expect(await reconcile(database.pool, queue, hostname(), 30_000)).toBe(1);
    expect(await isFree(unit)).toBe(true);
    expect(await listWorkers(database.pool)).toEqual([]);
    expect((await readUnit(database.pool, unit)).losses).toBe(1);
  });

  it('that lives keeps it', async () => {
    const worker = await register(process.pid, await startOf(process.pid));
    const unit = await heldBy(worker);
    expect(await reconcile(database.pool, queue, hostname(), 30_000)).toBe(0);
    expect(await isFree(unit)).toBe(false);
    expect((await listWorkers(database.pool)).map(({ id }) => id)).toEqual([worker]);
  });

  it('whose number another process has now is gone: that one started at another time', async () => {
    const unit = await heldBy(await register(process.pid, '12345'));
    await reconcile(database.pool, queue, hostname(), 30_000);
    expect(await isFree(unit)).toBe(true);
  });

  it('that has ended, but whose parent never asked (a zombie), is gone', async () => {
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))));
      const unit = await heldBy(await register(pid, await startOf(pid)));
      await vi.waitFor(async () => expect(await startOf(pid)).toBe(''), { timeout: 10_000 });
      expect(process.kill(pid, 0), 'kill(2) still finds it').toBe(true);
      await reconcile(database.pool, queue, hostname(), 30_000);
      expect(await isFree(unit)).toBe(true);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('of another machine is judged by its lease alone', async () => {
    const worker = await register(deadPid(), '1', 'another-host');
    const unit = await heldBy(worker);
    await reconcile(database.pool, queue, hostname(), 30_000);
    expect(await isFree(unit)).toBe(false);
    expect((await listWorkers(database.pool)).map(({ id }) => id)).toEqual([worker]);
  });
});

it('a unit whose announcement was lost is announced: at the start of a worker at once, else when it is old', async () => {
  const { unitIds } = await insertTestExamination(database.pool, someUnits(3));
  expect(await reconcile(database.pool, queue, hostname(), 30_000)).toBe(0);
  expect(await reconcile(database.pool, queue, hostname(), 0)).toBe(3);
  const ran: string[] = [];
  const worker = await queue.startWorker({ concurrency: 1, run: async (id) => void ran.push(id), onError: () => undefined });
  await vi.waitFor(() => expect(ran.toSorted()).toEqual([...unitIds].sort()), { timeout: 10_000 });
  await worker.stop({ abort: false });
});

it('a worker of another machine is forgotten when it was silent for more than an hour, and not before', async () => {
  const [silent, heard] = [await register(1, '1', 'elsewhere'), await register(1, '1', 'elsewhere')];
  const age = (id: string, minutes: number) =>
    database.pool.query(`update worker set heartbeat_at = now() - $2 * interval '1 minute' where id = $1`, [id, minutes]);
  await age(silent, 61);
  await age(heard, 59);
  await reconcile(database.pool, queue, hostname(), 30_000);
  expect((await listWorkers(database.pool)).map(({ id }) => id)).toEqual([heard]);
});

const mayUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;

describe.skipIf(!mayUnshare)('in a process namespace of its own (unshare of util-linux)', () => {
  it('a process of the same host name is at another host: its numbers mean other processes', async () => {
    const program = `console.log(await (await import(${JSON.stringify(join(import.meta.dirname, '../../src/pipeline/reconciler.ts'))})).hostOf())`;
    const inside = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', process.execPath, '--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(inside.status, inside.stderr).toBe(0);
    expect(inside.stdout).toMatch(new RegExp(`^${hostname()} `));
    expect(inside.stdout.trim()).not.toBe(await hostOf());
  });
});

it('three that reconcile at once announce everything once', async () => {
  const { unitIds } = await insertTestExamination(database.pool, someUnits(60));
  await register(deadPid(), '1');
  const rounds = await Promise.all([1, 2, 3].map(() => reconcile(database.pool, queue, hostname(), 0)));
  expect(rounds.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(60);
  const ran: string[] = [];
  const worker = await queue.startWorker({ concurrency: 4, run: async (id) => void ran.push(id), onError: () => undefined });
  await vi.waitFor(() => expect(new Set(ran).size).toBe(60), { timeout: 20_000 });
  await worker.stop({ abort: false });
  expect(ran.toSorted()).toEqual([...unitIds].sort());
});
