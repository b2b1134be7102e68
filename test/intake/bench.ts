/** What tests of intake need: a database with an exhibit, threads, a store in a folder of its own. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pool } from 'pg';
import { pino } from 'pino';
import { type IntakeSettings, readIntakeSettings } from '../../src/config.ts';
import { openSigner, type Signer } from '../../src/custody/signer.ts';
import { type Intake, type IntakeOptions, openIntake } from '../../src/intake/intake.ts';
import { openThreadPool, type PiscinaPool } from '../../src/pipeline/piscina-pool.ts';
import { lockExhibit } from '../../src/store/examinations.ts';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type Upload } from '../../src/store/uploads.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

export interface Bench {
  readonly folder: string;
  readonly pool: Pool;
  readonly signer: Signer;
  readonly threads: PiscinaPool;
  readonly accountId: string;
  readonly settings: IntakeSettings;
  intake(more?: Partial<IntakeOptions>): Intake;
  exhibit(agencyId?: string): Promise<string>;
  begin(intake: Intake, exhibitId: string, name: string, size: number, expectedSha256?: string | null): Promise<Upload>;
  close(): Promise<void>;
}

let count = 0;

export async function openBench(environment: NodeJS.ProcessEnv = {}): Promise<Bench> {
  const database: TestDatabase = await testDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'custodia-intake-'));
  const { pool } = database;
  const signer = await openSigner(join(folder, 'keys'));
  const threads = openThreadPool({ threads: 1, heapMiB: 128, silenceMs: 60_000, onError: () => undefined });
  const { rows } = await pool.query<{ id: string }>('insert into account (agency_id, login, name) values ($1, $2, $3) returning id', [
    localAgency,
    'sub',
    'Sub Mitter',
  ]);
  const accountId = rows[0]!.id;
  const settings = readIntakeSettings(folder, environment);
  const opened: Intake[] = [];
  return {
    ...{ folder, pool, signer, threads, accountId, settings },
    intake(more = {}) {
      const log = pino({ level: 'silent' });
      const intake = openIntake({
        database: pool,
        threads,
        signer,
        version: '0',
        log,
        settings,
        isShort: async () => false,
        onEnded: async () => undefined,
        ...more,
      });
      opened.push(intake);
      return intake;
    },
    async exhibit(agencyId = localAgency) {
      const named = { caseReference: 'case 7', label: `exhibit ${++count}`, examiner: 'Exam Iner' };
      const { id } = await transaction(pool, (client) => lockExhibit(client, named, agencyId));
      await pool.query(
        `insert into case_member (case_id, account_id, role) select case_id, $2, 'custodian' from exhibit where id = $1 on conflict do nothing`,
        [id, accountId],
      );
      return id;
    },
    begin: (intake, exhibitId, name, size, expectedSha256 = null) =>
      intake.begin({ exhibitId, agencyId: localAgency, accountId, credential: 'token', name, size, expectedSha256 }),
    async close() {
      await Promise.all(opened.map((intake) => intake.close()));
      await threads.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The bytes in pieces of `size`; `breakAfter`: the connection breaks after so many pieces. */
export async function* pieces(bytes: Uint8Array, size = 1000, breakAfter = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  let given = 0;
  for (let at = 0; at < bytes.length; at += size) {
    if (given++ >= breakAfter) throw new Error('the connection broke');
    yield bytes.subarray(at, at + size);
  }
}

/** What the ledger of an exhibit tells, taken out of the envelopes by hand. */
export async function eventsOf(pool: Pool, exhibitId: string): Promise<Record<string, unknown>[]> {
  const { rows } = await pool.query<{ envelope: string }>('select envelope from ledger where exhibit_id = $1 order by seq', [exhibitId]);
  return rows.map(({ envelope }) => JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString('utf8')).predicate);
}

export const someId = (): string => randomUUID();
