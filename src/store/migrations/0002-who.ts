/** Who asked for which examination, and whose key signs the record. */
import { type Kysely, sql } from 'kysely';

const statements = [
  'alter table examination add column examiner text',
  'update examination set examiner = exhibit.examiner from exhibit where exhibit.id = examination.exhibit_id',
  'alter table examination alter column examiner set not null',

  // one row at most: a ledger signed by two keys is one that nobody can verify
  `create table laboratory (
     single boolean primary key default true check (single),
     signer text not null)`,
];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}
