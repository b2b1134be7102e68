/** The unit table: who may work on what. A unit is claimed by raising its fence; only the holder of the newest fence may commit. */
import { type Selectable, sql } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { queries, type Tables, type UnitKind, type UnitStatus } from './schema.ts';
import { storable } from './text.ts';

export type Unit = Selectable<Tables['unit']>;

export interface NewUnit {
  readonly kind: UnitKind;
  readonly priority: number;
  readonly input?: unknown;
  readonly payload?: Uint8Array;
  readonly files?: number;
  readonly bytes?: number;
}

const now = sql<Date>`clock_timestamp()`;
const after = (milliseconds: number) => sql<Date>`clock_timestamp() + ${milliseconds} * interval '1 millisecond'`;

export async function insertUnits(
  client: PoolClient,
  examinationId: string,
  parentId: string | null,
  units: readonly NewUnit[],
): Promise<string[]> {
  const ids: string[] = [];
  for (const { kind, priority, input, payload, files, bytes } of units) {
    const { id } = await queries(client)
      .insertInto('unit')
      .values({
        examination_id: examinationId,
        parent_id: parentId,
        kind,
        priority,
        input: JSON.stringify(input ?? {}),
        payload: payload === undefined ? null : Buffer.from(payload.buffer, payload.byteOffset, payload.length),
        files: files ?? 0,
        bytes: bytes ?? 0,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    ids.push(id);
  }
  return ids;
}

/**
 * Takes the unit for this worker, for `leaseMs` of the database's clock; null when it is not open or another holds it.
 * A holder that let its lease run out is counted as lost.
 */
export async function claimUnit(pool: Pool, unitId: string, workerId: string, leaseMs: number): Promise<Unit | null> {
  const claimed = await queries(pool)
    .updateTable('unit')
    .set({
      fence: sql<number>`fence + 1`,
      losses: sql<number>`losses + case when worker_id is null then 0 else 1 end`,
      worker_id: workerId,
      lease_until: after(leaseMs),
    })
    .where('id', '=', unitId)
    .where('status', '=', 'open')
    .where((where) => where.or([where('lease_until', 'is', null), where('lease_until', '<', now)]))
    .returningAll()
    .executeTakeFirst();
  return claimed ?? null;
}

export type Claim = Pick<Unit, 'id' | 'fence'>;

/** Of a unit that is not finished. */
export interface UnitDone {
  readonly bytes: number;
  readonly files: number;
}

/** False when the claim is no longer ours. */
export async function renewClaim(pool: Pool, { id, fence }: Claim, leaseMs: number, { bytes, files }: UnitDone): Promise<boolean> {
  const result = await queries(pool)
    .updateTable('unit')
    .set({ lease_until: after(leaseMs), progress_bytes: bytes, progress_files: files })
    .where('id', '=', id)
    .where('status', '=', 'open')
    .where('fence', '=', fence)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

export interface Release {
  /** How often a failure counts against the unit; once unless said. */
  readonly times?: number;
  /** Until then nobody claims it. */
  readonly againAfterMs?: number;
}

/** Gives the unit back. `failed` counts against the unit, and its reason is kept. */
export async function releaseClaim(
  pool: Pool,
  { id, fence }: Claim,
  failed: string | null,
  { times = 1, againAfterMs }: Release = {},
): Promise<void> {
  await queries(pool)
    .updateTable('unit')
    .set({
      worker_id: null,
      lease_until: againAfterMs === undefined ? null : after(againAfterMs),
      ...(failed === null ? {} : { failures: sql<number>`failures + ${times}::int`, reason: storable(failed) }),
    })
    .where('id', '=', id)
    .where('status', '=', 'open')
    .where('fence', '=', fence)
    .execute();
}

export interface Ending {
  readonly status: Exclude<UnitStatus, 'open' | 'cancelled'>;
  readonly result?: unknown;
  readonly reason?: string | null;
}

/** Ends a claimed unit in the caller's transaction; false when the claim is no longer ours: then nothing of the transaction may stay. */
export async function endUnit(client: PoolClient, { id, fence }: Claim, { status, result, reason }: Ending): Promise<boolean> {
  const ended = await queries(client)
    .updateTable('unit')
    .set({
      status,
      ...(status === 'quarantined' ? {} : { payload: null }), // kept for a retry
      lease_until: null,
      finished_at: now,
      ...(result === undefined ? {} : { result: JSON.stringify(result) }),
      ...(reason === undefined ? {} : { reason: reason === null ? null : storable(reason) }),
    })
    .where('id', '=', id)
    .where('status', '=', 'open')
    .where('fence', '=', fence)
    .executeTakeFirst();
  return ended.numUpdatedRows === 1n;
}

/** Which of these this worker holds no more: cancelled, or taken over. */
export async function unitsLost(pool: Pool, workerId: string, unitIds: readonly string[]): Promise<string[]> {
  if (unitIds.length === 0) return [];
  const ours = await queries(pool)
    .selectFrom('unit')
    .select('id')
    .where('id', 'in', [...unitIds])
    .where('status', '=', 'open')
    .where('worker_id', '=', workerId)
    .execute();
  const kept = new Set(ours.map(({ id }) => id));
  return unitIds.filter((id) => !kept.has(id));
}

/** Lets go of everything that processes on this host held which are no longer alive: their leases need not run out first. */
export async function releaseDeadWorkers(pool: Pool, deadWorkerIds: readonly string[]): Promise<number> {
  if (deadWorkerIds.length === 0) return 0;
  const result = await queries(pool)
    .updateTable('unit')
    .set({ lease_until: now })
    .where('status', '=', 'open')
    .where('worker_id', 'in', [...deadWorkerIds])
    .where('lease_until', '>', now)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/**
 * Open units that may have lost their announcement, marked as announced now: those that nobody holds and that were last announced before
 * `olderThanMs`, and those whose holder let the lease run out; not of examinations that are paused or over. Oldest first, at most `limit`: whoever
 * is woken goes on until nothing is left.
 */
export async function takeForgottenUnits(pool: Pool, olderThanMs: number, limit: number): Promise<{ id: string; priority: number }[]> {
  const { rows } = await sql<{ id: string; priority: number }>`
    update unit set announced_at = clock_timestamp()
    where id in (
      select unit.id from unit join examination on examination.id = examination_id
      where unit.status = 'open' and examination.status in ('open', 'concluding') and paused_at is null
        and ((lease_until is null and announced_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond')
          or (lease_until < clock_timestamp() and announced_at < greatest(lease_until, clock_timestamp() - ${olderThanMs} * interval '1 millisecond')))
      order by announced_at limit ${limit} for update of unit skip locked)
    returning id, priority`.execute(queries(pool));
  return rows;
}

export interface UnitCount {
  readonly kind: UnitKind;
  readonly status: UnitStatus;
  readonly units: number;
  readonly files: number;
  readonly bytes: number;
}

export async function countUnits(pool: Pool, examinationId: string): Promise<UnitCount[]> {
  const { rows } = await sql<UnitCount>`
    select kind, status, count(*)::int as units, coalesce(sum(files), 0)::float8 as files, coalesce(sum(bytes), 0)::float8 as bytes
    from unit where examination_id = ${examinationId} group by kind, status order by kind, status`.execute(queries(pool));
  return rows;
}

export const unitsOf = (pool: Pool, examinationId: string, kinds: readonly UnitKind[]): Promise<Omit<Unit, 'payload'>[]> =>
  queries(pool)
    .selectFrom('unit')
    .select(['id', 'examination_id', 'parent_id', 'kind', 'priority', 'input', 'files', 'bytes', 'status', 'fence', 'failures', 'losses'])
    .select(['worker_id', 'lease_until', 'announced_at', 'finished_at', 'reason', 'result', 'progress_bytes', 'progress_files'])
    .select(['retries', 'cancelled_because'])
    .where('examination_id', '=', examinationId)
    .where('kind', 'in', [...kinds])
    .orderBy('id')
    .execute();
