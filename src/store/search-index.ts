/** Makes what an examination is searched by: a row for each entry, a row for each time (docs/adr/0013-search.md). */
import { type Pool, type PoolClient, type QueryResult } from 'pg';
import { foundIndexes, momentIndexes } from './migrations/0006-search.ts';
import { transaction } from './transaction.ts';

const hourMs = 3_600_000;
/** From so many entries on they get a partition of their own. */
const many = 20_000;

type Run = (text: string, values?: readonly unknown[]) => Promise<QueryResult>;

/** However many rows there are: the limits of other statements do not hold. */
const runOn =
  (client: PoolClient): Run =>
  (text, values = []) =>
    client.query({ text, values: [...values], query_timeout: hourMs } as { text: string; values: unknown[] });

const columns =
  'locator, path, name, folded, extension, type, size, allocated, media_type, modified, md5, sha1, sha256, codes, facts, words';

/** Once for an examination to which no entry comes any more; several at once wait for each other. */
export async function indexForSearch(pool: Pool, examinationId: string): Promise<void> {
  await transaction(pool, async (client) => {
    const run = runOn(client);
    await client.query(`set local statement_timeout = 0; set local lock_timeout = 0; set local maintenance_work_mem = '256MB';
      set local work_mem = '128MB'; set local idle_in_transaction_session_timeout = 0`);
    await run('select pg_advisory_xact_lock(hashtextextended($1, 6))', [examinationId]);
    const known = await run('select from search where examination_id = $1', [examinationId]);
    if (known.rowCount === 1) return;
    const { rows } = await run(
      `select nextval(case when count(*) >= ${many} then 'search_large' else 'search_small' end::regclass)::int as key from entry where examination_id = $1`,
      [examinationId],
    );
    const key: number = rows[0]!.key;
    const found = await tableFor(run, 'found', key);
    await run(
      `insert into ${found} (key, ordinal, ${columns})
       select $2::int, row_number() over (order by locator collate "C"), ${columns} from entry_fact where examination_id = $1`,
      [examinationId, key],
    );
    await attach(run, 'found', key, foundIndexes);
    const moment = await tableFor(run, 'moment', key);
    await run(
      `insert into ${moment} (key, ordinal, at, nth, kind)
       select key, ordinal, custodia_instant(written), nth, kind
       from ${found} join entry on entry.examination_id = $1 and entry.locator = ${found}.locator cross join lateral custodia_times(record::jsonb)
       where key = $2 order by ordinal, nth`,
      [examinationId, key],
    );
    await attach(run, 'moment', key, momentIndexes);
    await run('insert into search (key, examination_id) values ($2, $1)', [examinationId, key]);
  });
}

type Partitioned = 'found' | 'moment';

/** Where the rows go: a new table without indexes, for many. */
async function tableFor(run: Run, parent: Partitioned, key: number): Promise<string> {
  if (key < 0) return `${parent}_small`;
  await run(`create table ${parent}_${key} (like ${parent})`);
  return `${parent}_${key}`;
}

/** Indexes built in one go take a tenth of the time of indexes that grow with each row. Fresh figures, or the planner takes many for few. */
async function attach(run: Run, parent: Partitioned, key: number, indexes: (table: string) => string[]): Promise<void> {
  if (key < 0) return;
  const table = `${parent}_${key}`;
  for (const statement of indexes(table)) await run(statement);
  await run(`alter table ${table} add check (key >= ${key} and key < ${key + 1})`);
  await run(`alter table ${parent} attach partition ${table} for values from (${key}) to (${key + 1})`);
  await run(`analyze ${table}`);
}
