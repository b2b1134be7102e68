/** One transaction, and which errors say nothing about the work. Witness: PostgreSQL itself; its error codes (manual, appendix A). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTransient, transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  await database.pool.query('create table t (id int primary key)');
});
afterAll(() => database.close());

const rows = async () => (await database.pool.query('select id from t order by id')).rows.map(({ id }) => id);

it('is committed whole or not at all, and gives its client back', async () => {
  expect(
    await transaction(database.pool, async (client) => (await client.query('insert into t values (1), (2) returning id')).rowCount),
  ).toBe(2);
  const failing = transaction(database.pool, async (client) => {
    await client.query('insert into t values (3)');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  const broken = transaction(database.pool, async (client) => {
    await client.query('insert into t values (4)');
    await client.query('insert into t values (1)');
  });
  await expect(broken).rejects.toMatchObject({ code: '23505' });
  expect(await rows()).toEqual([1, 2]);
  expect(database.pool.idleCount).toBe(database.pool.totalCount);
});

it('whose connection is cut leaves nothing, and the pool goes on with another', async () => {
  const cut = transaction(database.pool, async (client) => {
    await client.query('insert into t values (5)');
    const { rows: own } = await client.query('select pg_backend_pid() as pid');
    await database.pool.query('select pg_terminate_backend($1)', [own[0].pid]);
    await client.query('insert into t values (6)');
  });
  const error = await cut.catch((found: unknown) => found);
  expect(isTransient(error)).toBe(true);
  expect(await rows()).toEqual([1, 2]);
});

describe('may be tried again', () => {
  const failing = async (...statements: string[]): Promise<unknown> =>
    transaction(database.pool, async (client) => {
      for (const statement of statements) await client.query(statement);
    }).catch((error: unknown) => error);

  it.each([
    ['a statement that took too long (57014)', ['set local statement_timeout = 50', 'select pg_sleep(5)'], true],
    [
      'a lock that was not to be had (55P03)',
      ['create table u (id int)', 'set local lock_timeout = 1', `do $$ begin raise sqlstate '55P03'; end $$`],
      true,
    ],
    ['a deadlock (40P01)', [`do $$ begin raise sqlstate '40P01'; end $$`], true],
    ['a full disk (53100)', [`do $$ begin raise sqlstate '53100'; end $$`], true],
    ['a lost connection (08006)', [`do $$ begin raise sqlstate '08006'; end $$`], true],
    ['a value twice (23505)', ['insert into t values (1)'], false],
    ['a character that is none (22021)', [`do $$ begin raise sqlstate '22021'; end $$`], false],
    ['a table that is not there (42P01)', ['select * from nowhere'], false],
    ['a statement after a failed one (25P02)', [`do $$ begin raise sqlstate '25P02'; end $$`], true],
  ] as [string, string[], boolean][])('%s: %s', async (_, statements, expected) => {
    expect(isTransient(await failing(...statements))).toBe(expected);
  });

  it('errors of the network and of a machine that has run out of something, and no others', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOSPC', 'EMFILE'])
      expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(true);
    for (const code of ['EACCES', 'ENOENT', 'EPERM', 'EIO']) expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(false);
    expect(isTransient(new Error('Connection terminated unexpectedly'))).toBe(true);
    expect(isTransient(new Error('Query read timeout'))).toBe(true);
    expect(isTransient(new TypeError('undefined is not a function'))).toBe(false);
    expect(isTransient('closed')).toBe(false);
  });
});
