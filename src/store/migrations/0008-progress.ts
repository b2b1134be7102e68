/** How far the holder of a unit has come with it: for whoever watches a long one. */
import { type Kysely, sql } from 'kysely';

const statements = [
  'alter table unit add column progress_bytes bigint not null default 0, add column progress_files integer not null default 0',
  // whoever takes a unit begins it anew
  `create function unit_begun() returns trigger language plpgsql as $$ begin
     new.progress_bytes := 0;
     new.progress_files := 0;
     return new;
   end $$`,
  `create trigger unit_begun before update of fence on unit for each row when (new.fence is distinct from old.fence)
     execute function unit_begun()`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
