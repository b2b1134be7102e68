/** Claims, fences, leases and the count of open units, under contention. Witness: the rows themselves, asked for by plain SQL. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertProblem } from '../../src/store/catalogue.ts';
import { countOpenUnits } from '../../src/store/examinations.ts';
import { transaction } from '../../src/store/transaction.ts';
import {
  claimUnit,
  endUnit,
  insertUnits,
  releaseClaim,
  releaseDeadWorkers,
  renewClaim,
  takeForgottenUnits,
} from '../../src/store/units.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { insertTestExamination, readUnit, someUnits } from '../support/examination.ts';

let database: TestDatabase;
const hour = 3_600_000;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const oneUnit = async () => (await insertTestExamination(database.pool, someUnits(1))).unitIds[0]!;

describe('a claim', () => {
  it('goes to one of twenty that ask at once, and raises the fence', async () => {
    const unit = await oneUnit();
    const claims = await Promise.all(Array.from({ length: 20 }, () => claimUnit(database.pool, unit, randomUUID(), hour)));
    const got = claims.filter((claim) => claim !== null);
    expect(got).toHaveLength(1);
    expect(got[0]).toMatchObject({ id: unit, fence: '1', losses: 0, failures: 0, status: 'open' });
  });

  it('ends with its lease on the clock of the database, whatever this machine says, and counts as lost', async () => {
    const unit = await oneUnit();
    await claimUnit(database.pool, unit, randomUUID(), hour);
    expect(await claimUnit(database.pool, unit, randomUUID(), hour)).toBeNull();
    await database.pool.query("update unit set lease_until = clock_timestamp() - interval '1 millisecond' where id = $1", [unit]);
    expect(await claimUnit(database.pool, unit, randomUUID(), hour)).toMatchObject({ fence: '2', losses: 1 });
    const short = await oneUnit();
    await claimUnit(database.pool, short, randomUUID(), 150);
    expect(await claimUnit(database.pool, short, randomUUID(), 150)).toBeNull();
    await sleep(200);
    expect(await claimUnit(database.pool, short, randomUUID(), 150)).toMatchObject({ fence: '2', losses: 1 });
  });

  it('that is stale renews nothing, gives back nothing, ends nothing', async () => {
    const unit = await oneUnit();
    const stale = (await claimUnit(database.pool, unit, randomUUID(), 0))!;
    const holder = randomUUID();
    const fresh = (await claimUnit(database.pool, unit, holder, hour))!;
    expect(await renewClaim(database.pool, stale, hour, { bytes: 7, files: 3 })).toBe(false);
    await releaseClaim(database.pool, stale, 'a reason');
    expect(await transaction(database.pool, (client) => endUnit(client, stale, { status: 'done', result: { stale: true } }))).toBe(false);
    expect(await readUnit(database.pool, unit)).toMatchObject({
      status: 'open',
      worker_id: holder,
      failures: 0,
      reason: null,
      result: null,
    });
    expect(await renewClaim(database.pool, fresh, hour, { bytes: 7, files: 3 })).toBe(true);
    expect(await transaction(database.pool, (client) => endUnit(client, fresh, { status: 'done', result: { files: 1 } }))).toBe(true);
    expect(await readUnit(database.pool, unit)).toMatchObject({ status: 'done', result: { files: 1 }, payload: null, lease_until: null });
    expect(await claimUnit(database.pool, unit, randomUUID(), hour)).toBeNull();
    expect(await renewClaim(database.pool, fresh, hour, { bytes: 7, files: 3 })).toBe(false);
    expect(await transaction(database.pool, (client) => endUnit(client, fresh, { status: 'quarantined' }))).toBe(false);
  });

  it('that is given back is free at once: with its reason when it failed, without a trace when it was stopped', async () => {
    const unit = await oneUnit();
    const first = (await claimUnit(database.pool, unit, randomUUID(), hour))!;
    await releaseClaim(database.pool, first, 'task.crashed: nul \0 and \ud800 surrogate');
    expect(await readUnit(database.pool, unit)).toMatchObject({
      failures: 1,
      losses: 0,
      reason: 'task.crashed: nul \u2400 and \ufffd surrogate',
    });
    const second = (await claimUnit(database.pool, unit, randomUUID(), hour))!;
    expect(second).toMatchObject({ fence: '2', losses: 0 });
    await releaseClaim(database.pool, second, null);
    expect(await readUnit(database.pool, unit)).toMatchObject({ failures: 1, worker_id: null, lease_until: null });
    const third = (await claimUnit(database.pool, unit, randomUUID(), hour))!;
    await releaseClaim(database.pool, third, 'final', { times: 3 });
    expect(await readUnit(database.pool, unit)).toMatchObject({ failures: 4, reason: 'final' });
  });
});

it('a stale holder commits nothing of its transaction: no rows, problems, children, count', async () => {
  const { examination, unitIds } = await insertTestExamination(database.pool, someUnits(1));
  const unit = unitIds[0]!;
  const stale = (await claimUnit(database.pool, unit, randomUUID(), 0))!;
  const fresh = (await claimUnit(database.pool, unit, randomUUID(), hour))!;
  const commit = (claim: typeof stale) =>
    transaction(database.pool, async (client) => {
      const problem = { locator: 'image:', code: 'x', message: 'y', at: null, hidesEvidence: false };
      await insertProblem(client, examination.id, unit, problem);
      await insertUnits(client, examination.id, unit, someUnits(3));
      await countOpenUnits(client, examination.id, 2);
      if (!(await endUnit(client, claim, { status: 'done' }))) throw new Error('stale');
    });
  await expect(commit(stale)).rejects.toThrow('stale');
  const seen = async () =>
    (
      await database.pool.query(
        `select (select count(*)::int from problem where examination_id = $1) as problems,
           (select count(*)::int from unit where examination_id = $1) as units, open_units from examination where id = $1`,
        [examination.id],
      )
    ).rows[0];
  expect(await seen()).toEqual({ problems: 0, units: 1, open_units: 1 });
  await commit(fresh);
  expect(await seen()).toEqual({ problems: 1, units: 4, open_units: 3 });
});

it('of two that end the same claim at the same moment one waits, and finds it ended', async () => {
  const unit = await oneUnit();
  const claim = (await claimUnit(database.pool, unit, randomUUID(), hour))!;
  const ends = await Promise.all(
    Array.from({ length: 5 }, (_, number) =>
      transaction(database.pool, async (client) => {
        const ended = await endUnit(client, claim, { status: 'done', result: { number } });
        await sleep(20);
        return ended ? number : null;
      }),
    ),
  );
  const winner = ends.filter((number) => number !== null);
  expect(winner).toHaveLength(1);
  expect((await readUnit(database.pool, unit)).result).toEqual({ number: winner[0] });
});

it('the count of open units reaches zero exactly once, however many end at once', async () => {
  const { examination, unitIds } = await insertTestExamination(database.pool, someUnits(40));
  const counts = await Promise.all(
    unitIds.map(async (unit, index) => {
      const claim = (await claimUnit(database.pool, unit, randomUUID(), hour))!;
      return transaction(database.pool, async (client) => {
        await endUnit(client, claim, { status: 'done' });
        const children = index % 10 === 0 ? await insertUnits(client, examination.id, unit, someUnits(1)) : [];
        return countOpenUnits(client, examination.id, children.length - 1);
      });
    }),
  );
  expect(counts.filter((open) => open === 0)).toHaveLength(0); // four children are still open
  const { rows } = await database.pool.query("select id from unit where examination_id = $1 and status = 'open'", [examination.id]);
  expect(rows).toHaveLength(4);
  const last = await Promise.all(
    rows.map(async ({ id }) => {
      const claim = (await claimUnit(database.pool, id, randomUUID(), hour))!;
      return transaction(database.pool, async (client) => {
        await endUnit(client, claim, { status: 'done' });
        return countOpenUnits(client, examination.id, -1);
      });
    }),
  );
  expect(last.map(Number).sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
});

describe('what a crash left behind', () => {
  const announced = (unit: string, secondsAgo: number) =>
    database.pool.query("update unit set announced_at = clock_timestamp() - $2 * interval '1 second' where id = $1", [unit, secondsAgo]);
  const forgotten = async (olderThanMs: number) => (await takeForgottenUnits(database.pool, olderThanMs, 1000)).map(({ id }) => id);

  it('units of a dead worker are free at once, those of others are not', async () => {
    const [dead, alive] = [randomUUID(), randomUUID()];
    const [first, second] = [await oneUnit(), await oneUnit()];
    await claimUnit(database.pool, first, dead, hour);
    await claimUnit(database.pool, second, alive, hour);
    expect(await releaseDeadWorkers(database.pool, [])).toBe(0);
    expect(await releaseDeadWorkers(database.pool, [dead, randomUUID()])).toBe(1);
    expect(await claimUnit(database.pool, first, alive, hour)).toMatchObject({ losses: 1 });
    expect(await claimUnit(database.pool, second, alive, hour)).toBeNull();
  });

  it('announces again what nobody holds and what was held too long, once, and leaves the rest', async () => {
    await forgotten(0); // of the other tests
    const [idle, fresh, held, lapsed, done] = [await oneUnit(), await oneUnit(), await oneUnit(), await oneUnit(), await oneUnit()];
    for (const unit of [idle, held, lapsed, done]) await announced(unit!, 60);
    await claimUnit(database.pool, held!, randomUUID(), hour);
    await claimUnit(database.pool, lapsed!, randomUUID(), 0);
    const claim = (await claimUnit(database.pool, done!, randomUUID(), hour))!;
    await transaction(database.pool, (client) => endUnit(client, claim, { status: 'done' }));
    expect((await forgotten(30_000)).sort()).toEqual([idle, lapsed].sort());
    expect(await forgotten(30_000)).toEqual([]);
    expect(await forgotten(0)).toEqual(expect.arrayContaining([idle, fresh]));
    expect(await readUnit(database.pool, held!)).toMatchObject({ status: 'open' });
  });

  it('two reconcilers at once share the work: no unit is taken by both', async () => {
    await forgotten(0);
    const { unitIds } = await insertTestExamination(database.pool, someUnits(30));
    for (const unit of unitIds) await announced(unit, 60);
    const rounds = await Promise.all([1, 2, 3, 4].map(() => takeForgottenUnits(database.pool, 30_000, 10)));
    const taken = rounds.flat().map(({ id }) => id);
    expect(new Set(taken).size).toBe(taken.length);
    expect(taken.length).toBeGreaterThanOrEqual(10);
  });
});
