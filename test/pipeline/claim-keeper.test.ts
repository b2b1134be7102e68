/** A claim is kept while its work goes on, and given up when another has it or it could not be renewed in time. Witness: the row of the unit. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { keepClaim } from '../../src/pipeline/claim-keeper.ts';
import { openPool } from '../../src/store/connection.ts';
import { claimUnit, type Unit } from '../../src/store/units.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { insertTestExamination, someUnits } from '../support/examination.ts';
import { freePort } from '../support/redis.ts';

const leaseMs = 1500;
const never = new AbortController().signal;
const done = () => ({ bytes: 0, files: 0 });
let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

async function claimed(): Promise<Unit> {
  const { unitIds } = await insertTestExamination(database.pool, someUnits(1));
  return (await claimUnit(database.pool, unitIds[0]!, randomUUID(), leaseMs))!;
}

const leaseLeft = async (id: string): Promise<number> =>
  (
    await database.pool.query('select extract(epoch from lease_until - clock_timestamp())::float8 * 1000 as left from unit where id = $1', [
      id,
    ])
  ).rows[0].left;

it('renews the lease again and again, and stops when it is told', async () => {
  const unit = await claimed();
  const keeper = keepClaim(database.pool, unit, leaseMs, never, done);
  await sleep(2.5 * leaseMs);
  expect(await leaseLeft(unit.id)).toBeGreaterThan(0);
  expect([keeper.lost(), keeper.signal.aborted]).toEqual([false, false]);
  keeper.stop();
  await vi.waitFor(async () => expect(await leaseLeft(unit.id)).toBeLessThan(0), { timeout: 10_000 });
});

it('notices that another has taken the unit, and stops the work', async () => {
  const unit = await claimed();
  const keeper = keepClaim(database.pool, unit, leaseMs, never, done);
  await database.pool.query('update unit set fence = fence + 1 where id = $1', [unit.id]);
  await vi.waitFor(() => expect([keeper.lost(), keeper.signal.aborted]).toEqual([true, true]), { timeout: 10_000 });
  keeper.stop();
});

it('stops the work when it is told from outside; the claim is not lost by that', async () => {
  const outer = new AbortController();
  const keeper = keepClaim(database.pool, await claimed(), leaseMs, outer.signal, done);
  outer.abort();
  expect([keeper.lost(), keeper.signal.aborted]).toEqual([false, true]);
  keeper.stop();
  expect(keepClaim(database.pool, await claimed(), leaseMs, AbortSignal.abort(), done).signal.aborted).toBe(true);
});

it('supposes the claim lost when the database was away for a whole lease, and not before', async () => {
  const unit = await claimed();
  const away = openPool({ url: `postgres://nobody@127.0.0.1:${await freePort()}/none`, log: pino({ level: 'silent' }) });
  const begun = performance.now();
  const keeper = keepClaim(away, unit, leaseMs, never, done);
  await vi.waitFor(() => expect(keeper.lost()).toBe(true), { timeout: 15_000, interval: 20 });
  expect(performance.now() - begun).toBeGreaterThan(leaseMs);
  expect(keeper.signal.aborted).toBe(true);
  keeper.stop();
  await away.end();
});

it('tells how far the work has come with each renewal; whoever takes the unit after it begins at nothing', async () => {
  const unit = await claimed();
  const seen = { bytes: 0, files: 0 };
  const keeper = keepClaim(database.pool, unit, leaseMs, never, () => seen);
  const told = async () => {
    const { rows } = await database.pool.query('select progress_bytes, progress_files from unit where id = $1', [unit.id]);
    return rows[0];
  };
  Object.assign(seen, { bytes: 5_000_000_000, files: 12 });
  await vi.waitFor(async () => expect(await told()).toEqual({ progress_bytes: '5000000000', progress_files: 12 }), { timeout: 10_000 });
  keeper.stop();
  await vi.waitFor(async () => expect(await claimUnit(database.pool, unit.id, randomUUID(), leaseMs)).not.toBeNull(), { timeout: 10_000 });
  expect(await told()).toEqual({ progress_bytes: '0', progress_files: 0 });
});
