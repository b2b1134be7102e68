/** Brings the schema up to this version: one explicit step at start. Several at once wait for each other. */
import { Kysely, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { type Pool } from 'pg';
import * as record from './migrations/0001-record.ts';
import * as who from './migrations/0002-who.ts';
import * as service from './migrations/0003-service.ts';
import * as control from './migrations/0004-control.ts';
import * as intake from './migrations/0005-intake.ts';
import * as search from './migrations/0006-search.ts';
import * as looks from './migrations/0007-looks.ts';
import * as progress from './migrations/0008-progress.ts';
import * as intakeLists from './migrations/0009-intake-lists.ts';
import { borrowed } from './schema.ts';
import { isTransient } from './transaction.ts';

const migrations = {
  '0001-record': record,
  '0002-who': who,
  '0003-service': service,
  '0004-control': control,
  '0005-intake': intake,
  '0006-search': search,
  '0007-looks': looks,
  '0008-progress': progress,
  '0009-intake-lists': intakeLists,
};

/** Throws Error (`database.migration`) with the name of the migration that failed; a failed one leaves nothing behind. A database that went away is no such failure. */
export async function migrate(pool: Pool): Promise<void> {
  const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: borrowed(pool) }) });
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (isTransient(error)) throw error;
  if (error !== undefined) {
    const failed = results?.find(({ status }) => status === 'Error')?.migrationName ?? 'the migration table';
    throw new Error(`database.migration: ${failed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
