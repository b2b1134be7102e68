/** Connections to PostgreSQL: a pool that notices dead networks, and what the server must be like. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { type Logger } from 'pino';
import { DatabaseError } from './database-error.ts';
import { isTransient } from './transaction.ts';

export interface PoolOptions {
  readonly url: string;
  readonly log: Logger;
  readonly max?: number;
  /** Longest wait for the answer to one query, COPY included; 0 for none. */
  readonly queryTimeoutMs?: number;
  /** The server's own limit for one statement, COPY included; 0 for none. */
  readonly statementTimeoutMs?: number;
}

export function openPool({ url, log, max = 10, queryTimeoutMs = 30_000, statementTimeoutMs = 15_000 }: PoolOptions): Pool {
  const pool = new Pool({
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

/** The URL without its password, for logs and messages. */
export function describeUrl(url: string): string {
  if (!URL.canParse(url)) return '(not a URL)';
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
      if (!isTransient(error)) throw error;
      if (Date.now() >= deadline) {
        const place = describeUrl(pool.options.connectionString ?? '');
        throw new DatabaseError('database.unreachable', `${place}: no answer within ${patienceMs} ms: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    await sleep(100);
  }
}

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
    throw new DatabaseError(code, `${describeUrl(pool.options.connectionString ?? '')}: ${found}`);
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
