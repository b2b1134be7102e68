/** Works on one unit: claims it, does its step on threads, and commits everything it leads to in one transaction. */
import { join } from 'node:path';
import { type Pool, type PoolClient } from 'pg';
import { type Batch, type Task, type ThreadPool } from '../evidence/task.ts';
import { copyRows } from '../store/copy.ts';
import { countOpenUnits, type Examination, type Exhibit, readExamination, setExaminationStatus } from '../store/examinations.ts';
import { type StatTuple, type UnitKind } from '../store/schema.ts';
import { isTransient, transaction } from '../store/transaction.ts';
import { claimUnit, endUnit, insertUnits, releaseClaim, type Unit } from '../store/units.ts';
import { observeUnit } from '../telemetry.ts';
import { type ClaimKeeper, keepClaim } from './claim-keeper.ts';
import { type Collected, collect } from './collected.ts';
import { differences, statEvidence } from './evidence-files.ts';
import { type Recorder } from './recorder.ts';
import { priorities, type StepContext, type StepOutcome } from './step.ts';
import { abandon, quarantine, split, steps } from './steps.ts';
import { TaskError } from './task-error.ts';
import { type UnitNotice, type UnitQueue } from './unit-queue.ts';

/** What all units of one worker process share. */
export interface Workplace {
  readonly workerId: string;
  readonly database: Pool;
  readonly queue: UnitQueue;
  readonly threads: ThreadPool;
  readonly recorder: Recorder;
  readonly dataFolder: string;
  readonly leaseMs: number;
  readonly failuresAllowed: number;
  readonly lossesAllowed: number;
  /** Units that are worked on here, and how their claims stand. */
  readonly held: Map<string, ClaimKeeper>;
  onProgress(progress: UnitProgress): void;
  /** Told of what does not stop the work: a failed try, a lost claim. */
  onTrouble(message: string, error: unknown): void;
}

export interface UnitProgress {
  readonly examinationId: string;
  readonly unitId: string;
  readonly kind: UnitKind;
  /** Since the last one; `ended` says that the unit committed (or was given back, with nothing kept). */
  readonly bytes: number;
  readonly files: number;
  readonly ended: boolean;
}

/** Another worker holds the unit now, or it was cancelled: nothing of ours may take effect. */
class ClaimLost extends Error {}

/** Works on a claimed unit until it has ended, is no longer ours, or `signal` aborts. Throws when the database is away: the unit then waits for the reconciler. */
export async function runUnit(workplace: Workplace, claimed: Unit, signal: AbortSignal): Promise<void> {
  for (let unit: Unit | null = claimed; unit !== null; ) {
    const held: Unit = unit;
    const again = await observeUnit(held, () => tryUnit(workplace, held, signal));
    unit = again && !signal.aborted ? await claimUnit(workplace.database, unit.id, workplace.workerId, workplace.leaseMs) : null;
  }
}

/** True when the unit failed and may be tried again at once. */
async function tryUnit(workplace: Workplace, unit: Unit, signal: AbortSignal): Promise<boolean> {
  const { database, leaseMs } = workplace;
  const done = { bytes: 0, files: 0 };
  const onProgress = (progress: UnitProgress) => {
    done.bytes += progress.bytes;
    done.files += progress.files;
    workplace.onProgress(progress);
  };
  const keeper = keepClaim(database, unit, leaseMs, signal, () => done);
  workplace.held.set(unit.id, keeper);
  const collected = collect(join(workplace.dataFolder, 'scratch'), `${unit.id}.${unit.fence}`);
  try {
    const found = await readExamination(database, unit.examination_id);
    if (found === null) throw new Error(`unit ${unit.id}: no examination ${unit.examination_id}`);
    await work({ ...workplace, onProgress }, unit, found.examination, found.exhibit, keeper, collected);
    return false;
  } catch (error) {
    return await afterFailure(workplace, unit, keeper, signal, error);
  } finally {
    keeper.stop();
    workplace.held.delete(unit.id);
    await collected.close();
    workplace.onProgress({ examinationId: unit.examination_id, unitId: unit.id, kind: unit.kind, bytes: 0, files: 0, ended: true });
  }
}

async function work(
  workplace: Workplace,
  unit: Unit,
  examination: Examination,
  exhibit: Exhibit,
  keeper: ClaimKeeper,
  collected: Collected,
): Promise<void> {
  const startedAt = new Date();
  const before = await lookAt(examination, unit);
  const context = contextOf(workplace, unit, examination, keeper, collected);
  const outcome = await stepFor(workplace, unit)(context);
  const after = await lookAt(examination, unit);
  if (keeper.lost()) throw new ClaimLost();
  const record = { exhibit, examination, unit, outcome, before, after, startedAt, endedAt: new Date() };
  await transaction(workplace.database, (client) => commit(client, workplace, record, collected));
}

/** A unit that is given up, and the conclusion, must come to their end even where the evidence is gone: then nothing is seen of it. */
async function lookAt(examination: Examination, unit: Unit): Promise<readonly StatTuple[]> {
  try {
    return await statEvidence(examination.image.paths);
  } catch (error) {
    if (error instanceof TaskError && (unit.failures > 0 || unit.kind === 'conclude')) return [];
    throw error;
  }
}

function stepFor({ failuresAllowed, lossesAllowed }: Workplace, unit: Unit): (context: StepContext) => Promise<StepOutcome> {
  if (unit.cancelled_because !== null) {
    const reason = unit.cancelled_because;
    return (context) => abandon(context, reason);
  }
  if (unit.failures >= failuresAllowed) {
    const reason = `failed ${unit.failures} times, the last time: ${unit.reason ?? 'for an unknown reason'}`;
    return (context) => (unit.failures > failuresAllowed ? abandon(context, reason) : quarantine(context, reason));
  }
  if (unit.losses >= lossesAllowed) {
    const reason = `the process that worked on it ended ${unit.losses} times`;
    return (context) => (unit.losses >= 2 * lossesAllowed ? abandon(context, reason) : quarantine(context, reason));
  }
  const nearlyGivenUp = unit.failures >= failuresAllowed - 1 || unit.losses >= lossesAllowed / 2;
  if (unit.kind === 'examine-files' && unit.files > 1 && nearlyGivenUp) return split;
  return steps[unit.kind];
}

function contextOf(workplace: Workplace, unit: Unit, examination: Examination, keeper: ClaimKeeper, collected: Collected): StepContext {
  const onBatch = async (batch: Batch) => {
    if (batch.kind === 'progress') {
      const { bytes, files } = batch;
      workplace.onProgress({ examinationId: examination.id, unitId: unit.id, kind: unit.kind, bytes, files, ended: false });
    } else await collected.take(batch);
  };
  return {
    unit,
    examination,
    database: workplace.database,
    dataFolder: workplace.dataFolder,
    signal: keeper.signal,
    isLastTry: unit.failures >= workplace.failuresAllowed - 1,
    collected,
    run: <T extends Task>(task: T, bytes: number) =>
      workplace.threads.run(task, { onBatch, signal: keeper.signal, timeLimitMs: timeLimitFor(bytes) }),
  };
}

/** Ten minutes, and a second for each MiB to go through. */
const timeLimitFor = (bytes: number): number => 600_000 + Math.ceil(bytes / 1024 ** 2) * 1000;

/** What one unit hands to the ledger. */
export interface UnitRecord {
  readonly exhibit: Exhibit;
  readonly examination: Examination;
  readonly unit: Unit;
  readonly outcome: StepOutcome;
  readonly before: readonly StatTuple[];
  readonly after: readonly StatTuple[];
  readonly startedAt: Date;
  readonly endedAt: Date;
}

async function commit(client: PoolClient, workplace: Workplace, record: UnitRecord, collected: Collected): Promise<void> {
  const { unit, outcome, examination } = record;
  const ended = await endUnit(client, unit, { status: outcome.status, result: outcome.result, reason: outcome.reason ?? null });
  if (!ended) throw new ClaimLost();
  await copyRows(client, 'entry', collected.rows('entry'));
  await copyRows(client, 'problem', collected.rows('problem'));
  const children = await addChildren(client, workplace.queue, unit, outcome.children);
  await outcome.write?.(client);
  const open = await countOpenUnits(client, examination.id, children - 1);
  if (open === null) throw new ClaimLost(); // the examination was cancelled meanwhile
  if (open === 0 && unit.kind !== 'conclude') await beginConclusion(client, workplace, examination.id, unit.id);
  await workplace.recorder.recordStep(client, record, differences(examination.received, record.after));
}

const announcedAtOnce = 100;

async function addChildren(client: PoolClient, queue: UnitQueue, parent: Unit, children: StepOutcome['children']): Promise<number> {
  let count = 0;
  let notices: UnitNotice[] = [];
  for await (const child of children) {
    const ids = await insertUnits(client, parent.examination_id, parent.id, [child]);
    notices.push(...ids.map((id) => ({ id, priority: child.priority })));
    count++;
    if (notices.length < announcedAtOnce) continue;
    await queue.announce(client, notices);
    notices = [];
  }
  if (notices.length > 0) await queue.announce(client, notices);
  return count;
}

async function beginConclusion(client: PoolClient, { queue }: Workplace, examinationId: string, parentId: string): Promise<void> {
  await countOpenUnits(client, examinationId, 1);
  await setExaminationStatus(client, examinationId, 'concluding');
  const priority = priorities.conclude;
  const ids = await insertUnits(client, examinationId, parentId, [{ kind: 'conclude', priority }]);
  await queue.announce(
    client,
    ids.map((id) => ({ id, priority })),
  );
}

/** Decides what a failed try means: stopped by us, lost to another, the database away, or the unit's own fault. True for another try. */
async function afterFailure(workplace: Workplace, unit: Unit, keeper: ClaimKeeper, signal: AbortSignal, error: unknown): Promise<boolean> {
  if (error instanceof ClaimLost || keeper.lost()) {
    workplace.onTrouble(`unit ${unit.id}: taken from this worker: another holds it now, or it was cancelled`, error);
    return false;
  }
  if (signal.aborted) {
    await releaseClaim(workplace.database, unit, null);
    return false;
  }
  if (isTransient(error)) {
    workplace.onTrouble(`unit ${unit.id}: put off: the database or this machine cannot do it now`, error);
    await releaseClaim(workplace.database, unit, null, { againAfterMs: putOffMs });
    throw error;
  }
  const reason = reasonOf(error);
  workplace.onTrouble(`unit ${unit.id} (${unit.kind}): try failed: ${reason}`, error);
  const last = error instanceof TaskError && error.final; // then all tries left are used up: not more, so that it is still quarantined
  const times = last ? Math.max(1, workplace.failuresAllowed - unit.failures) : 1;
  // once for each failure allowed, once to be quarantined, once to be abandoned; what fails even then is put off, and left to the log
  const again = unit.failures <= workplace.failuresAllowed;
  await releaseClaim(workplace.database, unit, reason, again ? { times } : { times, againAfterMs: 10 * putOffMs });
  return again;
}

/** A unit that cannot be worked on now is not claimed again at once: others have their turn. */
const putOffMs = 2000;

const reasonOf = (error: unknown): string => {
  if (error instanceof TaskError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
};
