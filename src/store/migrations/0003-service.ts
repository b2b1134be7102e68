/** Agencies, accounts, tokens and members of cases; and who sees which row: row-level security for the role that the API reads with. */
import { type Kysely, sql } from 'kysely';

/** Of what was recorded before there were agencies, and of what the command line records on this machine. */
export const localAgency = '00000000-0000-7000-8000-000000000001';

/** Roles that see what was found in a case, and roles that see its ledger. */
const contentRoles = `array['investigator', 'examiner', 'lab-lead']`;
const ledgerRoles = `array['investigator', 'examiner', 'lab-lead', 'custodian', 'auditor']`;
const allRoles = `array['submitter', 'investigator', 'examiner', 'lab-lead', 'custodian', 'auditor']`;

const tables = [
  `create table agency (
     id uuid primary key default uuidv7(),
     name text not null unique,
     max_bytes bigint not null default 100000000000000,
     max_objects integer not null default 1000000,
     max_uploads integer not null default 32,
     max_running_units integer not null default 10000,
     created_at timestamptz not null default clock_timestamp())`,
  `insert into agency (id, name) values ('${localAgency}', 'local')`,

  // login is compared in lower case; an account without a password signs in by OIDC or by token
  `create table account (
     id uuid primary key default uuidv7(),
     agency_id uuid not null references agency,
     login text not null,
     name text not null,
     password text,
     oidc_issuer text,
     oidc_subject text,
     roles text[] not null default '{}' check (roles <@ array['administrator', 'ops', 'auditor', 'lab-lead']),
     created_at timestamptz not null default clock_timestamp(),
     disabled_at timestamptz,
     unique (oidc_issuer, oidc_subject))`,
  'create unique index account_login on account (lower(login))',

  // of a secret only its SHA-256 is kept
  `create table session (
     id uuid primary key default uuidv7(),
     account_id uuid not null references account,
     secret_sha256 bytea not null unique,
     created_at timestamptz not null default clock_timestamp(),
     used_at timestamptz not null default clock_timestamp(),
     expires_at timestamptz not null,
     revoked_at timestamptz)`,
  `create table api_token (
     id uuid primary key default uuidv7(),
     account_id uuid not null references account,
     name text not null,
     secret_sha256 bytea not null unique,
     scopes text[] not null,
     one_time boolean not null default false,
     created_at timestamptz not null default clock_timestamp(),
     expires_at timestamptz not null,
     revoked_at timestamptz)`,
  'create index on session (account_id)',
  'create index on api_token (account_id)',

  `alter table case_file add column agency_id uuid not null default '${localAgency}' references agency`,
  `alter table case_file add column title text not null default ''`,
  'alter table case_file drop constraint case_file_reference_key',
  'alter table case_file add unique (agency_id, reference)',
  `create table case_member (
     case_id uuid not null references case_file,
     account_id uuid not null references account,
     role text not null check (role = any (${allRoles})),
     added_by uuid references account,
     added_at timestamptz not null default clock_timestamp(),
     primary key (case_id, account_id, role))`,
  'create index on case_member (account_id)',

  'alter table examination add column submitted_by uuid references account',

  // what a request with this key was answered with: asked again, it is answered the same, and nothing is done twice
  `create table idempotency (
     account_id uuid not null references account,
     key text not null,
     request_sha256 bytea not null,
     status integer,
     body text,
     created_at timestamptz not null default clock_timestamp(),
     primary key (account_id, key))`,

  // what was asked and decided, chained and signed like the ledger of an exhibit
  `create table audit (
     seq bigint primary key,
     envelope text not null,
     digest text not null,
     account_id uuid,
     agency_id uuid,
     action text not null,
     outcome text not null,
     at timestamptz not null)`,
  'create index on audit (agency_id, seq)',
  `create table audit_head (
     single boolean primary key default true check (single),
     seq bigint not null,
     digest text not null)`,
  `insert into audit_head (seq, digest) values (-1, '')`,
];

/**
 * The functions run with the rights of the owner, as they read what their caller may not; their search path is fixed.
 * The account is set for one transaction by src/store/as-account.ts.
 */
const functions = [
  `create function custodia_account() returns uuid language sql stable parallel safe as
     $$ select nullif(current_setting('custodia.account', true), '')::uuid $$`,
  `create function custodia_is(asked text) returns boolean language sql stable security definer set search_path = public, pg_temp as
     $$ select exists (select from account where id = custodia_account() and disabled_at is null and asked = any (roles)) $$`,
  `create function custodia_agency() returns uuid language sql stable security definer set search_path = public, pg_temp as
     $$ select agency_id from account where id = custodia_account() and disabled_at is null $$`,
  // an auditor of an agency sees its cases as one who is auditor in each of them
  `create function custodia_cases(asked text[]) returns setof uuid language sql stable security definer set search_path = public, pg_temp as
     $$ select case_id from case_member join account on account.id = account_id
          where account_id = custodia_account() and disabled_at is null and role = any (asked)
        union
        select id from case_file where 'auditor' = any (asked) and custodia_is('auditor') and agency_id = custodia_agency() $$`,
  `create function custodia_exhibits(asked text[]) returns setof uuid language sql stable security definer set search_path = public, pg_temp as
     $$ select id from exhibit where case_id in (select custodia_cases(asked)) $$`,
  `create function custodia_examinations(asked text[]) returns setof uuid language sql stable security definer set search_path = public, pg_temp as
     $$ select id from examination where exhibit_id in (select custodia_exhibits(asked)) $$`,
];

/** The role is of the whole server: another database may have made it, at this very moment too. */
const role = [
  `do $$ begin
     create role custodia_api nologin;
   exception when duplicate_object or unique_violation then null;
   end $$`,
  `do $$ begin
     if not pg_has_role(current_user, 'custodia_api', 'set') then execute format('grant custodia_api to %I with set true', current_user); end if;
   end $$`,
  'grant usage on schema public to custodia_api',
];

/** Table, what the API may read of it, and which rows. Owners keep all rows: workers are not accounts. */
const walls: readonly (readonly [table: string, columns: string, rows: string])[] = [
  ['agency', '', `id = custodia_agency() or custodia_is('administrator') or custodia_is('ops')`],
  [
    'account',
    '(id, agency_id, login, name, roles, created_at, disabled_at)',
    `agency_id = custodia_agency() or custodia_is('administrator')`,
  ],
  [
    'session',
    '(id, account_id, created_at, used_at, expires_at, revoked_at)',
    `account_id = custodia_account() or custodia_is('administrator')`,
  ],
  [
    'api_token',
    '(id, account_id, name, scopes, created_at, expires_at, revoked_at)',
    `account_id = custodia_account() or custodia_is('administrator')`,
  ],
  ['case_file', '', `id in (select custodia_cases(${allRoles}))`],
  ['case_member', '', `case_id in (select custodia_cases(${allRoles}))`],
  ['exhibit', '', `case_id in (select custodia_cases(${allRoles}))`],
  ['examination', '', `exhibit_id in (select custodia_exhibits(${allRoles})) or custodia_is('ops')`],
  ['unit', '', `examination_id in (select custodia_examinations(${allRoles})) or custodia_is('ops')`],
  ['volume', '', `examination_id in (select custodia_examinations(${contentRoles}))`],
  ['problem', '', `examination_id in (select custodia_examinations(${contentRoles}))`],
  ['ledger', '', `exhibit_id in (select custodia_exhibits(${ledgerRoles}))`],
  ['worker', '', `custodia_is('ops')`],
  ['audit', '', `custodia_is('administrator') or (custodia_is('auditor') and agency_id = custodia_agency())`],
];

const wall = ([table, columns, rows]: (typeof walls)[number]) => [
  `alter table ${table} enable row level security`,
  `alter table ${table} force row level security`,
  `create policy owner_sees_all on ${table} to current_user using (true) with check (true)`,
  `create policy api_reads on ${table} for select to custodia_api using (${rows})`,
  `grant select ${columns} on ${table} to custodia_api`,
];

/**
 * Entries are read through a view: under row-level security no search by pattern or text could use an index, as the functions of such a search
 * may tell of rows that the reader must not see (PostgreSQL manual, 41.5; docs/adr/0011-two-walls.md). The role has no right to the table.
 */
const seenEntries = [
  `create view seen_entry as
     select * from entry where examination_id = any (array(select custodia_examinations(${contentRoles})))`,
  'grant select on seen_entry to custodia_api',
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of [...tables, ...functions, ...role, ...walls.flatMap(wall), ...seenEntries])
    await sql.raw(statement).execute(database);
}
