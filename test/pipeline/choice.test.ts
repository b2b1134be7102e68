/** Which unit is next. Witness: the order worked out by hand in each test. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/config.ts';
import { claimNext } from '../../src/store/claims.ts';
import { insertExamination, lockExhibit } from '../../src/store/examinations.ts';
import { transaction } from '../../src/store/transaction.ts';
import { endUnit, insertUnits, releaseClaim, type Unit } from '../../src/store/units.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { someUnits } from '../support/examination.ts';

const hour = 3_600_000;
let database: TestDatabase;
const worker = randomUUID();

beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

async function agency(name: string, limits = ''): Promise<string> {
  const { rows } = await database.pool.query('insert into agency (name) values ($1) returning id', [name]);
  if (limits !== '') await database.pool.query(`update agency set ${limits} where id = $1`, [rows[0].id]);
  return rows[0].id;
}

let count = 0;

/** An examination of an agency with so many open units; `set` says what differs from the usual. */
async function examination(agencyId: string, units: number, set = ''): Promise<string> {
  const id = await transaction(database.pool, async (client) => {
    const label = `exhibit ${++count}`;
    const exhibit = await lockExhibit(client, { caseReference: 'case 7', label, examiner: 'Exam Iner' }, agencyId);
    const made = await insertExamination(client, {
      exhibitId: exhibit.id,
      examiner: 'Exam Iner',
      image: { format: 'raw', paths: [`/evidence/${label}.raw`] },
      received: [],
      profile: { digests: ['sha256'], limits: defaultLimits },
      openUnits: units,
    });
    await insertUnits(client, made.id, null, someUnits(units));
    return made.id;
  });
  if (set !== '') await database.pool.query(`update examination set ${set} where id = $1`, [id]);
  return id;
}

const claim = () => claimNext(database.pool, worker, hour);
const end = (unit: Unit) => transaction(database.pool, (client) => endUnit(client, unit, { status: 'done' }));

/** Claims so often, ending each before the next: as one worker with one place does. Gives the examinations in their order. */
async function served(times: number): Promise<string[]> {
  const order: string[] = [];
  for (let time = 0; time < times; time++) {
    const unit = await claim();
    if (unit === null) break;
    order.push(unit.examination_id);
    await end(unit);
  }
  return order;
}

describe('agencies', () => {
  it('one floods 500 units, another submits 5 after that: they take turns, so the 5 are done within the next 10', async () => {
    const [flooding, small] = [await agency('flooding'), await agency('small')];
    for (let index = 0; index < 50; index++) await examination(flooding, 10);
    await served(20);
    const five = await examination(small, 5);
    const order = await served(30);
    const places = order.flatMap((id, index) => (id === five ? [index + 1] : []));
    // the one that was never served comes first; then every second turn: 1, 3, 5, 7, 9
    expect(places).toEqual([1, 3, 5, 7, 9]);
  });

  it('with eight places, each has four while both have work; what one does not use the other has', async () => {
    const [one, other] = [await agency('one'), await agency('other')];
    await examination(one, 100);
    const first = await Promise.all(Array.from({ length: 8 }, claim));
    expect(first.filter((unit) => unit !== null)).toHaveLength(8);
    const few = await examination(other, 6);
    const running: Unit[] = first.map((unit) => unit!);
    const taken: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      await end(running.shift()!);
      const unit = (await claim())!;
      running.push(unit);
      taken.push(unit.examination_id);
    }
    expect(taken.filter((id) => id === few)).toHaveLength(4); // 7 against 0, 6 against 1, 5 against 2, 4 against 3
  });

  it('shares count: one with a share of 3 has three units running for one of the other', async () => {
    const [large, small] = [await agency('large', 'share = 3'), await agency('small')];
    const [a, b] = [await examination(large, 50), await examination(small, 50)];
    const claimed = [];
    for (let index = 0; index < 8; index++) claimed.push((await claim())!.examination_id);
    expect({ large: claimed.filter((id) => id === a).length, small: claimed.filter((id) => id === b).length }).toEqual({
      large: 6,
      small: 2,
    });
  });

  it('the limit of running units holds, though twenty ask at once; what ends makes room', async () => {
    const limited = await agency('limited', 'max_running_units = 3');
    await examination(limited, 30);
    const claims = await Promise.all(Array.from({ length: 20 }, claim));
    const got = claims.filter((unit) => unit !== null);
    expect(got).toHaveLength(3);
    expect(await claim()).toBeNull();
    await end(got[0]!);
    expect(await claim()).not.toBeNull();
    expect(await claim()).toBeNull();
  });
});

describe('examinations of one agency', () => {
  let own: string;
  beforeEach(async () => {
    own = await agency('own');
  });

  it('go by priority, equal ones by age', async () => {
    const usual = await examination(own, 1);
    const late = await examination(own, 1, 'priority = 9');
    const urgent = await examination(own, 1, 'priority = 1');
    const alsoUsual = await examination(own, 1);
    expect(await served(9)).toEqual([urgent, usual, alsoUsual, late]);
  });

  it('age: ten minutes of waiting make up for one step, and what waited longest is before all that is as urgent', async () => {
    const waited = (minutes: number) => `queued_at = clock_timestamp() - interval '${minutes} minutes'`;
    const four = await examination(own, 1, `priority = 4, ${waited(0)}`);
    const sixOld = await examination(own, 1, `priority = 6, ${waited(25)}`); // 6 - 2.5 = 3.5
    const sixYoung = await examination(own, 1, `priority = 6, ${waited(15)}`); // 6 - 1.5 = 4.5
    const last = await examination(own, 1, `priority = 10, ${waited(24 * 60)}`); // 1 - 10: a day old
    const first = await examination(own, 1, 'priority = 1');
    expect(await served(9)).toEqual([last, first, sixOld, four, sixYoung]);
  });

  it('nothing starves: under a stream of the most urgent, the least urgent has its turn when it has waited longest', async () => {
    await examination(own, 1, `priority = 10, queued_at = clock_timestamp() - interval '95 minutes'`); // 10 - 9.5 is below 1: as urgent as any
    for (let index = 0; index < 5; index++) await examination(own, 1, 'priority = 1');
    const { rows } = await database.pool.query('select id from examination where priority = 10');
    expect((await served(1))[0]).toBe(rows[0].id);
  });

  it('a deadline that is near comes before priority, the nearest first', async () => {
    const urgent = await examination(own, 1, 'priority = 1');
    const inTwo = await examination(own, 1, `priority = 8, deadline = clock_timestamp() + interval '2 hours'`); // 8 - 10 * 22/24 = -1.2
    const inOne = await examination(own, 1, `priority = 8, deadline = clock_timestamp() + interval '1 hour'`); // 8 - 10 * 23/24 = -1.6
    const far = await examination(own, 1, `priority = 2, deadline = clock_timestamp() + interval '3 days'`); // as without
    const over = await examination(own, 1, `priority = 8, deadline = clock_timestamp() - interval '1 minute'`); // 8 - 10 = -2
    expect(await served(9)).toEqual([over, inOne, inTwo, urgent, far]);
  });

  it('that are paused, cancelled or concluded are passed over; a paused queue gives nothing', async () => {
    await examination(own, 2, 'paused_at = clock_timestamp()');
    await examination(own, 2, `status = 'cancelled'`);
    const going = await examination(own, 1);
    await database.pool.query(`update queue_control set state = 'draining'`);
    expect(await served(3)).toEqual([]);
    await database.pool.query(`update queue_control set state = 'running'`);
    expect(await served(3)).toEqual([going]);
  });

  it('units go by their priority, then in the order they were made; one that is put off is passed over until then', async () => {
    await examination(own, 3);
    const { rows } = await database.pool.query('select id from unit order by id');
    await database.pool.query('update unit set priority = 1 where id = $1', [rows[2].id]);
    const first = (await claim())!;
    expect(first.id).toBe(rows[2].id);
    await releaseClaim(database.pool, first, null, { againAfterMs: hour });
    expect((await claim())!.id).toBe(rows[0].id);
    expect((await claim())!.id).toBe(rows[1].id);
    expect(await claim()).toBeNull();
  });
});

it('hundred that choose at once get each a unit of its own', async () => {
  const [a, b] = [await agency('a'), await agency('b')];
  await examination(a, 40);
  await examination(b, 40);
  const got = (await Promise.all(Array.from({ length: 100 }, claim))).filter((unit) => unit !== null);
  expect(got).toHaveLength(80);
  expect(new Set(got.map(({ id }) => id)).size).toBe(80);
});

it('a choice among 100,000 open units of 1,000 examinations stays cheap', { timeout: 60_000 }, async () => {
  const agencies = await Promise.all(Array.from({ length: 10 }, (_, index) => agency(`agency ${index}`)));
  const examinations: string[] = [];
  for (const id of agencies) examinations.push(await examination(id, 1));
  await database.pool.query(
    `insert into examination (exhibit_id, examiner, image, received, profile, priority)
     select exhibit_id, examiner, image, received, profile, 1 + n % 10 from examination, generate_series(1, 99) n`,
  );
  await database.pool.query(
    `insert into unit (examination_id, kind, priority) select id, 'examine-files', 4 from examination, generate_series(1, 100)`,
  );
  await database.pool.query('analyze unit, examination, agency');
  for (let index = 0; index < 20; index++) await claim();
  const times: number[] = [];
  for (let index = 0; index < 200; index++) {
    const begun = performance.now();
    expect(await claim()).not.toBeNull();
    times.push(performance.now() - begun);
  }
  times.sort((x, y) => x - y);
  console.log(`a choice among 100,000 open units: median ${times[100]!.toFixed(1)} ms, p99 ${times[197]!.toFixed(1)} ms`);
  expect(times[100]).toBeLessThan(50);
});
