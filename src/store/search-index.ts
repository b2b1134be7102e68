/** Makes what an examination is searched by: a row for each entry, a row for each time (docs/adr/0013-search.md). */
import { type Pool, type PoolClient, type QueryResult } from 'pg';
import { foundIndexes, momentIndexes, wordIndex } from './migrations/0006-search.ts';
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

/** Work that was done meanwhile shows in here: each beginning of a unit counts. */
const stateOf = `select coalesce(sum(fence), 0)::text as state from unit where examination_id = $1 and kind <> 'conclude'`;

/** Once for an examination to which no entry comes any more; several at once wait for each other. */
export async function indexForSearch(pool: Pool, examinationId: string, signal?: AbortSignal): Promise<void> {
  const key = await inLongTransaction(pool, signal, (run) => makeRows(run, examinationId));
  if (key !== null && key > 0) await vacuum(pool, key, signal);
}

/** The next concluded examination that has none: from before there was a search. False when there is none, or another process is at one. */
export async function indexOutstanding(pool: Pool, signal: AbortSignal): Promise<boolean> {
  const made = await inLongTransaction(pool, signal, async (run) => {
    const turn = await run(`select pg_try_advisory_xact_lock(hashtextextended('outstanding', 6)) as mine`);
    if (!turn.rows[0]!.mine) return null;
    const { rows } = await run(
      `select id from examination where status in ('complete', 'integrity-failed') and not exists (select from search where examination_id = id)
       order by id limit 1`,
    );
    return rows[0] === undefined ? null : { key: await makeRows(run, rows[0].id) };
  });
  if (made !== null && made.key !== null && made.key > 0) await vacuum(pool, made.key, signal);
  return made !== null;
}

/** For an examination that goes on: in the transaction that decides so. */
export async function dropSearch(client: PoolClient, examinationId: string): Promise<void> {
  const { rows } = await client.query<{ key: number }>('delete from search where examination_id = $1 returning key', [examinationId]);
  const key = rows[0]?.key;
  if (key === undefined) return;
  for (const parent of ['found', 'moment'] as const) {
    if (key > 0) await client.query(`drop table ${parent}_${key}`);
    else await client.query(`delete from ${parent} where key = $1`, [key]);
  }
}

async function inLongTransaction<T>(pool: Pool, signal: AbortSignal | undefined, work: (run: Run) => Promise<T>): Promise<T> {
  return transaction(pool, async (client) => {
    await client.query(`set local statement_timeout = 0; set local lock_timeout = 0; set local maintenance_work_mem = '256MB';
      set local work_mem = '128MB'; set local idle_in_transaction_session_timeout = 0`);
    return cancelledBy(pool, client, signal, () => work(runOn(client)));
  });
}

/** The server would go on with a statement whose asker does not want it any more. */
async function cancelledBy<T>(pool: Pool, client: PoolClient, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const { promise: cancelling, resolve, reject } = Promise.withResolvers<void>();
  const cancel = () => pool.query('select pg_cancel_backend($1)', [rows[0]!.pid]).then(() => resolve(), reject);
  signal.throwIfAborted();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await work();
  } finally {
    signal.removeEventListener('abort', cancel);
    if (signal.aborted) await cancelling; // or it would meet the next statement of this connection
  }
}

/** Gives the key; null when others had made them. */
async function makeRows(run: Run, examinationId: string): Promise<number | null> {
  await run('select pg_advisory_xact_lock(hashtextextended($1, 6))', [examinationId]);
  const known = await run('select from search where examination_id = $1', [examinationId]);
  if (known.rowCount === 1) return null;
  const before = await run(stateOf, [examinationId]);
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
  await finish(run, 'found', key, (table) => [...foundIndexes(table), wordIndex(table, false)]);
  const moment = await tableFor(run, 'moment', key);
  await run(
    `insert into ${moment} (key, ordinal, at, nth, kind)
     select key, ordinal, custodia_instant(written), nth, kind
     from ${found} join entry on entry.examination_id = $1 and entry.locator = ${found}.locator cross join lateral custodia_times(record::jsonb)
     where key = $2 order by ordinal, nth`,
    [examinationId, key],
  );
  await finish(run, 'moment', key, momentIndexes);
  await run('select from examination where id = $1 for share', [examinationId]); // whoever decides that it goes on has done so, or waits
  const after = await run(stateOf, [examinationId]);
  if (before.rows[0]!.state !== after.rows[0]!.state) {
    throw new Error(`search.outdated: examination ${examinationId} was worked on while it was made searchable, expected that it had ended`);
  }
  await attach(run, key); // last: another examination would wait for it
  await run('insert into search (key, examination_id) values ($2, $1)', [examinationId, key]);
  return key;
}

/** Pages of rows that all may see are marked: an answer from an index alone looks at no row. */
async function vacuum(pool: Pool, key: number, signal: AbortSignal | undefined): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('set statement_timeout = 0');
    await cancelledBy(pool, client, signal, () => runOn(client)(`vacuum found_${key}, moment_${key}`));
  } finally {
    client.release(true); // with its limits as they were set
  }
}

type Partitioned = 'found' | 'moment';

/** Where the rows go: a new table without indexes, for many. */
async function tableFor(run: Run, parent: Partitioned, key: number): Promise<string> {
  if (key < 0) return `${parent}_small`;
  await run(`create table ${parent}_${key} (like ${parent})`);
  return `${parent}_${key}`;
}

/** Indexes built in one go take a tenth of the time of indexes that grow with each row. Fresh figures, or the planner takes many for few. */
async function finish(run: Run, parent: Partitioned, key: number, indexes: (table: string) => string[]): Promise<void> {
  if (key < 0) return;
  const table = `${parent}_${key}`;
  for (const statement of indexes(table)) await run(statement);
  await run(`alter table ${table} add check (key >= ${key} and key < ${key + 1})`);
  await run(`analyze ${table}`);
}

async function attach(run: Run, key: number): Promise<void> {
  if (key < 0) return;
  for (const parent of ['found', 'moment'] as const)
    await run(`alter table ${parent} attach partition ${parent}_${key} for values from (${key}) to (${key + 1})`);
}
