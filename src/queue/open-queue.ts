/** The queue of units on BullMQ: on PostgreSQL, where announcing is part of our transaction, or on Redis, by an outbox. */
import { createPostgresBackend, Queue } from 'bullmq';
import { type Pool, type PoolClient } from 'pg';
import { type Logger } from 'pino';
import { type QueueDepth, type UnitNotice, type UnitQueue } from '../pipeline/unit-queue.ts';
import { migrateBackend, openBackend, tracing, type UnitJob, waitForRedis } from './backend.ts';
import { showOnBoard } from './board.ts';
import { prepareOutbox, startRelay, writeOutbox } from './outbox.ts';
import { startQueueWorker } from './queue-worker.ts';
import { jobOptions, queueName, tick } from './settings.ts';
import { transactionPool } from './transaction-pool.ts';

export interface QueueOptions {
  readonly pool: Pool;
  readonly databaseUrl: string;
  /** `redis://...`, or null for PostgreSQL. */
  readonly queueUrl: string | null;
  readonly log: Logger;
  /** How long a worker holds a job without renewing it; default 15 s. */
  readonly lockMs?: number;
}

/** The explicit step at start: waits for the backend and brings its tables up to date. */
export async function prepareQueue({ pool, queueUrl, log }: QueueOptions): Promise<void> {
  if (queueUrl === null) await migrateBackend(pool);
  else {
    await prepareOutbox(pool);
    await waitForRedis(queueUrl, log);
  }
}

const jobOf = ({ id, priority }: UnitNotice) => ({ name: 'unit', data: { unit: id }, opts: { ...jobOptions, jobId: id, priority } });

/** To be called after `prepareQueue`. */
export async function openUnitQueue({ pool, databaseUrl, queueUrl, log, lockMs = 15_000 }: QueueOptions): Promise<UnitQueue> {
  const backend = openBackend(databaseUrl, queueUrl, log);
  const queue = backend.queue();
  queue.on('error', (error) => log.warn({ err: error }, 'queue'));
  await queue.waitUntilReady();
  await queue.upsertJobScheduler(
    tick.name,
    { every: tick.everyMs },
    { name: tick.name, data: { unit: '' }, opts: { removeOnComplete: { count: 10 }, removeOnFail: { count: 10 } } },
  );
  const add = async (units: readonly UnitNotice[]) => {
    await queue.addBulk(units.map(jobOf));
  };
  const relay = backend.kind === 'redis' ? startRelay(pool, add, log) : null;
  const units: UnitQueue = {
    backend: backend.kind,
    announce: (client, units) => (relay === null ? addInside(client, units) : writeOutbox(client, units)),
    async reannounce(units) {
      const missing: UnitNotice[] = [];
      for (const unit of units) if (!(await revive(queue, unit.id))) missing.push(unit);
      if (missing.length > 0) await add(missing);
    },
    startWorker: (options) => startQueueWorker(backend, lockMs, options),
    counts: () => queue.getJobCounts(),
    depth: async () => depthOf(await queue.getJobCounts()),
    async withdraw(unitIds) {
      for (const id of unitIds) await queue.remove(id);
    },
    async close() {
      await relay?.close();
      await queue.close();
      await backend.close();
    },
  };
  return showOnBoard(units, queue);
}

/** On PostgreSQL those that wait in a paused queue are counted as paused, and none as waiting; those with a priority are counted apart on both. */
const depthOf = (counts: Readonly<Record<string, number>>): QueueDepth => {
  const sum = (...names: string[]) => names.reduce((all, name) => all + (counts[name] ?? 0), 0);
  return {
    waiting: sum('waiting', 'paused', 'prioritized'), // units are never delayed: that is the tick
    active: sum('active'),
    completed: sum('completed'),
    failed: sum('failed'),
  };
};

/** The jobs become visible, and workers are woken, when the client's transaction commits. */
async function addInside(client: PoolClient, units: readonly UnitNotice[]): Promise<void> {
  const connection = transactionPool(client);
  const queue = new Queue(queueName, { ...tracing(), connection: connection as never }, createPostgresBackend as never);
  try {
    await queue.addBulk(units.map(jobOf));
  } finally {
    await queue.close();
  }
}

/** False when there is no job of this unit. One that has ended runs again; one that waits or runs is left alone. */
async function revive(queue: Queue<UnitJob>, unitId: string): Promise<boolean> {
  const job = await queue.getJob(unitId);
  if (job === undefined) return false;
  const state = await job.getState();
  if (state !== 'completed' && state !== 'failed') return state !== 'unknown';
  try {
    await job.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: true });
  } catch (error) {
    // another process was quicker, or the job was cleaned away in between: what counts is how it stands now
    const now = await job.getState();
    if (now === state) throw error;
    return now !== 'unknown';
  }
  return true;
}
