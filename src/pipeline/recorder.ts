/** Writes the ledger: builds each event with all that this stage knows, signs it, appends it in the transaction that makes it true. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname, release, userInfo } from 'node:os';
import { join } from 'node:path';
import { type Pool, type PoolClient } from 'pg';
import { sha256 } from '../custody/canonical.ts';
import { sealNext } from '../custody/chain.ts';
import { type CustodyEvent, type EventType, type ProcessingStep } from '../custody/event.ts';
import { type Signer } from '../custody/signer.ts';
import { utcTime, zonedTime } from '../custody/time.ts';
import { type Examination, type Exhibit, readExamination } from '../store/examinations.ts';
import { appendEvent } from '../store/ledger.ts';
import { type LookBatch, type Looker, recordBatches, type TakenLook } from '../store/looks.ts';
import { type StatTuple } from '../store/schema.ts';
import { transaction } from '../store/transaction.ts';
import { type UnitRecord } from './run-unit.ts';

export interface Received {
  readonly exhibit: Exhibit;
  readonly examination: Examination;
  readonly received: readonly StatTuple[];
  /** Who asked for it, where that is known and not only stated. */
  readonly actor?: CustodyEvent['actor'];
}

export interface Recorder {
  /** Fingerprint of the key that signs. */
  readonly keyId: string;
  /** Somebody decided how the examination goes on. */
  recordDecision(
    client: PoolClient,
    examinationId: string,
    actor: CustodyEvent['actor'],
    decision: NonNullable<CustodyEvent['decision']>,
    why: string,
  ): Promise<void>;
  recordReceived(client: PoolClient, received: Received): Promise<void>;
  /** `changes`: what differs from the files as they were received, in words. */
  recordStep(client: PoolClient, record: UnitRecord, changes: readonly string[]): Promise<void>;
  /** Looking at content is custody too. */
  recordAccess(database: Pool, examinationId: string, how: string, locator: string): Promise<void>;
  /** Looks that came in through the API: an event for each account, session and exhibit (store/looks.ts). */
  recordLooks(database: Pool, due: { readonly examinationId?: string; readonly all?: boolean }): Promise<void>;
  /** A report leaves the house. `reportDigest` is the SHA-256 of report.json. */
  recordExport(database: Pool, examinationId: string, reportDigest: string): Promise<void>;
}

export interface RecorderOptions {
  readonly signer: Signer;
  readonly version: string;
  /** The database's clock minus this machine's. */
  readonly clockOffsetMs: number;
  readonly limits: NonNullable<ProcessingStep['limits']>;
}

/** The clocks of this machine and of the database differ by no more: checked when the database is opened. */
const clockUncertaintyMs = 500;

export async function createRecorder({ signer, version, clockOffsetMs, limits }: RecorderOptions): Promise<Recorder> {
  const dependencies = await digestOfDependencies();
  const account = { name: accountName(), role: 'operator', authenticator: 'operating system' };
  const common = (exhibit: Exhibit, type: EventType, actor: CustodyEvent['actor'], occurred: Date, why: string): ToldEvent => ({
    exhibit: { case: exhibit.caseReference, label: exhibit.label },
    type,
    actor,
    occurredAt: zonedTime(occurred),
    clock: { source: 'system', offsetMs: clockOffsetMs, uncertaintyMs: clockUncertaintyMs },
    place: { host: hostname() },
    why: { text: why },
    how: { procedure: 'custodia', version },
    digests: [],
    alteration: null,
  });
  // the time is taken when the head is held: so the times of one machine rise with the sequence
  const append = (client: PoolClient, exhibit: Exhibit, key: string, event: ToldEvent) =>
    appendEvent(client, exhibit.id, key, (head) => sealNext(head, { ...event, recordedAt: utcTime(new Date()) }, signer.privateKey));
  const appendAlone = async (database: Pool, examinationId: string, key: string, make: (exhibit: Exhibit) => ToldEvent) => {
    const found = await readExamination(database, examinationId);
    if (found === null) throw new Error(`examination ${examinationId}: not found`);
    await transaction(database, (client) => append(client, found.exhibit, key, make(found.exhibit)));
  };
  return {
    keyId: signer.keyId,
    async recordDecision(client, examinationId, actor, decision, why) {
      const found = await readExamination(client, examinationId);
      if (found === null) throw new Error(`examination ${examinationId}: not found`);
      const text = why === '' ? decision.what : why.toWellFormed();
      const event = { ...common(found.exhibit, 'reviewed', actor, new Date(), text), decision };
      await append(client, found.exhibit, `decided:${randomUUID()}`, event); // may be decided again and again
    },
    async recordReceived(client, { exhibit, examination, received, actor: known }) {
      const actor = known ?? { name: examination.examiner, role: 'examiner', authenticator: 'stated' };
      const event = common(exhibit, 'received', actor, examination.created_at, 'image submitted for examination');
      const { format, paths } = examination.image;
      await append(client, exhibit, `received:${examination.id}`, { ...event, storage: paths, files: received, format });
    },
    async recordStep(client, record, changes) {
      const { exhibit, examination, unit, outcome } = record;
      const type: EventType = unit.kind === 'conclude' ? 'verified' : 'processed';
      const actor = { name: 'custodia worker', role: 'automation', authenticator: signer.keyId };
      const event: ToldEvent = {
        ...common(exhibit, type, actor, record.endedAt, whyOf(unit.kind)),
        onBehalfOf: examination.examiner,
        digests: outcome.digests,
        alteration: changes.length === 0 ? null : { what: `not made by this program: ${changes.join('; ')}` },
        step: { ...stepOf(record, version, dependencies, changes), limits },
      };
      await append(client, exhibit, unit.retries === 0 ? `unit:${unit.id}` : `unit:${unit.id}.${unit.retries}`, event);
    },
    recordAccess: (database, examinationId, how, locator) => {
      const now = new Date();
      const key = `accessed:${randomUUID()}`; // every look is an event of its own
      return appendAlone(database, examinationId, key, (exhibit) => ({
        ...common(exhibit, 'accessed', account, now, 'content or record looked at'),
        looked: { how, locator, examination: examinationId },
      }));
    },
    recordLooks: async (database, due) => {
      const tell = (client: PoolClient, batch: LookBatch, key: string, looks: readonly TakenLook[], looker: Looker) => {
        const exhibit = { id: batch.exhibitId, caseReference: looker.reference, label: looker.label, examiner: '' };
        const authenticator = batch.credential.startsWith('token:') ? 'api token' : 'session';
        const actor = { name: looker.name, role: looker.roles.join(', ') || 'none in the case', authenticator };
        const event = common(exhibit, 'accessed', actor, looks[0]!.at, 'content or records looked at over the network');
        return append(client, exhibit, key, { ...event, looks: looksOf(looks, looker.login, batch.credential) });
      };
      while ((await recordBatches(database, due, tell)) > 0);
    },
    recordExport: (database, examinationId, reportDigest) => {
      const now = new Date();
      const value = reportDigest;
      return appendAlone(database, examinationId, `exported:${examinationId}:${reportDigest}`, (exhibit) => ({
        ...common(exhibit, 'exported', account, now, 'chain-of-custody report written'),
        digests: [{ scope: 'report', name: 'report.json', algorithm: 'sha256', value, point: 'H5' }],
      }));
    },
  };
}

type ToldEvent = Omit<CustodyEvent, 'recordedAt'>;

const looksOf = (looks: readonly TakenLook[], account: string, session: string): NonNullable<CustodyEvent['looks']> => ({
  account,
  session,
  count: looks.length,
  from: utcTime(looks[0]!.at),
  to: utcTime(looks.at(-1)!.at),
  list: looks.map(({ at, how, locator, examinationId }) => ({ at: utcTime(at), how, locator, examination: examinationId })),
});

/** Of the account that this process runs under: who looks at content has stated no name. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSTEM_ERROR') throw error;
    return `uid ${process.getuid?.()}`; // an account without a line in /etc/passwd
  }
}

function stepOf(record: UnitRecord, version: string, dependencies: string, changes: readonly string[]): ProcessingStep {
  const { unit, examination, outcome, before, after, startedAt, endedAt } = record;
  return {
    examination: examination.id,
    unit: unit.id,
    kind: unit.kind,
    tool: { name: 'custodia', version, runtime: `node ${process.versions.node}`, dependencies },
    settings: examination.profile,
    worker: {
      ...(unit.worker_id === null ? {} : { id: unit.worker_id }),
      host: hostname(),
      process: process.pid,
      platform: process.platform,
      release: release(),
      architecture: process.arch,
      isolation: 'threads',
    },
    startedAt: utcTime(startedAt),
    endedAt: utcTime(endedAt),
    outcome: outcome.status,
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason.toWellFormed() }),
    before,
    after,
    unchanged: changes.length === 0,
    counts: outcome.counts,
    deterministic: true,
  };
}

const reasons: Readonly<Record<string, string>> = {
  'hash-media': 'digests of the medium and of the files of the image',
  survey: 'container, partitions and file systems',
  'list-files': 'entries of a file system',
  'examine-files': 'digests, types, metadata and members of files',
  conclude: 'evidence digested again and compared, catalogue sealed',
};
const whyOf = (kind: string): string => reasons[kind] ?? kind;

/** Which libraries at which versions: the lock file names them all. A published package has none: then what it asks for. */
async function digestOfDependencies(): Promise<string> {
  const root = join(import.meta.dirname, '..', '..');
  for (const name of ['package-lock.json', 'package.json']) {
    try {
      return `${name} sha256:${sha256(await readFile(join(root, name)))}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}
