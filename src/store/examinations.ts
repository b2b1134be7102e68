/** Cases, exhibits and the examinations of their images. */
import { type Selectable, sql } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { type ImageReference, type Profile } from '../evidence/task.ts';
import { localAgency } from './migrations/0003-service.ts';
import { type ExaminationStatus, queries, type StatTuple, type Tables } from './schema.ts';

export interface Exhibit {
  readonly id: string;
  readonly caseReference: string;
  readonly label: string;
  /** Who had its first image examined. */
  readonly examiner: string;
}

export type Examination = Selectable<Tables['examination']>;

/** The exhibit with this label in this case, made where it is not there yet; locked for the transaction. The first examiner named stays. */
export async function lockExhibit(
  client: PoolClient,
  { caseReference, label, examiner }: Omit<Exhibit, 'id'>,
  agencyId: string = localAgency,
): Promise<Exhibit> {
  const database = queries(client);
  await database
    .insertInto('case_file')
    .values({ reference: caseReference, agency_id: agencyId })
    .onConflict((conflict) => conflict.columns(['agency_id', 'reference']).doNothing())
    .execute();
  const { id: caseId } = await database
    .selectFrom('case_file')
    .select('id')
    .where('reference', '=', caseReference)
    .where('agency_id', '=', agencyId)
    .executeTakeFirstOrThrow();
  await database
    .insertInto('exhibit')
    .values({ case_id: caseId, label, examiner })
    .onConflict((conflict) => conflict.columns(['case_id', 'label']).doNothing())
    .execute();
  const exhibit = await database
    .selectFrom('exhibit')
    .selectAll()
    .where('case_id', '=', caseId)
    .where('label', '=', label)
    .forNoKeyUpdate() // a plain "for update" would hold up every event of its ledger, whose rows refer to this one: a circle with the head's lock
    .executeTakeFirstOrThrow();
  return { id: exhibit.id, caseReference, label, examiner: exhibit.examiner };
}

/** An examination of the same files that has not come to its end: to be gone on with. */
export async function findOpenExamination(client: PoolClient, exhibitId: string, image: ImageReference): Promise<Examination | null> {
  const found = await queries(client)
    .selectFrom('examination')
    .selectAll()
    .where('exhibit_id', '=', exhibitId)
    .where('status', 'in', ['open', 'concluding'])
    .where(sql<boolean>`image = ${JSON.stringify(image)}::jsonb`)
    .executeTakeFirst();
  return found ?? null;
}

export interface NewExamination {
  readonly exhibitId: string;
  readonly examiner: string;
  readonly image: ImageReference;
  readonly received: readonly StatTuple[];
  readonly profile: Profile;
  readonly openUnits: number;
}

export async function insertExamination(
  client: PoolClient,
  { exhibitId, examiner, image, received, profile, openUnits }: NewExamination,
): Promise<Examination> {
  return queries(client)
    .insertInto('examination')
    .values({
      exhibit_id: exhibitId,
      examiner,
      image: JSON.stringify(image),
      received: JSON.stringify(received),
      profile: JSON.stringify(profile),
      open_units: openUnits,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * Adds to the count of units that conclusion waits for and gives the new count; the row stays locked, so one transaction alone sees zero.
 * Null when the examination was cancelled: nothing of the transaction may stay.
 */
export async function countOpenUnits(client: PoolClient, examinationId: string, change: number): Promise<number | null> {
  const counted = await queries(client)
    .updateTable('examination')
    .set({ open_units: sql<number>`open_units + ${change}` })
    .where('id', '=', examinationId)
    .where('status', '<>', 'cancelled')
    .returning('open_units')
    .executeTakeFirst();
  return counted?.open_units ?? null;
}

export async function concludeExamination(
  client: PoolClient,
  examinationId: string,
  status: ExaminationStatus,
  conclusion: unknown,
): Promise<void> {
  await queries(client)
    .updateTable('examination')
    .set({ status, conclusion: JSON.stringify(conclusion), concluded_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', examinationId)
    .where('status', '<>', 'cancelled')
    .execute();
}

export async function setExaminationStatus(client: PoolClient, examinationId: string, status: ExaminationStatus): Promise<void> {
  const rows = queries(client).updateTable('examination').set({ status }).where('id', '=', examinationId);
  await rows.where('status', '<>', 'cancelled').execute();
}

export async function readExamination(
  pool: Pool | PoolClient,
  examinationId: string,
): Promise<{ examination: Examination; exhibit: Exhibit } | null> {
  const examination = await queries(pool).selectFrom('examination').selectAll().where('id', '=', examinationId).executeTakeFirst();
  if (examination === undefined) return null;
  const row = await queries(pool)
    .selectFrom('exhibit')
    .innerJoin('case_file', 'case_file.id', 'exhibit.case_id')
    .select(['exhibit.id', 'case_file.reference', 'exhibit.label', 'exhibit.examiner'])
    .where('exhibit.id', '=', examination.exhibit_id)
    .executeTakeFirstOrThrow();
  return { examination, exhibit: { id: row.id, caseReference: row.reference, label: row.label, examiner: row.examiner } };
}

export interface ListedExamination {
  readonly id: string;
  readonly case: string;
  readonly exhibit: string;
  readonly status: ExaminationStatus;
  readonly image: ImageReference;
  readonly created: Date;
  readonly concluded: Date | null;
}

/** Newest first. */
export async function listExaminations(pool: Pool, limit: number): Promise<ListedExamination[]> {
  const rows = await queries(pool)
    .selectFrom('examination')
    .innerJoin('exhibit', 'exhibit.id', 'examination.exhibit_id')
    .innerJoin('case_file', 'case_file.id', 'exhibit.case_id')
    .select(['examination.id', 'reference', 'label', 'status', 'image', 'examination.created_at', 'concluded_at'])
    .orderBy('examination.created_at', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ id, reference, label, status, image, created_at, concluded_at }) => ({
    id,
    case: reference,
    exhibit: label,
    status,
    image,
    created: created_at,
    concluded: concluded_at,
  }));
}
