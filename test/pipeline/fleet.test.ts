/** Worker processes that are ordered about while they work. Witness: the table of processes (proc(5)), the rows of the tables by plain SQL. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startSupervisor } from '../../src/pipeline/supervisor.ts';
import { notifyControl, setFleet, setQueueState } from '../../src/store/control.ts';
import { transaction } from '../../src/store/transaction.ts';
import { orderWorker } from '../../src/store/workers.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory, type WorkerChild } from '../support/laboratory.ts';
import { isLong } from '../support/long.ts';
import { checkRecord } from '../support/record.ts';

const image = fixturePath('disk-mbr-e01');
const soon = { timeout: 20_000, interval: 50 };
const singly = { CUSTODIA_FAILURES: '1' }; // every file a unit of its own
let database: TestDatabase;
let laboratory: Laboratory;

beforeEach(async () => {
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
});
afterEach(async () => {
  await laboratory.close();
  await database.close();
});

const one = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows[0];
const rowOf = (id: string) => one('select threads, concurrency, state, halted_because from worker where id = $1', [id]);
const order = (id: string, orders: Parameters<typeof orderWorker>[2]) =>
  transaction(database.pool, async (client) => {
    await orderWorker(client, id, orders);
    await notifyControl(client);
  });
const setQueue = (state: 'running' | 'paused') =>
  transaction(database.pool, async (client) => {
    await setQueueState(client, state);
    await notifyControl(client);
  });
const threadsOf = (pid: number) => Number(/^Threads:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
const done = async () => (await one(`select count(*)::int as done from unit where status <> 'open'`)).done as number;

it('threads and concurrency of a worker change while it works, within two seconds', async () => {
  const worker = laboratory.startWorker({ threads: 1, concurrency: 1, environment: singly });
  const id = await worker.working;
  const { examinationId } = await laboratory.submit(image, 'A-1');
  await vi.waitFor(async () => expect(await done()).toBeGreaterThan(20), soon);
  const before = threadsOf(worker.process.pid!);
  for (const [threads, concurrency] of [
    [4, 6],
    [1, 2],
  ] as const) {
    const ordered = performance.now();
    await order(id, { wanted_threads: threads, wanted_concurrency: concurrency });
    await vi.waitFor(() => expect(threadsOf(worker.process.pid!)).toBe(before + threads - 1), { timeout: 5000, interval: 20 });
    await vi.waitFor(async () => expect(await rowOf(id)).toMatchObject({ threads, concurrency }), { timeout: 2000, interval: 20 });
    expect(performance.now() - ordered, `milliseconds until ${threads} threads were there`).toBeLessThan(2000);
  }
  if (!isLong) return;
  expect((await laboratory.concluded(examinationId)).status).toBe('complete');
  const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
  expect(wrong).toEqual([]);
});

it('paused, a worker ends what it has and takes nothing new; drained, it ends with status 0; the other does the rest', async () => {
  const [paused, other] = [1, 2].map(() => laboratory.startWorker({ environment: singly })) as [WorkerChild, WorkerChild];
  const [pausedId, otherId] = await Promise.all([paused.working, other.working]);
  const { examinationId } = await laboratory.submit(image, 'A-1');
  const doneBy = async (id: string) => (await one(`select count(*)::int as n from unit where worker_id = $1 and status <> 'open'`, [id])).n;
  await vi.waitFor(async () => expect(Math.min(await doneBy(pausedId), await doneBy(otherId))).toBeGreaterThan(5), soon);
  await order(pausedId, { wanted_state: 'paused' });
  await vi.waitFor(async () => expect(await rowOf(pausedId)).toMatchObject({ state: 'paused' }), soon);
  await sleep(300);
  const then = { paused: await doneBy(pausedId), other: await doneBy(otherId) };
  await vi.waitFor(async () => expect(await doneBy(otherId)).toBeGreaterThan(then.other), soon);
  expect(await doneBy(pausedId)).toBe(then.paused);
  await order(otherId, { wanted_state: 'draining' });
  expect(await other.exited).toEqual({ code: 0, signal: null });
  expect(await one(`select count(*)::int as held from unit where status = 'open' and lease_until > clock_timestamp()`)).toEqual({
    held: 0,
  });
  const left = await doneBy(pausedId);
  await order(pausedId, { wanted_state: 'running' });
  await vi.waitFor(async () => expect(await doneBy(pausedId)).toBeGreaterThan(left), soon);
  if (isLong) expect((await laboratory.concluded(examinationId)).status).toBe('complete');
  expect(await one('select sum(failures)::int as failures, sum(losses)::int as losses from unit')).toEqual({ failures: 0, losses: 0 });
});

it('a paused queue begins nothing anywhere; resumed, work goes on at once', async () => {
  const worker = laboratory.startWorker({ environment: singly });
  const id = await worker.working;
  const { examinationId } = await laboratory.submit(image, 'A-1');
  await vi.waitFor(async () => expect(await done()).toBeGreaterThan(20), soon);
  await setQueue('paused');
  await vi.waitFor(async () => expect(await rowOf(id)).toMatchObject({ halted_because: 'the queue is paused' }), soon);
  await sleep(300);
  const then = await done();
  await sleep(700);
  expect(await done()).toBe(then);
  const resumed = performance.now();
  await setQueue('running');
  await vi.waitFor(async () => expect(await done()).toBeGreaterThan(then), soon);
  expect(performance.now() - resumed).toBeLessThan(3000);
  if (isLong) await laboratory.concluded(examinationId);
});

it('a disk that is short stops new work, visibly', async () => {
  const worker = laboratory.startWorker({ environment: { CUSTODIA_RESERVE: String(2 ** 52) } });
  const id = await worker.working;
  await vi.waitFor(
    async () =>
      expect((await rowOf(id)).halted_because).toMatch(/^\d+ bytes are free in the data folder, expected at least 4503599627370496$/),
    soon,
  );
  await laboratory.submit(image, 'A-1');
  await sleep(1000);
  expect(await done()).toBe(0);
});

it('a fleet is scaled 1, 3, 1; one that is killed is replaced; none is left when the supervisor is gone, even by SIGKILL', {
  timeout: 60_000,
}, async () => {
  const scale = (workers: number) =>
    transaction(database.pool, async (client) => {
      await setFleet(client, hostname(), workers);
      await notifyControl(client);
    });
  const registered = async () => (await database.pool.query('select pid from worker order by pid')).rows.map(({ pid }) => pid as number);
  const isThere = (pid: number) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  const program = `
    import { startSupervisor } from ${JSON.stringify(join(import.meta.dirname, '../../src/pipeline/supervisor.ts'))};
    import { Pool } from 'pg';
    startSupervisor({ database: new Pool({ connectionString: process.env.DATABASE_URL }), workArguments: ['--threads', '1'], onTrouble: () => undefined });`;
  const { PATH, HOME, TMPDIR } = process.env;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: join(import.meta.dirname, '../..'),
    env: { PATH, HOME, TMPDIR, CUSTODIA_DATA: laboratory.dataFolder, DATABASE_URL: database.url, CUSTODIA_RESERVE: '0' },
    stdio: 'inherit',
  });
  try {
    await scale(1);
    await vi.waitFor(async () => expect(await registered()).toHaveLength(1), soon);
    const [first] = await registered();
    await scale(3);
    await vi.waitFor(async () => expect(await registered()).toHaveLength(3), soon);
    const { examinationId } = await laboratory.submit(image, 'A-1');
    process.kill(first!, 'SIGKILL');
    await vi.waitFor(async () => {
      const pids = await registered();
      expect(pids).toHaveLength(3);
      expect(pids).not.toContain(first);
    }, soon);
    await scale(1);
    await vi.waitFor(async () => expect(await registered()).toHaveLength(1), soon);
    expect((await laboratory.concluded(examinationId)).status).toBe('complete');
    await scale(2);
    await vi.waitFor(async () => expect(await registered()).toHaveLength(2), soon);
    const last = await registered();
    expect(last.every(isThere)).toBe(true);
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(last.filter(isThere)).toEqual([]), soon);
  } finally {
    parent.kill('SIGKILL');
  }
});

it('a supervisor that stops ends its workers gracefully, and waits for them', async () => {
  await transaction(database.pool, (client) => setFleet(client, hostname(), 1));
  vi.stubEnv('CUSTODIA_DATA', laboratory.dataFolder);
  vi.stubEnv('DATABASE_URL', database.url);
  try {
    const supervisor = startSupervisor({ database: database.pool, workArguments: ['--threads', '1'], onTrouble: () => undefined });
    await laboratory.submit(image, 'A-1');
    await vi.waitFor(async () => expect(await done()).toBeGreaterThan(0), soon);
    const [pid] = supervisor.pids();
    await supervisor.stop();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect((await one('select count(*)::int as n from worker')).n, 'it has said goodbye').toBe(0);
  } finally {
    vi.unstubAllEnvs();
  }
});

const replaced = isLong ? 4 : 2;

it(`${replaced} workers are replaced one after the other under load: no unit fails or is lost`, { timeout: 90_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-rolling-'));
  try {
    const long = join(folder, 'long.raw');
    writeFileSync(long, '');
    truncateSync(long, (isLong ? 2 : 1) * 1024 ** 3);
    let workers = Array.from({ length: replaced }, () => laboratory.startWorker({ environment: singly }));
    await Promise.all(workers.map(({ working }) => working));
    const submitted = [await laboratory.submit(long, 'long')];
    for (let index = 0; index < replaced - 1; index++) submitted.push(await laboratory.submit(image, `A-${index}`));
    for (const old of workers) {
      const next = laboratory.startWorker({ environment: singly });
      await next.working;
      old.process.kill('SIGTERM');
      expect(await old.exited).toEqual({ code: 0, signal: null });
      workers = [...workers.filter((worker) => worker !== old), next];
    }
    for (const { examinationId } of submitted) expect((await laboratory.concluded(examinationId, 80_000)).status).toBe('complete');
    const tally = await one(`select count(*)::int as units, sum(failures)::int as failures, sum(losses)::int as losses,
      count(*) filter (where status = 'quarantined')::int as "givenUp", count(distinct worker_id)::int as workers from unit`);
    console.log(`rolling restart: ${JSON.stringify(tally)}`);
    expect(tally).toMatchObject({ failures: 0, losses: 0, givenUp: 0 });
    expect(tally.workers).toBeGreaterThan(replaced);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
