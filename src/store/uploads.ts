/** Uploads: evidence that comes in, from the first byte to the segment that it becomes, or to the reason why it became none. */
import { type Selectable, sql } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { queries, type Tables, type UploadStatus } from './schema.ts';

export type Upload = Selectable<Tables['upload']>;

export interface NewUpload {
  readonly exhibitId: string;
  readonly agencyId: string;
  readonly accountId: string;
  readonly credential: string;
  readonly origin: 'upload' | 's3';
  readonly name: string;
  readonly size: number;
  readonly expectedSha256: string | null;
  readonly s3?: { readonly source: string; readonly key: string; readonly etag: string };
}

export interface AgencyUse {
  readonly bytes: number;
  readonly objects: number;
  readonly uploads: number;
}

export interface Quota {
  readonly maxBytes: number;
  readonly maxObjects: number;
  readonly maxUploads: number;
}

/**
 * What the agency may have, and what it has and has begun. Its row stays locked until the transaction ends: of several that begin at once none
 * is counted out. A content that was received twice counts twice.
 */
export async function lockQuota(client: PoolClient, agencyId: string): Promise<{ quota: Quota; use: AgencyUse }> {
  const { rows: agencies } = await client.query<{ max_bytes: string; max_objects: number; max_uploads: number }>(
    'select max_bytes, max_objects, max_uploads from agency where id = $1 for no key update',
    [agencyId],
  );
  const { rows } = await client.query<{ bytes: string; objects: number; uploads: number }>(
    `select coalesce(sum(size), 0) as bytes, count(*)::int as objects, count(*) filter (where open)::int as uploads from (
       select segment.size, false as open from segment
         join exhibit on exhibit.id = exhibit_id join case_file on case_file.id = case_id where agency_id = $1 and sha256 is not null
       union all
       select size, true from upload where agency_id = $1 and status in ('receiving', 'checking')) as held`,
    [agencyId],
  );
  const { max_bytes, max_objects, max_uploads } = agencies[0]!;
  const { bytes, objects, uploads } = rows[0]!;
  return {
    quota: { maxBytes: Number(max_bytes), maxObjects: max_objects, maxUploads: max_uploads },
    use: { bytes: Number(bytes), objects, uploads },
  };
}

export async function insertUpload(client: PoolClient, upload: NewUpload): Promise<Upload> {
  const { exhibitId, agencyId, accountId, credential, origin, name, size, expectedSha256, s3 } = upload;
  return queries(client)
    .insertInto('upload')
    .values({
      exhibit_id: exhibitId,
      agency_id: agencyId,
      account_id: accountId,
      credential,
      origin,
      name,
      size,
      expected_sha256: expectedSha256,
      source: s3?.source ?? null,
      source_key: s3?.key ?? null,
      source_etag: s3?.etag ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function readUpload(connection: Pool | PoolClient, uploadId: string): Promise<Upload | null> {
  return (await queries(connection).selectFrom('upload').selectAll().where('id', '=', uploadId).executeTakeFirst()) ?? null;
}

/** What may be shown of one. */
export type ListedUpload = Pick<
  Upload,
  'id' | 'exhibit_id' | 'origin' | 'name' | 'size' | 'status' | 'sha256' | 'problem_code' | 'problem' | 'created_at' | 'ended_at'
>;

/** Of an exhibit, newest first, from below `before`; as far as the reader may see. */
export async function listUploads(client: PoolClient, exhibitId: string, before: string | null, limit: number): Promise<ListedUpload[]> {
  const { rows } = await client.query<ListedUpload>(
    `select id, exhibit_id, origin, name, size, status, sha256, problem_code, problem, created_at, ended_at from upload
     where exhibit_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
    [exhibitId, before, limit],
  );
  return rows;
}

const heldUntil = (ms: number) => sql<Date>`clock_timestamp() + ${ms} * interval '1 millisecond'`;
const now = sql<Date>`clock_timestamp()`;

/** One writes or checks at a time, on the clock of the database. Null where another holds it, or where it is not in this state. */
export async function holdUpload(
  pool: Pool,
  uploadId: string,
  { status, holder, leaseMs }: { status: 'receiving' | 'checking'; holder: string; leaseMs: number },
): Promise<Upload | null> {
  const held = await queries(pool)
    .updateTable('upload')
    .set({ holder, held_until: heldUntil(leaseMs), touched_at: now })
    .where('id', '=', uploadId)
    .where('status', '=', status)
    .where((or) => or.or([or('held_until', 'is', null), or('held_until', '<', now), or('holder', '=', holder)]))
    .returningAll()
    .executeTakeFirst();
  return held ?? null;
}

/** False where somebody else holds it by now, or where it has ended. */
export async function renewHold(
  pool: Pool,
  uploadId: string,
  { holder, leaseMs }: { readonly holder: string; readonly leaseMs: number },
): Promise<boolean> {
  const { numUpdatedRows } = await queries(pool)
    .updateTable('upload')
    .set({ held_until: heldUntil(leaseMs), touched_at: now })
    .where('id', '=', uploadId)
    .where('status', 'in', ['receiving', 'checking'])
    .where('holder', '=', holder)
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

/** Given back: the next one need not wait until the lease is over, but for `pauseMs` where it is not to be tried again at once. */
export async function releaseUpload(pool: Pool, uploadId: string, holder: string, pauseMs = 0): Promise<void> {
  await queries(pool)
    .updateTable('upload')
    .set({ holder: null, held_until: pauseMs === 0 ? null : heldUntil(pauseMs), touched_at: now })
    .where('id', '=', uploadId)
    .where('holder', '=', holder)
    .execute();
}

/** Everything has come: from now on nobody writes to it. */
export async function beginChecking(pool: Pool, uploadId: string, holder: string): Promise<boolean> {
  const { numUpdatedRows } = await queries(pool)
    .updateTable('upload')
    .set({ status: 'checking', touched_at: now })
    .where('id', '=', uploadId)
    .where('status', '=', 'receiving')
    .where('holder', '=', holder)
    .where('held_until', '>', now)
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

/** Kept before the incoming file goes: what was read from it need not be read again. */
export async function keepDigest(pool: Pool, uploadId: string, sha256: string): Promise<void> {
  await queries(pool).updateTable('upload').set({ sha256 }).where('id', '=', uploadId).where('status', '=', 'checking').execute();
}

export interface UploadEnd {
  readonly status: 'accepted' | 'failed' | 'cancelled';
  readonly problem?: { readonly code: string; readonly message: string };
  /** Where only its holder may say so. */
  readonly holder?: string;
}

/** False where it has ended already, or where somebody else holds it. */
export async function endUpload(
  connection: Pool | PoolClient,
  uploadId: string,
  end: UploadEnd,
  from: readonly UploadStatus[] = ['receiving', 'checking'],
): Promise<boolean> {
  const { holder } = end;
  const { numUpdatedRows } = await queries(connection)
    .updateTable('upload')
    .set({
      status: end.status,
      problem_code: end.problem?.code ?? null,
      problem: end.problem?.message ?? null,
      ended_at: now,
      holder: null,
      held_until: null,
    })
    .where('id', '=', uploadId)
    .where('status', 'in', [...from])
    .$if(holder !== undefined, (query) => query.where('holder', '=', holder!))
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

/** Of uploads that nobody holds: those to be checked, or those to be fetched from S3. The oldest first. */
export async function waitingUploads(pool: Pool, status: 'checking' | 'receiving', limit: number): Promise<Upload[]> {
  return queries(pool)
    .selectFrom('upload')
    .selectAll()
    .where('status', '=', status)
    .$if(status === 'receiving', (query) => query.where('origin', '=', 's3'))
    .where((or) => or.or([or('held_until', 'is', null), or('held_until', '<', now)]))
    .orderBy('created_at')
    .limit(limit)
    .execute();
}

/** Ends what was begun and then left alone for so long; gives the ids. */
export async function expireUploads(pool: Pool, afterMs: number): Promise<string[]> {
  const rows = await queries(pool)
    .updateTable('upload')
    .set({
      status: 'failed',
      problem_code: 'upload.expired',
      problem: 'nothing came for too long',
      ended_at: now,
      holder: null,
      held_until: null,
    })
    .where('status', '=', 'receiving')
    .where('origin', '=', 'upload')
    .where('touched_at', '<', sql<Date>`clock_timestamp() - ${afterMs} * interval '1 millisecond'`)
    .where((or) => or.or([or('held_until', 'is', null), or('held_until', '<', now)]))
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Those of the ids whose incoming file is still needed. */
export async function openUploads(pool: Pool, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await queries(pool)
    .selectFrom('upload')
    .select('id')
    .where('id', 'in', [...ids])
    .where('status', 'in', ['receiving', 'checking'])
    .execute();
  return new Set(rows.map(({ id }) => id));
}
