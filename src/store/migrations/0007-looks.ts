/** Looks at evidence until they stand in the ledger, failed sign-ins, and sign-ins by OIDC under way. */
import { type Kysely, sql } from 'kysely';

const statements = [
  'alter table api_token add column used_at timestamptz',
  'grant select (used_at) on api_token to custodia_api',
  `alter table session add column method text not null default 'password'`,

  // recorded: the key of the ledger's event that tells of it
  `create table looked (
     id uuid primary key default uuidv7(),
     exhibit_id uuid not null references exhibit,
     examination_id uuid not null references examination,
     account_id uuid not null references account,
     credential text not null,
     how text not null,
     locator text not null,
     at timestamptz not null default clock_timestamp(),
     recorded text)`,
  'create index looked_open on looked (exhibit_id, account_id, credential, id) where recorded is null',

  // of a login and an address only the digest of both is kept: what was typed there may be a password
  `create table sign_in_failure (
     key_sha256 bytea primary key,
     failures integer not null,
     at timestamptz not null default clock_timestamp())`,

  `create table oidc_flow (
     browser_sha256 bytea primary key,
     state text not null,
     nonce text not null,
     verifier text not null,
     expires_at timestamptz not null)`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
