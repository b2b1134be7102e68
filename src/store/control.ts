/** What operators and investigators decide about examinations, units, workers, the queue and the fleet: rows, and a notice to whoever is concerned. */
import { type Selectable, sql } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { type AgencyRole, type CaseRole } from '../access/policy.ts';
import { queries, type RunState, type Tables, type UnitStatus } from './schema.ts';
import { storable } from './text.ts';

/** Workers listen: something was decided, look at what concerns you. */
export const controlChannel = 'custodia_control';

export const notifyControl = async (connection: Pool | PoolClient): Promise<void> => {
  await connection.query(`notify ${controlChannel}`);
};

const now = sql<Date>`clock_timestamp()`;

type Examination = Selectable<Tables['examination']>;

/** Locked until the transaction ends: units that come to their end wait for it. */
export async function lockExamination(client: PoolClient, examinationId: string): Promise<Examination | null> {
  const locked = queries(client).selectFrom('examination').selectAll().where('id', '=', examinationId).forNoKeyUpdate();
  return (await locked.executeTakeFirst()) ?? null;
}

export async function updateExamination(
  client: PoolClient,
  examinationId: string,
  values: Partial<Pick<Examination, 'status' | 'open_units' | 'priority' | 'deadline' | 'paused_because' | 'cancelled_because'>> & {
    readonly paused?: boolean;
    /** Its waiting begins anew. */
    readonly requeued?: boolean;
  },
): Promise<void> {
  const { paused, requeued, ...given } = values;
  await queries(client)
    .updateTable('examination')
    .set({
      ...given,
      ...(paused === undefined ? {} : { paused_at: paused ? now : null }),
      ...(requeued === true ? { queued_at: now } : {}),
    })
    .where('id', '=', examinationId)
    .execute();
}

/**
 * Ends the open units of examinations that were cancelled; all of one, or what a crash in between has left of any. Whoever holds one has lost it.
 * Locked against one that is begun anew just now; a unit whose row is held is passed over, as its holder may wait for the examination. Gives how
 * many were: to be asked again for.
 */
export async function cancelUnits(pool: Pool, examinationId: string | null): Promise<number> {
  const { rows } = await pool.query<{ passed: number }>(
    `with over as (
       select id, cancelled_because from examination where status = 'cancelled' and ($1::uuid is null or id = $1)
         and exists (select from unit where examination_id = examination.id and status = 'open')
       for share),
     theirs as (
       select unit.id, over.cancelled_because from unit join over on over.id = examination_id where status = 'open' for update of unit skip locked),
     ended as (
       update unit set status = 'cancelled', fence = fence + 1, lease_until = null, finished_at = clock_timestamp(), reason = theirs.cancelled_because
       from theirs where unit.id = theirs.id returning 1)
     select (select count(*) from unit join over on over.id = examination_id where status = 'open')::integer
       - (select count(*) from ended)::integer as passed`,
    [examinationId],
  );
  return rows[0]!.passed;
}

export interface EndedUnit {
  readonly id: string;
  readonly kind: string;
  readonly status: UnitStatus;
  readonly examination_id: string;
}

/** Units that ended without having done their work, all or one: to be begun anew. */
export async function unfinishedUnits(client: PoolClient, examinationId: string, unitId: string | null): Promise<EndedUnit[]> {
  let units = queries(client)
    .selectFrom('unit')
    .select(['id', 'kind', 'status', 'examination_id'])
    .where('examination_id', '=', examinationId)
    .where('status', 'in', ['open', 'cancelled', 'quarantined']);
  if (unitId !== null) units = units.where('id', '=', unitId);
  return units.execute();
}

/** Opens them again with nothing of their earlier tries; what a unit that was given up had written goes. */
export async function reopenUnits(client: PoolClient, examinationId: string, unitIds: readonly string[]): Promise<void> {
  await client.query('delete from entry where examination_id = $1 and unit_id = any ($2)', [examinationId, unitIds]);
  await client.query('delete from problem where examination_id = $1 and unit_id = any ($2)', [examinationId, unitIds]);
  await client.query(
    `update unit set status = 'open', fence = fence + 1, worker_id = null, lease_until = null, finished_at = null, reason = null, result = null,
       failures = 0, losses = 0, retries = retries + 1, cancelled_because = null, announced_at = clock_timestamp() where id = any ($1)`,
    [unitIds],
  );
}

/**
 * `because` makes whoever claims it next give it up. A unit whose row another transaction holds is `busy`: it is not waited for, as the one that
 * commits a unit waits for the examination, which the caller holds.
 */
export async function giveUpUnit(client: PoolClient, unitId: string, because: string): Promise<'given up' | 'ended' | 'busy'> {
  const row = queries(client).selectFrom('unit').select('status').where('id', '=', unitId);
  const free = await row.forUpdate().skipLocked().executeTakeFirst();
  if (free === undefined) return 'busy';
  if (free.status !== 'open') return 'ended';
  await queries(client)
    .updateTable('unit')
    .set({ cancelled_because: storable(because), fence: sql<number>`fence + 1`, worker_id: null, lease_until: null, announced_at: now })
    .where('id', '=', unitId)
    .execute();
  return 'given up';
}

export async function setUnitPriority(client: PoolClient, unitId: string, priority: number): Promise<boolean> {
  const set = queries(client).updateTable('unit').set({ priority }).where('id', '=', unitId).where('status', '=', 'open');
  return (await set.executeTakeFirst()).numUpdatedRows === 1n;
}

/** Open units that could be begun now, the next of each examination first: to wake workers for. */
export async function claimableUnits(
  client: Pool | PoolClient,
  examinationId: string | null,
  limit: number,
): Promise<{ id: string; priority: number }[]> {
  const { rows } = await client.query<{ id: string; priority: number }>(
    `select unit.id, unit.priority from unit join examination on examination.id = examination_id
     where unit.status = 'open' and (lease_until is null or lease_until < clock_timestamp())
       and examination.status in ('open', 'concluding') and paused_at is null and ($1::uuid is null or examination_id = $1) limit $2`,
    [examinationId, limit],
  );
  return rows;
}

export interface Requester {
  readonly accountId: string;
  readonly agencyId: string;
  readonly roles: AgencyRole[];
  readonly disabled: boolean;
  readonly caseAgencyId: string;
  readonly caseRoles: CaseRole[];
}

/** Whose request the examination was, as the account stands now; null for one that was begun on the command line. */
export async function readRequester(pool: Pool, examinationId: string): Promise<Requester | null> {
  const { rows } = await pool.query<Requester>(
    `select account.id as "accountId", account.agency_id as "agencyId", account.roles, disabled_at is not null as disabled,
       examination.agency_id as "caseAgencyId",
       array(select role from case_member where case_member.case_id = exhibit.case_id and account_id = account.id) as "caseRoles"
     from examination join account on account.id = submitted_by join exhibit on exhibit.id = exhibit_id where examination.id = $1`,
    [examinationId],
  );
  return rows[0] ?? null;
}

export async function setQueueState(client: PoolClient, state: RunState): Promise<void> {
  await queries(client).updateTable('queue_control').set({ state, changed_at: now }).execute();
}

export const readQueueState = async (connection: Pool | PoolClient): Promise<RunState> =>
  (await queries(connection).selectFrom('queue_control').select('state').executeTakeFirstOrThrow()).state;

/** How many worker processes a host shall run besides those started by hand; 0 where nothing was said. */
export const readFleet = async (connection: Pool | PoolClient): Promise<{ host: string; workers: number }[]> =>
  queries(connection).selectFrom('fleet').select(['host', 'workers']).orderBy('host').execute();

export async function setFleet(client: PoolClient, host: string, workers: number): Promise<void> {
  await queries(client)
    .insertInto('fleet')
    .values({ host, workers })
    .onConflict((conflict) => conflict.column('host').doUpdateSet({ workers, changed_at: now }))
    .execute();
}
