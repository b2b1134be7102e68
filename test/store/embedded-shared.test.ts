/** The databases that tests get: each its own, migrated, gone when it is closed. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let first: TestDatabase;
let second: TestDatabase;

beforeAll(async () => {
  [first, second] = await Promise.all([testDatabase(), testDatabase()]);
});

afterAll(async () => first?.close());

it('are apart from each other, and hold the schema', async () => {
  await first.pool.query(`insert into case_file (reference) values ('apart')`);
  const count = 'select count(*)::int as count from case_file';
  expect((await first.pool.query(count)).rows).toEqual([{ count: 1 }]);
  expect((await second.pool.query(count)).rows).toEqual([{ count: 0 }]);
});

it('are dropped when they are closed', async () => {
  const name = new URL(second.url).pathname.slice(1);
  await second.close();
  expect((await first.pool.query('select 1 from pg_database where datname = $1', [name])).rows).toEqual([]);
});
