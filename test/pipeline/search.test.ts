/** What an examination is searched by, when it goes on after all and when it was concluded before there was a search. Witness: the tables, asked by plain SQL. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type EntryRecord, entryRow } from '../../src/examine/entry-record.ts';
import { retryExamination } from '../../src/pipeline/control.ts';
import { copyRows } from '../../src/store/copy.ts';
import { indexForSearch, indexOutstanding } from '../../src/store/search-index.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { insertTestExamination, someUnits, type TestExamination } from '../support/examination.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';

/** One more than share a partition (src/store/search-index.ts: `many`). */
const manyEntries = 20_001;
const actor = { name: 'Lea Lead', role: 'lab-lead', authenticator: 'session' };
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

const recordOf = (index: number): EntryRecord => ({
  locator: `image:/ext:${index}`,
  path: `a/${index}.txt`,
  name: `${index}.txt`,
  type: 'file',
  size: index,
  allocated: { name: true, metadata: true },
  times: [{ kind: 'modified', time: '2024-02-29T12:34:56Z', zone: 'utc', resolutionNs: 1 }],
});

/** The first unit has written all of them. */
async function examinationWith(count: number): Promise<TestExamination> {
  const made = await insertTestExamination(database.pool, someUnits(2));
  const prefix = `${made.examination.id}\t${made.unitIds[0]}\t`;
  const rows = Array.from({ length: count }, (_, index) => `${prefix}${entryRow(recordOf(index))}\n`).join('');
  await transaction(database.pool, (client) => copyRows(client, 'entry', [Buffer.from(rows)]));
  return made;
}

const set = (text: string, values: unknown[]) => database.pool.query(text, values);
const searchable = async (): Promise<string[]> =>
  (await database.pool.query('select examination_id from search order by 1')).rows.map((row) => row.examination_id);
const counts = async () =>
  (await database.pool.query('select (select count(*)::int from found) as found, (select count(*)::int from moment) as moment')).rows[0];
const partitions = async () =>
  (await database.pool.query(`select count(*)::int as count from pg_inherits where inhparent in ('found'::regclass, 'moment'::regclass)`))
    .rows[0].count;

it.each([3, manyEntries])(
  'an examination of %i entries that is begun anew has no row left, and is made searchable again',
  async (count) => {
    const { examination, unitIds } = await examinationWith(count);
    await indexForSearch(database.pool, examination.id);
    expect(await counts()).toEqual({ found: count, moment: count });
    expect(await partitions()).toBe(count < 20_000 ? 2 : 4); // by hand: one for small ones in each table, and one of its own
    await set(`update unit set status = 'cancelled' where id = $1`, [unitIds[0]]);
    await set(`update unit set status = 'done', result = '{}' where id = $1`, [unitIds[1]]);
    await set(`update examination set status = 'cancelled', cancelled_because = 'x', open_units = 0 where id = $1`, [examination.id]);
    const control = { database: database.pool, queue: await laboratory.installation.queue(), recorder: laboratory.installation.recorder };
    await retryExamination(control, examination.id, actor, 'go on');
    expect(await counts()).toEqual({ found: 0, moment: 0 });
    expect(await searchable()).toEqual([]);
    expect(await partitions()).toBe(2);
    await indexForSearch(database.pool, examination.id);
    expect(await searchable()).toEqual([examination.id]);
    expect(await counts()).toEqual({ found: 0, moment: 0 }); // the unit's entries went with its retry
  },
);

it('rows made of an examination that was worked on meanwhile are not kept', async () => {
  const { examination, unitIds } = await examinationWith(3);
  const blocker = await database.pool.connect();
  await blocker.query('begin');
  await blocker.query('select from examination where id = $1 for no key update', [examination.id]); // as whoever decides about it does
  const making = indexForSearch(database.pool, examination.id);
  const refused = expect(making).rejects.toThrow('search.outdated');
  const waiting = `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await vi.waitFor(async () => expect((await database.pool.query(waiting)).rows[0].count).toBe(1), { timeout: 5000 });
  await blocker.query('update unit set fence = fence + 1 where id = $1', [unitIds[0]]);
  await blocker.query('commit');
  blocker.release();
  await refused;
  expect(await counts()).toEqual({ found: 0, moment: 0 });
  await indexForSearch(database.pool, examination.id);
  expect(await counts()).toEqual({ found: 3, moment: 3 });
});

it('what was concluded before there was a search is made searchable by a worker, one after the other; what goes on is not', async () => {
  const old = [await examinationWith(3), await examinationWith(4)].map(({ examination }) => examination.id);
  await examinationWith(5);
  await set(`update unit set status = 'done', result = '{}'`, []);
  await set(`update examination set status = 'complete', open_units = 0 where id = any ($1)`, [old]);
  laboratory.startWorker();
  await vi.waitFor(async () => expect(await searchable()).toEqual(old.toSorted()), { timeout: 15_000, interval: 50 });
  expect(await counts()).toEqual({ found: 7, moment: 7 });
  expect(await indexOutstanding(database.pool, new AbortController().signal)).toBe(false);
});

it('the making ends when it is told to, and its connection is of use again', async () => {
  const { examination } = await examinationWith(manyEntries);
  await set(`update examination set status = 'complete' where id = $1`, [examination.id]);
  const ending = new AbortController();
  const making = indexOutstanding(database.pool, ending.signal);
  const refused = expect(making).rejects.toMatchObject({ code: '57014' }); // PostgreSQL manual, appendix A: query_canceled
  const running = `select count(*)::int as count from pg_stat_activity where query like 'insert into found_%' and datname = current_database()`;
  await vi.waitFor(async () => expect((await database.pool.query(running)).rows[0].count).toBe(1), { timeout: 5000, interval: 5 });
  ending.abort();
  await refused;
  expect(await searchable()).toEqual([]);
  expect(await indexOutstanding(database.pool, new AbortController().signal)).toBe(true);
  expect(await searchable()).toEqual([examination.id]);
});
