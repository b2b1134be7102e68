/** Sessions: signed in from a browser, until they idle too long, grow too old, or are revoked. */
import { type Pool, type PoolClient } from 'pg';
import { type AgencyRole } from '../access/policy.ts';

export const sessionHours = 12;
const idle = "interval '30 minutes'";

export async function openSession(
  client: PoolClient,
  accountId: string,
  secretSha256: Buffer,
  method: 'password' | 'oidc',
): Promise<{ id: string; expiresAt: Date }> {
  const { rows } = await client.query<{ id: string; expires_at: Date }>(
    `insert into session (account_id, secret_sha256, method, expires_at)
     values ($1, $2, $3, clock_timestamp() + interval '${sessionHours} hours') returning id, expires_at`,
    [accountId, secretSha256, method],
  );
  return { id: rows[0]!.id, expiresAt: rows[0]!.expires_at };
}

export interface KnownSession {
  readonly id: string;
  readonly accountId: string;
  readonly agencyId: string;
  readonly roles: readonly AgencyRole[];
}

/** Null for one that is over. That it is in use is noted once a minute. */
export async function findSession(pool: Pool, secretSha256: Buffer): Promise<KnownSession | null> {
  const { rows } = await pool.query<{ id: string; account_id: string; agency_id: string; roles: AgencyRole[]; stale: boolean }>(
    `select session.id, account_id, agency_id, roles, used_at < clock_timestamp() - interval '1 minute' as stale
     from session join account on account.id = account_id
     where secret_sha256 = $1 and revoked_at is null and expires_at > clock_timestamp() and used_at > clock_timestamp() - ${idle}
       and disabled_at is null`,
    [secretSha256],
  );
  const row = rows[0];
  if (row === undefined) return null;
  if (row.stale) await pool.query('update session set used_at = clock_timestamp() where id = $1', [row.id]);
  return { id: row.id, accountId: row.account_id, agencyId: row.agency_id, roles: row.roles };
}

export async function revokeSession(client: PoolClient, id: string): Promise<void> {
  await client.query('update session set revoked_at = clock_timestamp() where id = $1 and revoked_at is null', [id]);
}

/** All of an account, but the one given. */
export async function revokeSessions(client: PoolClient, accountId: string, but: string | null): Promise<void> {
  await client.query(
    'update session set revoked_at = clock_timestamp() where account_id = $1 and revoked_at is null and id is distinct from $2',
    [accountId, but],
  );
}

/** Tries that are free of waiting, for each kind of key. */
const free = { pair: 5, login: 50, address: 20 } as const;
export type FailureKey = readonly [kind: keyof typeof free, sha256: Buffer];

/** Seconds to wait before the next try: 1, 2, 4, ... 900 behind the free ones; forgotten an hour after the last. */
export async function waitingTime(pool: Pool, keys: readonly FailureKey[]): Promise<number> {
  const { rows } = await pool.query<{ key_sha256: Buffer; failures: number; passed: number }>(
    `select key_sha256, failures, extract(epoch from clock_timestamp() - at)::float8 as passed
     from sign_in_failure where key_sha256 = any ($1) and at > clock_timestamp() - interval '1 hour'`,
    [keys.map(([, sha256]) => sha256)],
  );
  const waits = rows.map(({ key_sha256, failures, passed }) => {
    const [kind] = keys.find(([, sha256]) => sha256.equals(key_sha256))!;
    const over = failures - free[kind];
    return over < 0 ? 0 : Math.min(900, 2 ** Math.min(over, 10)) - passed;
  });
  return Math.max(0, Math.ceil(Math.max(0, ...waits)));
}

export async function noteFailure(pool: Pool, keys: readonly FailureKey[]): Promise<void> {
  await pool.query(
    `insert into sign_in_failure (key_sha256, failures) select key, 1 from unnest($1::bytea[]) as key order by key
     on conflict (key_sha256) do update set at = clock_timestamp(),
       failures = case when sign_in_failure.at > clock_timestamp() - interval '1 hour' then sign_in_failure.failures + 1 else 1 end`,
    [keys.map(([, sha256]) => sha256)],
  );
}

export async function forgetFailures(client: PoolClient, keys: readonly FailureKey[]): Promise<void> {
  await client.query("delete from sign_in_failure where key_sha256 = any ($1) or at < clock_timestamp() - interval '1 hour'", [
    keys.filter(([kind]) => kind === 'pair').map(([, sha256]) => sha256),
  ]);
}
