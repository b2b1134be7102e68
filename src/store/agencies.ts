/** Agencies: whose cases and accounts are kept apart, and how much each may use. */
import { type PoolClient } from 'pg';

export interface Quotas {
  readonly maxBytes: number;
  readonly maxObjects: number;
  readonly maxUploads: number;
  readonly maxRunningUnits: number;
}

export interface Agency extends Quotas {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
}

interface Row {
  id: string;
  name: string;
  max_bytes: string;
  max_objects: number;
  max_uploads: number;
  max_running_units: number;
  created_at: Date;
}

const agencyOf = (row: Row): Agency => ({
  id: row.id,
  name: row.name,
  maxBytes: Number(row.max_bytes),
  maxObjects: row.max_objects,
  maxUploads: row.max_uploads,
  maxRunningUnits: row.max_running_units,
  createdAt: row.created_at.toISOString(),
});

const columns = 'id, name, max_bytes, max_objects, max_uploads, max_running_units, created_at';

/** In the order of their names, from behind `after`. */
export async function listAgencies(client: PoolClient, after: string | null, limit: number): Promise<Agency[]> {
  const { rows } = await client.query<Row>(`select ${columns} from agency where $1::text is null or name > $1 order by name limit $2`, [
    after,
    limit,
  ]);
  return rows.map(agencyOf);
}

export async function findAgency(client: PoolClient, id: string, { lock = false } = {}): Promise<Agency | null> {
  const { rows } = await client.query<Row>(`select ${columns} from agency where id = $1 ${lock ? 'for no key update' : ''}`, [id]);
  return rows[0] === undefined ? null : agencyOf(rows[0]);
}

/** Null where the name is taken. */
export async function insertAgency(client: PoolClient, name: string): Promise<Agency | null> {
  const { rows } = await client.query<Row>(`insert into agency (name) values ($1) on conflict do nothing returning ${columns}`, [name]);
  return rows[0] === undefined ? null : agencyOf(rows[0]);
}

export async function changeAgency(client: PoolClient, id: string, change: Partial<Quotas>): Promise<Agency> {
  const { rows } = await client.query<Row>(
    `update agency set max_bytes = coalesce($2, max_bytes), max_objects = coalesce($3, max_objects),
       max_uploads = coalesce($4, max_uploads), max_running_units = coalesce($5, max_running_units)
     where id = $1 returning ${columns}`,
    [id, change.maxBytes ?? null, change.maxObjects ?? null, change.maxUploads ?? null, change.maxRunningUnits ?? null],
  );
  return agencyOf(rows[0]!);
}
