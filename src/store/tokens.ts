/** API tokens: of the secret only its digest; and the one-time token that the first start makes. */
import { type Pool, type PoolClient } from 'pg';
import { type AgencyRole, scopes as allScopes, type Scope } from '../access/policy.ts';
import { newApiToken } from '../access/secret.ts';
import { localAgency } from './migrations/0003-service.ts';
import { transaction } from './transaction.ts';

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
  readonly usedAt: string | null;
}

interface Row {
  id: string;
  name: string;
  scopes: Scope[];
  created_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
  used_at: Date | null;
}

const isGood = 'revoked_at is null and expires_at > clock_timestamp()';
const columns = 'id, name, scopes, created_at, expires_at, revoked_at, used_at';

const tokenOf = ({ id, name, scopes, created_at, expires_at, revoked_at, used_at }: Row): ApiToken => ({
  id,
  name,
  scopes,
  createdAt: created_at.toISOString(),
  expiresAt: expires_at.toISOString(),
  revokedAt: revoked_at?.toISOString() ?? null,
  usedAt: used_at?.toISOString() ?? null,
});

export interface NewToken {
  readonly accountId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly sha256: Buffer;
  readonly days: number;
}

/** So many of one account may be good at the same time: all of them stand in its list. */
export const mostTokens = 200;

/** Null where the account, which the caller holds, has as many as it may. */
export async function insertToken(client: PoolClient, { accountId, name, scopes, sha256, days }: NewToken): Promise<ApiToken | null> {
  const { rows: good } = await client.query(`select from api_token where account_id = $1 and ${isGood} limit ${mostTokens}`, [accountId]);
  if (good.length >= mostTokens) return null;
  const { rows } = await client.query<Row>(
    `insert into api_token (account_id, name, scopes, secret_sha256, expires_at)
     values ($1, $2, $3, $4, clock_timestamp() + make_interval(days => $5)) returning ${columns}`,
    [accountId, name, scopes, sha256, days],
  );
  return tokenOf(rows[0]!);
}

/** Of one account: those that are good, then the newest of those that were. */
export async function listTokens(client: PoolClient, accountId: string): Promise<ApiToken[]> {
  const { rows } = await client.query<Row>(
    `select ${columns} from api_token where account_id = $1 order by (${isGood}) desc, id desc limit 1000`,
    [accountId],
  );
  return rows.map(tokenOf);
}

/** False where the account has no such token. */
export async function revokeToken(client: PoolClient, accountId: string, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'update api_token set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1 and account_id = $2',
    [id, accountId],
  );
  return rowCount === 1;
}

export async function revokeTokens(client: PoolClient, accountId: string): Promise<void> {
  await client.query('update api_token set revoked_at = clock_timestamp() where account_id = $1 and revoked_at is null', [accountId]);
}

export interface KnownToken {
  readonly id: string;
  readonly accountId: string;
  readonly agencyId: string;
  readonly roles: readonly AgencyRole[];
  readonly scopes: readonly Scope[];
}

/** Null for an unknown, expired or revoked one, and for that of a disabled account. That it is in use is noted once a minute. */
export async function findToken(pool: Pool, sha256: Buffer): Promise<KnownToken | null> {
  const { rows } = await pool.query<{
    id: string;
    account_id: string;
    agency_id: string;
    roles: AgencyRole[];
    scopes: Scope[];
    stale: boolean;
  }>(
    `select api_token.id, account_id, agency_id, roles, scopes,
       used_at is null or used_at < clock_timestamp() - interval '1 minute' as stale
     from api_token join account on account.id = account_id
     where secret_sha256 = $1 and revoked_at is null and expires_at > clock_timestamp() and disabled_at is null`,
    [sha256],
  );
  const row = rows[0];
  if (row === undefined) return null;
  if (row.stale) await pool.query('update api_token set used_at = clock_timestamp() where id = $1', [row.id]);
  return { id: row.id, accountId: row.account_id, agencyId: row.agency_id, roles: row.roles, scopes: row.scopes };
}

export interface TokenLimits {
  readonly oneTime: boolean;
  readonly scopes: readonly Scope[];
  readonly daysLeft: number;
}

/** What a token that makes another is limited to; held until the transaction ends. A one-time token is spent with that. Null: it is over. */
export async function spendToken(client: PoolClient, id: string): Promise<TokenLimits | null> {
  const { rows } = await client.query<{ one_time: boolean; scopes: Scope[]; days_left: number }>(
    `update api_token set revoked_at = case when one_time then clock_timestamp() end
     where id = $1 and revoked_at is null and expires_at > clock_timestamp()
     returning one_time, scopes, (extract(epoch from expires_at - clock_timestamp()) / 86400)::float8 as days_left`,
    [id],
  );
  const row = rows[0];
  return row === undefined ? null : { oneTime: row.one_time, scopes: row.scopes, daysLeft: row.days_left };
}

/** At the first start: a one-time token for 24 hours. Null where an administrator is known already. */
export const bootstrap = (pool: Pool): Promise<string | null> =>
  transaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock(20261124)'); // several processes start at once
    const { rows } = await client.query(`select 1 from account where 'administrator' = any (roles) limit 1`);
    return rows.length > 0 ? null : makeOneTimeToken(client);
  });

/** For an installation whose administrators are lost. Whoever calls this has the database itself. Earlier one-time tokens end. */
export async function makeOneTimeToken(client: PoolClient): Promise<string> {
  const { text, sha256 } = newApiToken();
  await client.query(
    `insert into account (agency_id, login, name, roles) values ($1, 'administrator', 'Administrator', array['administrator'])
     on conflict ((lower(login))) do update set roles = array['administrator'], disabled_at = null`,
    [localAgency],
  );
  await client.query('update api_token set revoked_at = clock_timestamp() where one_time and revoked_at is null');
  await client.query(
    `insert into api_token (account_id, name, secret_sha256, scopes, one_time, expires_at)
     select id, 'one-time', $1, $2, true, clock_timestamp() + interval '24 hours' from account where lower(login) = 'administrator'`,
    [sha256, allScopes],
  );
  return text;
}
