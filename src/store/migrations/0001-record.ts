/** The first schema: cases, exhibits, examinations, units, volumes, entries, problems, ledger, workers. */
import { type Kysely, sql } from 'kysely';

const statements = [
  `create table case_file (
     id uuid primary key default uuidv7(),
     reference text not null unique,
     created_at timestamptz not null default now())`,

  `create table exhibit (
     id uuid primary key default uuidv7(),
     case_id uuid not null references case_file,
     label text not null,
     description text not null default '',
     examiner text not null,
     created_at timestamptz not null default now(),
     unique (case_id, label))`,

  // open_units counts the units that conclusion still waits for; it changes only under a lock of this row
  `create table examination (
     id uuid primary key default uuidv7(),
     exhibit_id uuid not null references exhibit,
     status text not null default 'open' check (status in ('open', 'concluding', 'complete', 'integrity-failed', 'failed', 'cancelled')),
     image jsonb not null,
     received jsonb not null,
     profile jsonb not null,
     open_units integer not null default 0,
     created_at timestamptz not null default clock_timestamp(),
     concluded_at timestamptz,
     conclusion jsonb)`,
  'create index on examination (exhibit_id)',

  // fence rises with every claim: only the holder of the newest may commit
  `create table unit (
     id uuid primary key default uuidv7(),
     examination_id uuid not null references examination,
     parent_id uuid references unit,
     kind text not null check (kind in ('hash-media', 'survey', 'list-files', 'examine-files', 'conclude')),
     priority integer not null,
     input jsonb not null default '{}',
     payload bytea,
     files integer not null default 0,
     bytes bigint not null default 0,
     status text not null default 'open' check (status in ('open', 'done', 'split', 'quarantined', 'cancelled')),
     fence bigint not null default 0,
     failures integer not null default 0,
     losses integer not null default 0,
     worker_id uuid,
     lease_until timestamptz,
     announced_at timestamptz not null default clock_timestamp(),
     finished_at timestamptz,
     reason text,
     result jsonb)`,
  'alter table unit alter column payload set storage external',
  `create index unit_open on unit (announced_at) where status = 'open'`,
  'create index on unit (examination_id, kind, status)',

  `create table volume (
     examination_id uuid not null references examination,
     locator text collate "C" not null,
     unit_id uuid not null references unit,
     position integer not null,
     facts jsonb not null,
     primary key (examination_id, position))`,

  `create table entry (
     examination_id uuid not null,
     unit_id uuid not null,
     locator text collate "C" not null,
     path text not null,
     type text not null,
     size bigint not null,
     allocated boolean not null,
     sha256 bytea,
     media_type text,
     record text not null,
     primary key (examination_id, locator))`,

  `create table problem (
     examination_id uuid not null,
     unit_id uuid not null,
     locator text collate "C" not null,
     code text not null,
     message text not null,
     at bigint,
     hides_evidence boolean not null)`,
  'create index on problem (examination_id, locator)',

  `create table ledger (
     exhibit_id uuid not null references exhibit,
     seq bigint not null,
     envelope text not null,
     digest text not null,
     event_key text not null,
     primary key (exhibit_id, seq),
     unique (exhibit_id, event_key))`,
  // one row per exhibit: locked while an event is appended, so that the sequence is dense
  `create table ledger_head (
     exhibit_id uuid primary key references exhibit,
     seq bigint not null,
     digest text not null)`,

  `create table worker (
     id uuid primary key,
     host text not null,
     pid integer not null,
     started text not null,
     version text not null,
     threads integer not null,
     concurrency integer not null,
     registered_at timestamptz not null default clock_timestamp(),
     heartbeat_at timestamptz not null default clock_timestamp())`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
