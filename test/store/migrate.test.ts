/** Migrations run by several processes at once on an empty database. Witness: PostgreSQL's own catalogue. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPool } from '../../src/store/connection.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const source = join(import.meta.dirname, '..', '..', 'src');
const program = `
  const { openPool } = await import(${JSON.stringify(join(source, 'store', 'connection.ts'))});
  const { migrate } = await import(${JSON.stringify(join(source, 'store', 'migrate.ts'))});
  const { prepareQueue } = await import(${JSON.stringify(join(source, 'queue', 'open-queue.ts'))});
  const log = { warn: console.error, error: console.error };
  const url = process.argv[1];
  const pool = openPool({ url, log });
  await migrate(pool);
  await prepareQueue({ pool, databaseUrl: url, queueUrl: null, log });
  await pool.end();
`;

const migrationFiles = readdirSync(join(source, 'store', 'migrations'))
  .map((file) => file.replace(/\.ts$/, ''))
  .sort();

let database: TestDatabase;
const name = `test_${process.pid}_empty`;

beforeAll(async () => {
  database = await testDatabase();
  await database.pool.query(`create database ${name}`);
});
afterAll(async () => {
  await database.pool.query(`drop database ${name} with (force)`);
  await database.close();
});

function start(url: string): Promise<{ status: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, url], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
    });
    child.on('close', (status) => resolve({ status, said }));
  });
}

it('five at once all succeed, and each migration has run once; a sixth finds nothing to do', async () => {
  const url = new URL(database.url);
  url.pathname = `/${name}`;
  const ends = await Promise.all(Array.from({ length: 5 }, () => start(url.href)));
  expect(ends).toEqual(Array(5).fill({ status: 0, said: '' }));
  expect(await start(url.href)).toEqual({ status: 0, said: '' });
  const pool = openPool({ url: url.href, log: pino({ level: 'silent' }) });
  const { rows } = await pool.query('select name from kysely_migration');
  const tables = await pool.query("select table_name from information_schema.tables where table_schema = 'public' order by 1");
  const jobs = await pool.query("select to_regclass('bullmq.job') is not null as there");
  await pool.end();
  expect(rows).toEqual(migrationFiles.map((name) => ({ name })));
  expect(tables.rows.map(({ table_name }) => table_name)).toEqual(
    expect.arrayContaining([
      'case_file',
      'entry',
      'examination',
      'exhibit',
      'ledger',
      'ledger_head',
      'problem',
      'unit',
      'volume',
      'worker',
    ]),
  );
  expect(jobs.rows).toEqual([{ there: true }]);
});
