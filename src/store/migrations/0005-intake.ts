/** What comes in: uploads, the objects of the store, and the segments that an exhibit consists of. */
import { type Kysely, sql } from 'kysely';

const allRoles = `array['submitter', 'investigator', 'examiner', 'lab-lead', 'custodian', 'auditor']`;

const tables = [
  // the content of the store: one row and one file for each content, however often it is received; nothing removes them
  `create table stored_object (
     sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
     size bigint not null check (size >= 0),
     stored_at timestamptz not null default clock_timestamp())`,

  // how much has come is told by the file in incoming/, not by a row: so no crash can make the two differ
  `create table upload (
     id uuid primary key default uuidv7(),
     exhibit_id uuid not null references exhibit,
     agency_id uuid not null references agency,
     account_id uuid not null references account,
     credential text not null,
     origin text not null check (origin in ('upload', 's3')),
     name text not null,
     size bigint not null check (size > 0),
     expected_sha256 text check (expected_sha256 ~ '^[0-9a-f]{64}$'),
     status text not null default 'receiving' check (status in ('receiving', 'checking', 'accepted', 'failed', 'cancelled')),
     problem_code text,
     problem text,
     source text,
     source_key text,
     source_etag text,
     sha256 text,
     holder uuid,
     held_until timestamptz,
     created_at timestamptz not null default clock_timestamp(),
     touched_at timestamptz not null default clock_timestamp(),
     ended_at timestamptz)`,
  `create unique index upload_name on upload (exhibit_id, name) where status in ('receiving', 'checking')`,
  `create index upload_open on upload (agency_id) where status in ('receiving', 'checking')`,

  `create table segment (
     id uuid primary key default uuidv7(),
     exhibit_id uuid not null references exhibit,
     account_id uuid not null references account,
     origin text not null check (origin in ('upload', 's3', 'place')),
     name text not null,
     size bigint not null,
     sha256 text references stored_object,
     upload_id uuid unique references upload,
     root text,
     root_path text,
     received jsonb,
     accepted_at timestamptz not null default clock_timestamp(),
     unique (exhibit_id, name),
     check ((origin = 'place') = (sha256 is null)),
     check ((origin = 'place') = (root is not null and root_path is not null and received is not null)))`,
];

const walls: readonly (readonly [table: string, columns: string])[] = [
  [
    'upload',
    `(id, exhibit_id, account_id, origin, name, size, expected_sha256, status, problem_code, problem, source, source_key, sha256, created_at,
      touched_at, ended_at)`,
  ],
  ['segment', '(id, exhibit_id, account_id, origin, name, size, sha256, upload_id, root, root_path, accepted_at)'],
];

const wall = ([table, columns]: (typeof walls)[number]) => [
  `alter table ${table} enable row level security`,
  `alter table ${table} force row level security`,
  `create policy owner_sees_all on ${table} to current_user using (true) with check (true)`,
  `create policy api_reads on ${table} for select to custodia_api using (exhibit_id in (select custodia_exhibits(${allRoles})))`,
  `grant select ${columns} on ${table} to custodia_api`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of [...tables, ...walls.flatMap(wall)]) await sql.raw(statement).execute(database);
}
