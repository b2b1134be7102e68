/** The register of worker processes: who is alive, and who on this host is not. */
import { type Selectable, sql } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { queries, type RunState, type Tables } from './schema.ts';

export interface RegisteredWorker {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Tells a process from a later one with the same number: what the operating system gives as its start. */
  readonly started: string;
  readonly version: string;
  readonly threads: number;
  readonly concurrency: number;
}

export async function registerWorker(pool: Pool, worker: RegisteredWorker): Promise<void> {
  await queries(pool).insertInto('worker').values(worker).execute();
}

export async function beat(pool: Pool, workerId: string): Promise<void> {
  await queries(pool).updateTable('worker').set({ heartbeat_at: sql<Date>`clock_timestamp()` }).where('id', '=', workerId).execute();
}

/** What was ordered for a worker; null when it is not registered any more. */
export async function readOrders(pool: Pool, workerId: string): Promise<Orders | null> {
  const orders = queries(pool)
    .selectFrom('worker')
    .select(['wanted_state', 'wanted_threads', 'wanted_concurrency'])
    .where('id', '=', workerId);
  return (await orders.executeTakeFirst()) ?? null;
}

export type Orders = Pick<Selectable<Tables['worker']>, 'wanted_state' | 'wanted_threads' | 'wanted_concurrency'>;

/** False when there is no such worker. */
export async function orderWorker(client: PoolClient, workerId: string, orders: Partial<Orders>): Promise<boolean> {
  const ordered = queries(client).updateTable('worker').set(orders).where('id', '=', workerId);
  return (await ordered.executeTakeFirst()).numUpdatedRows === 1n;
}

export interface WorkerState {
  readonly threads: number;
  readonly concurrency: number;
  readonly state: RunState;
  readonly halted_because: string | null;
}

/** How a worker has obeyed. */
export async function tellWorkerState(pool: Pool, workerId: string, state: WorkerState): Promise<void> {
  await queries(pool).updateTable('worker').set(state).where('id', '=', workerId).execute();
}

export async function removeWorkers(pool: Pool, ids: readonly string[]): Promise<void> {
  if (ids.length > 0)
    await queries(pool)
      .deleteFrom('worker')
      .where('id', 'in', [...ids])
      .execute();
}

/** Nobody else removes what a crash left on a machine that did not come back. */
export async function removeSilentWorkers(pool: Pool, silentMs: number): Promise<void> {
  await queries(pool)
    .deleteFrom('worker')
    .where('heartbeat_at', '<', sql<Date>`clock_timestamp() - ${silentMs} * interval '1 millisecond'`)
    .execute();
}

export const listWorkers = (pool: Pool): Promise<(RegisteredWorker & { heartbeat_at: Date })[]> =>
  queries(pool)
    .selectFrom('worker')
    .select(['id', 'host', 'pid', 'started', 'version', 'threads', 'concurrency', 'heartbeat_at'])
    .orderBy('registered_at')
    .execute();
