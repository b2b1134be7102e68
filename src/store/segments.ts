/** The files that an exhibit consists of: in the store by their content, or in place below an evidence root. */
import { type Selectable } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { queries, type StatTuple, type Tables } from './schema.ts';

export type Segment = Selectable<Tables['segment']>;

interface Common {
  readonly exhibitId: string;
  readonly accountId: string;
  readonly name: string;
  readonly size: number;
}
export type NewSegment = Common &
  (
    | { readonly origin: 'upload' | 's3'; readonly sha256: string; readonly uploadId: string }
    | { readonly origin: 'place'; readonly root: string; readonly rootPath: string; readonly received: StatTuple }
  );

/** Null where the exhibit has a segment of this name, or this upload has become one. */
export async function insertSegment(client: PoolClient, segment: NewSegment): Promise<Segment | null> {
  const { exhibitId, accountId, name, size, origin } = segment;
  const where =
    segment.origin === 'place'
      ? { root: segment.root, root_path: segment.rootPath, received: JSON.stringify(segment.received) }
      : { sha256: segment.sha256, upload_id: segment.uploadId };
  const made = await queries(client)
    .insertInto('segment')
    .values({ exhibit_id: exhibitId, account_id: accountId, name, size, origin, ...where })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
  return made ?? null;
}

export async function insertObject(client: PoolClient, sha256: string, size: number): Promise<void> {
  await queries(client)
    .insertInto('stored_object')
    .values({ sha256, size })
    .onConflict((conflict) => conflict.column('sha256').doNothing())
    .execute();
}

/** In the order in which they were accepted. */
export async function segmentsOf(connection: Pool | PoolClient, exhibitId: string, limit: number): Promise<Segment[]> {
  return queries(connection)
    .selectFrom('segment')
    .selectAll()
    .where('exhibit_id', '=', exhibitId)
    .orderBy('accepted_at')
    .orderBy('id')
    .limit(limit)
    .execute();
}

export async function hasSegment(connection: Pool | PoolClient, exhibitId: string, name: string): Promise<boolean> {
  const found = await queries(connection)
    .selectFrom('segment')
    .select('id')
    .where('exhibit_id', '=', exhibitId)
    .where('name', '=', name)
    .executeTakeFirst();
  return found !== undefined;
}
