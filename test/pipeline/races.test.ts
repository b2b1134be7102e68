/** Decisions that meet in the same moment, and wake-ups that must not be lost. Witness: the rows, asked for by plain SQL; the clock. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { cancelUnits, lockExamination, notifyControl, reopenUnits, setQueueState, updateExamination } from '../../src/store/control.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';

const image = fixturePath('disk-mbr-e01');
const soon = { timeout: 15_000, interval: 20 };
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

const rows = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows;
const setQueue = (state: 'running' | 'paused') =>
  transaction(database.pool, async (client) => {
    await setQueueState(client, state);
    await notifyControl(client);
  });

it('a cancellation that is still ending units leaves those alone that are begun anew meanwhile', async () => {
  const { examinationId } = await laboratory.submit(image, 'A-1');
  await database.pool.query(`update examination set status = 'cancelled', cancelled_because = 'x', open_units = 0`); // and its process died
  let ending: Promise<number>;
  await transaction(database.pool, async (client) => {
    await lockExamination(client, examinationId);
    const units = (await client.query('select id from unit')).rows.map(({ id }) => id as string);
    await reopenUnits(client, examinationId, units);
    await updateExamination(client, examinationId, { status: 'open', open_units: units.length });
    ending = cancelUnits(database.pool, null);
    await sleep(300); // it waits, or is over
  });
  expect(await ending!).toBe(0);
  expect(await rows('select distinct status from unit')).toEqual([{ status: 'open' }]);
});

it('a unit whose row is held is passed over, and ended when it is asked for again', async () => {
  await laboratory.submit(image, 'A-1');
  await database.pool.query(`update examination set status = 'cancelled', cancelled_because = 'x', open_units = 0`);
  await transaction(database.pool, async (client) => {
    await client.query(`select from unit where kind = 'survey' for update`);
    expect(await cancelUnits(database.pool, null)).toBe(1);
  });
  expect(await rows('select kind, status from unit order by kind')).toEqual([
    { kind: 'hash-media', status: 'cancelled' },
    { kind: 'survey', status: 'open' },
  ]);
  expect(await cancelUnits(database.pool, null)).toBe(0);
  expect(await rows('select distinct status, reason from unit')).toEqual([{ status: 'cancelled', reason: 'x' }]);
});

it('what a worker gives back as it stops, one that is idle has at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-races-'));
  try {
    const long = join(folder, 'long.raw');
    writeFileSync(long, '');
    truncateSync(long, 40 * 1024 ** 3); // holes: to digest them takes half a minute
    await laboratory.submit(long, 'long');
    const first = laboratory.startWorker();
    const holder = async () =>
      (await rows(`select worker_id from unit where kind = 'hash-media' and lease_until > clock_timestamp()`))[0]?.worker_id;
    const firstId = await first.working;
    await vi.waitFor(async () => expect(await holder()).toBe(firstId), soon);
    const idle = laboratory.startWorker();
    const idleId = await idle.working;
    await sleep(500);
    first.process.kill('SIGTERM');
    await first.exited;
    const gone = performance.now();
    await vi.waitFor(async () => expect(await holder()).toBe(idleId), soon);
    const waited = performance.now() - gone;
    console.log(`given back, taken by an idle worker after ${waited.toFixed(0)} ms`);
    expect(waited).toBeLessThan(1500);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('an order that could not be told, because the database went away just then, is obeyed and told when it is back', async () => {
  const id = await laboratory.startWorker().working;
  const halted = async () => (await rows('select halted_because from worker where id = $1', [id]))[0].halted_because;
  await setQueue('paused');
  await vi.waitFor(async () => expect(await halted()).toBe('the queue is paused'), soon);
  await database.pool.query(`
    create function away() returns trigger language plpgsql as $$ begin raise exception 'away' using errcode = '57P03'; end $$;
    create trigger away before update of halted_because on worker for each row execute function away()`);
  await setQueue('running');
  await sleep(300);
  await database.pool.query('drop trigger away on worker');
  await vi.waitFor(async () => expect(await halted()).toBeNull(), { timeout: 3000, interval: 20 });
  const { examinationId } = await laboratory.submit(image, 'A-1');
  expect((await laboratory.concluded(examinationId)).status).toBe('complete');
});
