/** What may be decided about examinations and units while they run. Each decision is an event of the ledger, in the transaction that makes it true. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pool, type PoolClient } from 'pg';
import { type CustodyEvent } from '../custody/event.ts';
import {
  cancelUnits,
  claimableUnits,
  giveUpUnit,
  lockExamination,
  notifyControl,
  reopenUnits,
  setUnitPriority,
  unfinishedUnits,
  updateExamination,
} from '../store/control.ts';
import { type ExaminationStatus } from '../store/schema.ts';
import { dropSearch } from '../store/search-index.ts';
import { transaction } from '../store/transaction.ts';
import { type Recorder } from './recorder.ts';
import { type UnitQueue } from './unit-queue.ts';

export interface Control {
  readonly database: Pool;
  readonly queue: UnitQueue;
  readonly recorder: Recorder;
}

export type Actor = CustodyEvent['actor'];

/** The program itself decides. */
export const automation = ({ recorder }: Pick<Control, 'recorder'>): Actor => ({
  name: 'custodia worker',
  role: 'automation',
  authenticator: recorder.keyId,
});

/** What was asked cannot be done as things stand: nothing was changed. The code stands in docs/ERRORS.md. */
export class ControlError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ControlError';
    this.code = code;
  }
}

/** Enough to set every idle worker going: each then goes on until nothing is left. */
const wokenAtOnce = 200;

/** Wakes workers for what may be begun now: of one examination, or of all. */
export async function wake({ database, queue }: Pick<Control, 'database' | 'queue'>, examinationId: string | null): Promise<void> {
  const units = await claimableUnits(database, examinationId, wokenAtOnce);
  if (units.length > 0) await queue.reannounce(units);
}

type Locked = NonNullable<Awaited<ReturnType<typeof lockExamination>>>;

/** One decision about one examination: under its lock, with its event, heard of by all workers. */
async function decide(
  { database, recorder }: Control,
  examinationId: string,
  actor: Actor,
  what: string,
  why: string,
  change: (client: PoolClient, examination: Locked) => Promise<{ readonly unit?: string } | undefined>,
): Promise<void> {
  await transaction(database, async (client) => {
    const examination = await lockExamination(client, examinationId);
    if (examination === null) throw new ControlError('examination.not-found', `examination ${examinationId}: not found`);
    const about = await change(client, examination);
    if (about === undefined) return;
    await recorder.recordDecision(client, examinationId, actor, { what, examination: examinationId, ...about }, why);
    await notifyControl(client);
  });
}

const running: readonly ExaminationStatus[] = ['open', 'concluding'];

function refuseEnded({ id, status }: Locked): void {
  if (running.includes(status)) return;
  throw new ControlError('examination.ended', `examination ${id}: its status is '${status}', expected one that goes on (open, concluding)`);
}

/** Whoever works on it anywhere is stopped within a second; what was committed before stays, nothing is committed after. */
export async function cancelExamination(control: Control, examinationId: string, actor: Actor, why: string): Promise<void> {
  await decide(control, examinationId, actor, 'cancelled', why, async (client, examination) => {
    if (examination.status === 'cancelled') return undefined;
    refuseEnded(examination);
    await updateExamination(client, examinationId, {
      status: 'cancelled',
      cancelled_because: why,
      open_units: 0,
      paused: false,
      paused_because: null,
    });
    return {};
  });
  // apart from the transaction above: a unit that is just committing holds its row and waits for the examination's
  for (let patience = 20; patience > 0 && (await cancelUnits(control.database, examinationId)) > 0; patience--) await sleep(25);
  await notifyControl(control.database);
}

/** What runs goes on to its end; nothing of it is begun. */
export async function pauseExamination(control: Control, examinationId: string, actor: Actor, why: string): Promise<void> {
  await decide(control, examinationId, actor, 'paused', why, async (client, examination) => {
    refuseEnded(examination);
    if (examination.paused_at !== null) return undefined;
    await updateExamination(client, examinationId, { paused: true, paused_because: why });
    return {};
  });
}

export async function resumeExamination(control: Control, examinationId: string, actor: Actor, why: string): Promise<void> {
  await decide(control, examinationId, actor, 'resumed', why, async (client, examination) => {
    refuseEnded(examination);
    if (examination.paused_at === null) return undefined;
    await updateExamination(client, examinationId, { paused: false, paused_because: null });
    return {};
  });
  await wake(control, examinationId);
}

export interface Urgency {
  /** 1 (first) to 10 (last). */
  readonly priority?: number;
  readonly deadline?: Date | null;
}

export async function prioritiseExamination(control: Control, examinationId: string, actor: Actor, urgency: Urgency): Promise<void> {
  const { priority, deadline } = urgency;
  const said = [
    ...(priority === undefined ? [] : [`priority ${priority}`]),
    ...(deadline === undefined ? [] : [deadline === null ? 'no deadline' : `deadline ${deadline.toISOString()}`]),
  ].join(', ');
  if (said === '') return;
  await decide(control, examinationId, actor, 'prioritised', said, async (client, examination) => {
    refuseEnded(examination);
    await updateExamination(client, examinationId, { ...urgency, requeued: priority !== undefined });
    return {};
  });
}

/**
 * A cancelled or failed examination goes on where it was: units that were cancelled or given up begin anew. One that has concluded stays as it is:
 * its catalogue is sealed, and reports of it may be in other hands; its image is examined again as a new examination.
 */
export async function retryExamination(control: Control, examinationId: string, actor: Actor, why: string): Promise<void> {
  await decide(control, examinationId, actor, 'retried', why, async (client, examination) => {
    if (examination.status !== 'cancelled' && examination.status !== 'failed') {
      throw new ControlError(
        'examination.not-ended',
        `examination ${examinationId}: its status is '${examination.status}', expected cancelled or failed`,
      );
    }
    const units = await unfinishedUnits(client, examinationId, null);
    await beginAnew(client, examinationId, units);
    return {};
  });
  await wake(control, examinationId);
}

/** A unit that was given up begins anew: while its examination goes on. */
export async function retryUnit(control: Control, examinationId: string, unitId: string, actor: Actor, why: string): Promise<void> {
  await decide(control, examinationId, actor, 'unit retried', why, async (client, examination) => {
    if (examination.status !== 'open') {
      throw new ControlError(
        'unit.retry',
        `unit ${unitId}: its examination is '${examination.status}', expected open; a failed or cancelled one is retried as a whole`,
      );
    }
    const [unit] = await unfinishedUnits(client, examinationId, unitId);
    if (unit?.status !== 'quarantined') throw new ControlError('unit.retry', `unit ${unitId}: expected one that was given up`);
    await reopenUnits(client, examinationId, [unitId]);
    await updateExamination(client, examinationId, { open_units: examination.open_units + 1 });
    return { unit: unitId };
  });
  await wake(control, examinationId);
}

/** With other work to do first, an earlier conclusion is void: another one comes when that is done. */
async function beginAnew(
  client: PoolClient,
  examinationId: string,
  units: readonly { readonly id: string; readonly kind: string }[],
): Promise<void> {
  const work = units.filter(({ kind }) => kind !== 'conclude');
  const reopened = work.length > 0 ? work : units;
  await reopenUnits(
    client,
    examinationId,
    reopened.map(({ id }) => id),
  );
  if (work.length > 0) await voidConclusion(client, examinationId);
  const status = work.length > 0 ? 'open' : 'concluding';
  await updateExamination(client, examinationId, { status, open_units: reopened.length, cancelled_because: null, requeued: true });
}

async function voidConclusion(client: PoolClient, examinationId: string): Promise<void> {
  const ours = `examination_id = $1 and kind = 'conclude'`;
  await client.query(`delete from problem where examination_id = $1 and unit_id in (select id from unit where ${ours})`, [examinationId]);
  await client.query(
    `update unit set status = 'cancelled', fence = fence + 1, finished_at = clock_timestamp(), reason = 'void: work was begun anew' where ${ours}`,
    [examinationId],
  );
  await dropSearch(client, examinationId);
}

/** Gives up an open unit: the next worker records why and what is missing for it, and the examination goes on without. */
export async function cancelUnit(control: Control, examinationId: string, unitId: string, actor: Actor, why: string): Promise<void> {
  await decide(control, examinationId, actor, 'unit cancelled', why, async (client, examination) => {
    refuseEnded(examination);
    if (examination.status === 'concluding') {
      throw new ControlError('unit.ended', `unit ${unitId}: the examination is being concluded; cancel the examination`);
    }
    const found = await giveUpUnit(client, unitId, `cancelled by ${actor.name}: ${why}`);
    if (found === 'ended') throw new ControlError('unit.ended', `unit ${unitId}: it has ended already`);
    if (found === 'busy') throw new ControlError('unit.busy', `unit ${unitId}: it is just ending, or being begun; ask again`);
    return { unit: unitId };
  });
  await wake(control, examinationId);
}

/** Among the open units of its examination: lower is sooner. */
export async function prioritiseUnit({ database }: Control, unitId: string, priority: number): Promise<void> {
  const set = await transaction(database, (client) => setUnitPriority(client, unitId, priority));
  if (!set) throw new ControlError('unit.ended', `unit ${unitId}: it has ended already`);
}
