/** Scheduling and the fleet: which unit is next, what workers and the queue are told, how many processes a host shall run. */
import { type Kysely, sql } from 'kysely';

const tables = [
  `alter table agency add column share integer not null default 1 check (share between 1 and 1000)`,

  // queued_at begins the ageing and is set anew when the priority is; the agency is that of the case, here so that a choice needs no join
  `alter table examination
     add column agency_id uuid references agency,
     add column priority integer not null default 5 check (priority between 1 and 10),
     add column deadline timestamptz,
     add column queued_at timestamptz not null default clock_timestamp(),
     add column paused_at timestamptz,
     add column paused_because text,
     add column cancelled_because text`,
  `update examination set queued_at = created_at, agency_id = (
     select case_file.agency_id from exhibit join case_file on case_file.id = case_id where exhibit.id = exhibit_id)`,
  'alter table examination alter column agency_id set not null',
  `create function examination_agency() returns trigger language plpgsql as $$ begin
     select case_file.agency_id into new.agency_id from exhibit join case_file on case_file.id = case_id where exhibit.id = new.exhibit_id;
     return new;
   end $$`,
  'create trigger examination_agency before insert on examination for each row execute function examination_agency()',
  `create index examination_waiting on examination (agency_id) where status in ('open', 'concluding') and paused_at is null`,

  // retries: how often a unit that had ended was begun anew; cancelled_because: it is given up instead of being worked on
  'alter table unit add column retries integer not null default 0, add column cancelled_because text',
  `create index unit_next on unit (examination_id, priority, id) where status = 'open'`,
  `create index unit_held on unit (worker_id, examination_id) where status = 'open' and worker_id is not null`,

  `alter table worker
     add column state text not null default 'running' check (state in ('running', 'paused', 'draining')),
     add column halted_because text,
     add column wanted_state text not null default 'running' check (wanted_state in ('running', 'paused', 'draining')),
     add column wanted_threads integer check (wanted_threads between 1 and 256),
     add column wanted_concurrency integer check (wanted_concurrency between 1 and 256)`,

  `create table queue_control (
     single boolean primary key default true check (single),
     state text not null default 'running' check (state in ('running', 'paused', 'draining')),
     changed_at timestamptz not null default clock_timestamp())`,
  'insert into queue_control default values',

  `create table fleet (
     host text primary key,
     workers integer not null check (workers between 0 and 256),
     changed_at timestamptz not null default clock_timestamp())`,

  'create table agency_turn (agency_id uuid primary key references agency, served_at timestamptz not null)',
];

/** A day from submission, unless the deadline is earlier: the nearer it is, the sooner the examination's turn. */
const nearness = `10 * greatest(0, least(1, 1 - extract(epoch from least(deadline, queued_at + interval '24 hours') - clock_timestamp()) / 86400))`;

/**
 * `examination_rank`: lower is sooner. A step of priority is made up for by ten minutes of waiting, down to that of the most urgent; equal ranks go by
 * age. So what waits longest is first in the end, whatever comes after it.
 *
 * `claim_next_unit`: the agency that has the fewest units running for its share, and among equals the one that was served longest ago; of that agency
 * the examination of the lowest rank; of that examination the unit of the lowest priority. One agency is tried in one call, and its row of
 * agency_turn is locked: so its limit holds exactly, and no two callers wait for each other in a circle. No row: nothing can be begun.
 * A row whose unit is null: this agency had nothing after all; the caller asks again without it.
 */
const functions = [
  `create function examination_rank(priority integer, queued_at timestamptz, deadline timestamptz) returns float8 language sql volatile as
     $$ select (greatest(1, priority - extract(epoch from clock_timestamp() - queued_at) / 600) - ${nearness})::float8 $$`,

  `create function claim_next_unit(worker uuid, lease_ms integer, passed uuid[]) returns table (agency uuid, claimed uuid) language plpgsql as $$
   declare
     candidate record;
     allowed integer;
   begin
     if (select state from queue_control) <> 'running' then return; end if;
     select waiting.id, waiting.max_running_units into agency, allowed
       from agency waiting
       left join agency_turn on agency_turn.agency_id = waiting.id
       left join (
         select examination.agency_id, count(*)::integer as units from unit join examination on examination.id = examination_id
         where unit.status = 'open' and worker_id is not null and lease_until >= clock_timestamp() group by 1) running on running.agency_id = waiting.id
       where waiting.id <> all (passed)
         and coalesce(running.units, 0) < max_running_units
         and exists (
           select from examination join unit on unit.examination_id = examination.id and unit.status = 'open'
             and (lease_until is null or lease_until < clock_timestamp())
           where examination.agency_id = waiting.id and examination.status in ('open', 'concluding') and paused_at is null)
       order by coalesce(running.units, 0)::float8 / share, served_at nulls first, waiting.id limit 1;
     if agency is null then return; end if;
     insert into agency_turn values (agency, clock_timestamp())
       on conflict on constraint agency_turn_pkey do update set served_at = excluded.served_at;
     if allowed > (
       select count(*) from unit join examination on examination.id = examination_id
       where unit.status = 'open' and worker_id is not null and lease_until >= clock_timestamp() and examination.agency_id = agency)
     then
       for candidate in
         select id from examination where examination.agency_id = agency and status in ('open', 'concluding') and paused_at is null
         order by examination_rank(priority, queued_at, deadline), queued_at, id
       loop
         update unit set fence = fence + 1, losses = losses + case when worker_id is null then 0 else 1 end, worker_id = worker,
             lease_until = clock_timestamp() + lease_ms * interval '1 millisecond'
           where id = (
             select unit.id from unit where examination_id = candidate.id and status = 'open' and (lease_until is null or lease_until < clock_timestamp())
             order by priority, id limit 1 for update skip locked)
           returning id into claimed;
         if claimed is not null then exit; end if;
       end loop;
     end if;
     return next;
   end $$`,
];

/** As in 0003-service.ts. */
const wall = (table: string, rows: string) => [
  `alter table ${table} enable row level security`,
  `alter table ${table} force row level security`,
  `create policy owner_sees_all on ${table} to current_user using (true) with check (true)`,
  `create policy api_reads on ${table} for select to custodia_api using (${rows})`,
  `grant select on ${table} to custodia_api`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  const walls = [...wall('queue_control', `custodia_is('ops')`), ...wall('fleet', `custodia_is('ops')`)];
  for (const statement of [...tables, ...functions, ...walls]) await sql.raw(statement).execute(database);
}
