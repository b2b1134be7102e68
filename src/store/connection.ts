/** Connections to PostgreSQL: a pool that notices dead networks, and what the server must be like. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig, Pool } from 'pg';
import { type Logger } from 'pino';
import { DatabaseError } from './database-error.ts';
import { isTransient } from './transaction.ts';

export interface PoolOptions {
  readonly url: string;
  readonly log: Logger;
  readonly max?: number;
  /** Longest wait for the answer to one query, COPY not included; 0 for none. */
  readonly queryTimeoutMs?: number;
  /** Longest time one COPY may take, in or out. */
  readonly copyTimeoutMs?: number;
  /** The server's own limit for one statement, COPY included; 0 for none. */
  readonly statementTimeoutMs?: number;
}

const hourMs = 3_600_000;

/** Throws DatabaseError when the URL is none; connects when it is first used. */
export function openPool({
  url,
  log,
  max = 10,
  queryTimeoutMs = 30_000,
  copyTimeoutMs = hourMs,
  statementTimeoutMs = 15_000,
}: PoolOptions): Pool {
  if (!isPostgresUrl(url))
    throw new DatabaseError('database.url', 'the address of the database is not a URL like postgres://user:password@host:5432/name');
  const pool = new Pool({
    Client: copyingClient(copyTimeoutMs),
    connectionString: url,
    max,
    application_name: 'custodia',
    keepAlive: true,
    connectionTimeoutMillis: 3000,
    query_timeout: queryTimeoutMs,
    statement_timeout: statementTimeoutMs,
    lock_timeout: 5000,
    idle_in_transaction_session_timeout: 5000,
  });
  // without these two a connection that is cut ends the process
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection was lost'));
  pool.on('connect', (client) => client.on('error', (error) => log.warn({ err: error }, 'a database connection was lost')));
  return pool;
}

interface CopyStream {
  query_timeout?: number;
  /** pg sets it, to learn of the end and forget its limit; streams out of the database never call it. */
  callback?: () => void;
  once(event: 'close', listener: () => void): void;
}

/** A client with a limit of its own for COPY: pg would hold a long transfer to the limit of a query. */
function copyingClient(copyTimeoutMs: number): new () => Client {
  return class extends Client {
    constructor(config?: ClientConfig) {
      super(config);
      const query = this.query.bind(this) as (...args: unknown[]) => unknown;
      this.query = ((...args: unknown[]) => {
        const stream = args[0];
        if (!isCopyStream(stream)) return query(...args);
        stream.query_timeout = copyTimeoutMs;
        stream.once('close', () => stream.callback?.());
        return query(...args);
      }) as Client['query'];
    }
  };
}

const isCopyStream = (query: unknown): query is CopyStream =>
  typeof query === 'object' && query !== null && 'submit' in query && 'pipe' in query;

const isPostgresUrl = (url: string) => /^postgres(ql)?:\/\//.test(url) && URL.canParse(url);

/** The URL without its password, for logs and messages. */
export function describeUrl(url: string): string {
  if (!isPostgresUrl(url)) return '(not a postgres:// URL)'; // shown in part, anything else might show a password
  const { protocol, username, host, pathname } = new URL(url);
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`;
}

export interface Facts {
  readonly version: string;
  /** The database's clock minus this machine's; half the round trip is the uncertainty. */
  readonly clockDifferenceMs: number;
}

const clockAllowanceMs = 500;

/** Waits until the server takes connections, then checks that it can hold the record. Throws DatabaseError. */
export async function probe(pool: Pool, patienceMs = 15_000): Promise<Facts> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await check(pool);
    } catch (error) {
      if (error instanceof DatabaseError) throw error;
      const place = placeOf(pool);
      const said = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error);
      if (!isTransient(error)) throw new DatabaseError('database.refused', `${place}: ${said}`, { cause: error });
      if (Date.now() >= deadline) {
        throw new DatabaseError('database.unreachable', `${place}: no answer within ${patienceMs} ms: ${said}`, { cause: error });
      }
    }
    await sleep(100);
  }
}

const placeOf = (pool: Pool) => describeUrl(pool.options.connectionString ?? '');

interface Row {
  version: string;
  number: number;
  encoding: string;
  commit: string;
  recovering: boolean;
  uuidv7: boolean;
  now: number;
}

async function check(pool: Pool): Promise<Facts> {
  const sent = Date.now();
  const { rows } = await pool.query<Row>(`select current_setting('server_version') as version,
    current_setting('server_version_num')::int as number,
    current_setting('server_encoding') as encoding,
    current_setting('synchronous_commit') as commit,
    pg_is_in_recovery() as recovering,
    to_regprocedure('pg_catalog.uuidv7()') is not null as uuidv7,
    extract(epoch from clock_timestamp())::float8 * 1000 as now`);
  const received = Date.now();
  const row = rows[0]!;
  const refuse = (code: string, found: string) => {
    throw new DatabaseError(code, `${placeOf(pool)}: ${found}`);
  };
  if (!row.uuidv7) refuse('database.version', `PostgreSQL ${row.version} has no uuidv7(), expected version 18 or later`);
  if (row.encoding !== 'UTF8') refuse('database.encoding', `server_encoding is ${row.encoding}, expected UTF8`);
  if (row.recovering) refuse('database.standby', 'the server is a standby or still in recovery, expected one that takes writes');
  if (!['on', 'remote_apply'].includes(row.commit))
    refuse('database.synchronous-commit', `synchronous_commit is ${row.commit}, expected on`);
  const clockDifferenceMs = Math.round(row.now - (sent + received) / 2);
  const uncertainty = (received - sent) / 2;
  if (Math.abs(clockDifferenceMs) - uncertainty > clockAllowanceMs) {
    refuse('database.clock', `its clock differs from this machine's by ${clockDifferenceMs} ms, expected at most ${clockAllowanceMs}`);
  }
  return { version: row.version, clockDifferenceMs };
}
