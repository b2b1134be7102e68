/** What lists of uploads and kept answers need: where to look, and where a kept answer led. */
import { type Kysely, sql } from 'kysely';

const statements = [
  'create index upload_of_exhibit on upload (exhibit_id, id)',
  'create index segment_of_exhibit on segment (exhibit_id, id)',
  'alter table idempotency add column location text',
  'create index on idempotency (created_at)',
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
