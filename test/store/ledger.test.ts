/** The ledger under contention: dense, chained, each event once. Witness: the rows, asked for by plain SQL, and SHA-256 of node:crypto over them. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lockExhibit } from '../../src/store/examinations.ts';
import { appendEvent, type LedgerHead, readLedger } from '../../src/store/ledger.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { insertTestExamination } from '../support/examination.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const newExhibit = async () => (await insertTestExamination(database.pool, [])).exhibit.id;

/** Not a real event: the number and the digest before are what counts here. */
const seal = (name: string) => (head: LedgerHead) => {
  const envelope = JSON.stringify({ name, seq: head.seq + 1, prev: head.digest });
  return { envelope, digest: createHash('sha256').update(envelope).digest('hex') };
};

const append = (exhibit: string, key: string) => transaction(database.pool, (client) => appendEvent(client, exhibit, key, seal(key)));

async function expectSound(exhibit: string, count: number): Promise<string[]> {
  const { rows } = await database.pool.query(
    'select seq::int, envelope, digest, event_key from ledger where exhibit_id = $1 order by seq',
    [exhibit],
  );
  expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, index) => index));
  let before = '';
  for (const { seq, envelope, digest, event_key } of rows) {
    expect(JSON.parse(envelope)).toEqual({ name: event_key, seq, prev: before });
    before = createHash('sha256').update(envelope).digest('hex');
    expect(digest).toBe(before);
  }
  const head = await database.pool.query('select seq::int, digest from ledger_head where exhibit_id = $1', [exhibit]);
  expect(head.rows).toEqual([{ seq: count - 1, digest: before }]);
  return rows.map(({ event_key }) => event_key);
}

it('forty that append at once to an exhibit without a head make one dense chain', async () => {
  const exhibit = await newExhibit();
  expect(await Promise.all(Array.from({ length: 40 }, (_, index) => append(exhibit, `event ${index}`)))).toEqual(Array(40).fill(true));
  const keys = await expectSound(exhibit, 40);
  expect(new Set(keys).size).toBe(40);
  expect((await readLedger(database.pool, exhibit)).map((line) => JSON.parse(line).seq)).toEqual(keys.map((_, index) => index));
});

it('an event happens once, also when ten say so at the same moment', async () => {
  const exhibit = await newExhibit();
  const appended = await Promise.all(Array.from({ length: 10 }, () => append(exhibit, 'the same')));
  expect(appended.filter(Boolean)).toHaveLength(1);
  expect(await append(exhibit, 'the same')).toBe(false);
  await append(exhibit, 'another');
  expect(await expectSound(exhibit, 2)).toEqual(['the same', 'another']);
});

it('what was rolled back leaves no hole', async () => {
  const exhibit = await newExhibit();
  await append(exhibit, 'first');
  const failing = transaction(database.pool, async (client) => {
    await appendEvent(client, exhibit, 'gone', seal('gone'));
    throw new Error('after all not');
  });
  await expect(failing).rejects.toThrow('after all not');
  await append(exhibit, 'second');
  expect(await expectSound(exhibit, 2)).toEqual(['first', 'second']);
});

it('rollbacks and commits at once leave a dense chain of the commits', async () => {
  const exhibit = await newExhibit();
  const tries = await Promise.allSettled(
    Array.from({ length: 30 }, (_, index) =>
      transaction(database.pool, async (client) => {
        await appendEvent(client, exhibit, `event ${index}`, seal(`event ${index}`));
        if (index % 3 === 0) throw new Error('no');
      }),
    ),
  );
  const done = tries.filter(({ status }) => status === 'fulfilled').length;
  expect(done).toBe(20);
  await expectSound(exhibit, 20);
});

it('the head stays locked until the transaction ends; another exhibit does not wait', async () => {
  const [one, two] = [await newExhibit(), await newExhibit()];
  const order: string[] = [];
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const first = transaction(database.pool, async (client) => {
    await appendEvent(client, one, 'slow', seal('slow'));
    order.push('slow appended');
    await held;
  });
  while (order.length === 0) await sleep(5);
  const second = append(one, 'waiting').then(() => order.push('waiting appended'));
  await append(two, 'elsewhere');
  await sleep(50);
  expect(order).toEqual(['slow appended']);
  go();
  await Promise.all([first, second]);
  expect(order).toEqual(['slow appended', 'waiting appended']);
  expect(await expectSound(one, 2)).toEqual(['slow', 'waiting']);
});

it('who submits a further image of an exhibit and who commits a unit of it do not wait for each other in a circle', async () => {
  const { id, label } = (await insertTestExamination(database.pool, [])).exhibit;
  await append(id, 'first');
  await transaction(database.pool, async (submitting) => {
    await lockExhibit(submitting, { caseReference: 'case 7', label, examiner: 'Exam Iner' });
    await append(id, 'of a unit'); // holds the head, and asks for the exhibit: its row is what the ledger refers to
    await appendEvent(submitting, id, 'received', seal('received'));
  });
  expect(await expectSound(id, 3)).toEqual(['first', 'of a unit', 'received']);
});

it('the same place cannot be taken twice, even by one who does not ask for the head', async () => {
  const exhibit = await newExhibit();
  await append(exhibit, 'first');
  const insert = (seq: number, key: string) =>
    database.pool.query('insert into ledger (exhibit_id, seq, envelope, digest, event_key) values ($1, $2, $3, $4, $5)', [
      exhibit,
      seq,
      '{}',
      '',
      key,
    ]);
  await expect(insert(0, 'other')).rejects.toMatchObject({ code: '23505' }); // unique_violation
  await expect(insert(1, 'first')).rejects.toMatchObject({ code: '23505' });
});
