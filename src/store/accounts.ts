/** Accounts: who may sign in, in which agency, with which roles there. */
import { type PoolClient } from 'pg';
import { type AgencyRole } from '../access/policy.ts';

export interface Account {
  readonly id: string;
  readonly agencyId: string;
  readonly login: string;
  readonly name: string;
  readonly roles: readonly AgencyRole[];
  readonly createdAt: string;
  readonly disabledAt: string | null;
}

interface Row {
  id: string;
  agency_id: string;
  login: string;
  name: string;
  roles: AgencyRole[];
  created_at: Date;
  disabled_at: Date | null;
}

const columns = 'id, agency_id, login, name, roles, created_at, disabled_at';

const accountOf = ({ id, agency_id, login, name, roles, created_at, disabled_at }: Row): Account => ({
  id,
  agencyId: agency_id,
  login,
  name,
  roles,
  createdAt: created_at.toISOString(),
  disabledAt: disabled_at?.toISOString() ?? null,
});

export interface NewAccount {
  readonly agencyId: string;
  readonly login: string;
  readonly name: string;
  readonly roles: readonly AgencyRole[];
  /** PHC string; null for whoever signs in by OIDC or by token only. */
  readonly password: string | null;
  readonly oidc?: { readonly issuer: string; readonly subject: string };
}

/** Null where the login is taken, in whatever case it is written. */
export async function insertAccount(client: PoolClient, account: NewAccount): Promise<Account | null> {
  const { agencyId, login, name, roles, password, oidc } = account;
  const { rows } = await client.query<Row>(
    `insert into account (agency_id, login, name, roles, password, oidc_issuer, oidc_subject) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict do nothing returning ${columns}`,
    [agencyId, login, name, roles, password, oidc?.issuer ?? null, oidc?.subject ?? null],
  );
  return rows[0] === undefined ? null : accountOf(rows[0]);
}

/** In the order of their logins, from behind `after`. */
export async function listAccounts(client: PoolClient, after: string | null, limit: number): Promise<Account[]> {
  const { rows } = await client.query<Row>(
    `select ${columns} from account where $1::text is null or lower(login) > $1 order by lower(login) limit $2`,
    [after, limit],
  );
  return rows.map(accountOf);
}

export async function findAccount(client: PoolClient, id: string): Promise<Account | null> {
  const { rows } = await client.query<Row>(`select ${columns} from account where id = $1`, [id]);
  return rows[0] === undefined ? null : accountOf(rows[0]);
}

/** Held until the transaction ends. */
export async function lockAccount(client: PoolClient, id: string): Promise<Account | null> {
  const { rows } = await client.query<Row>(`select ${columns} from account where id = $1 for no key update`, [id]);
  return rows[0] === undefined ? null : accountOf(rows[0]);
}

export interface AccountChange {
  readonly name?: string;
  readonly roles?: readonly AgencyRole[];
  readonly disabled?: boolean;
}

export async function changeAccount(client: PoolClient, id: string, { name, roles, disabled }: AccountChange): Promise<Account> {
  const { rows } = await client.query<Row>(
    `update account set name = coalesce($2, name), roles = coalesce($3, roles),
       disabled_at = case $4::boolean when true then coalesce(disabled_at, clock_timestamp()) when false then null else disabled_at end
     where id = $1 returning ${columns}`,
    [id, name ?? null, roles ?? null, disabled ?? null],
  );
  return accountOf(rows[0]!);
}

/** Locked together, so that two who leave at once see each other. */
export async function countAdministrators(client: PoolClient): Promise<number> {
  const { rows } = await client.query(
    `select id from account where 'administrator' = any (roles) and disabled_at is null order by id for no key update`,
  );
  return rows.length;
}

export interface Credentials {
  readonly id: string;
  readonly agencyId: string;
  /** PHC string; null without a password. */
  readonly password: string | null;
}

/** Of an account that may sign in. */
export async function findLogin(client: PoolClient, login: string): Promise<Credentials | null> {
  const { rows } = await client.query<{ id: string; agency_id: string; password: string | null }>(
    'select id, agency_id, password from account where lower(login) = lower($1) and disabled_at is null',
    [login],
  );
  const row = rows[0];
  return row === undefined ? null : { id: row.id, agencyId: row.agency_id, password: row.password };
}

export async function findOidcAccount(
  client: PoolClient,
  issuer: string,
  subject: string,
): Promise<{ id: string; agencyId: string; disabled: boolean } | null> {
  const { rows } = await client.query<{ id: string; agency_id: string; disabled: boolean }>(
    'select id, agency_id, disabled_at is not null as disabled from account where oidc_issuer = $1 and oidc_subject = $2',
    [issuer, subject],
  );
  const row = rows[0];
  return row === undefined ? null : { id: row.id, agencyId: row.agency_id, disabled: row.disabled };
}

/** The same password at another cost; nothing where it was changed meanwhile. */
export async function renewPassword(client: PoolClient, id: string, known: string, phc: string): Promise<void> {
  await client.query('update account set password = $3 where id = $1 and password = $2', [id, known, phc]);
}

export async function setPassword(client: PoolClient, id: string, phc: string): Promise<void> {
  await client.query('update account set password = $2 where id = $1', [id, phc]);
}
