/** The two backends of BullMQ behind one shape: how a queue and a worker are made on each, and how one waits until the backend answers. */
import { createPostgresBackend, type Processor, Queue, runMigrations, Worker, type WorkerOptions } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { type Logger } from 'pino';
import { isTraced } from '../telemetry.ts';
import { poolSettings, queueName, redisSettings } from './settings.ts';

export interface UnitJob {
  readonly unit: string;
}

export interface Backend {
  readonly kind: 'postgres' | 'redis';
  queue(): Queue<UnitJob>;
  worker(processor: Processor<UnitJob>, options: Omit<WorkerOptions, 'connection'>): Worker<UnitJob>;
  /** To be called when its queues and workers are closed. */
  close(): Promise<void>;
}

export function openBackend(databaseUrl: string, queueUrl: string | null, log: Logger): Backend {
  if (queueUrl === null) {
    const connection = openQueuePool(databaseUrl, log);
    return {
      kind: 'postgres',
      queue: () =>
        new Queue(queueName, { ...tracing(), connection: connection as never }, createPostgresBackend as never) as Queue<UnitJob>,
      worker: (processor, options) =>
        new Worker(
          queueName,
          processor,
          { ...tracing(), ...options, connection: connection as never },
          createPostgresBackend as never,
        ) as Worker<UnitJob>,
      close: () => connection.end(),
    };
  }
  const connection = { url: queueUrl, ...redisSettings };
  return {
    kind: 'redis',
    queue: () => new Queue(queueName, { ...tracing(), connection }),
    worker: (processor, options) => new Worker(queueName, processor, { ...tracing(), ...options, connection }),
    close: async () => undefined, // each queue and worker has its own connections, and ends them
  };
}

/** A job remembers the span that announced it: only where spans go anywhere. */
export const tracing = () => (isTraced() ? { telemetry: new BullMQOtel({ tracerName: 'custodia' }) } : {});

/**
 * BullMQ's connections, in a pool of ours: in one of its own, clients that are checked out have no `error` listener, and the one that listens
 * gets it too late, so that a connection cut in the wrong millisecond would end the process.
 */
function openQueuePool(databaseUrl: string, log: Logger): Pool {
  const pool = new Pool({ ...poolSettings, connectionString: databaseUrl });
  pool.setMaxListeners(0); // each queue and worker adds one
  pool.on('error', (error) => log.warn({ err: error }, 'an idle connection of the queue was lost'));
  pool.on('connect', (client) => client.on('error', (error) => log.warn({ err: error }, 'a connection of the queue was lost')));
  return pool;
}

/** BullMQ's own tables: the explicit step at start. Several at once wait for each other. */
export async function migrateBackend(pool: Pool): Promise<void> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0');
    await runMigrations(client as never);
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    client.release(failure ?? true); // its settings were changed
  }
}

const patienceMs = 15_000;

/** Before any Queue or Worker is made: one that is made while its backend is away may be dead for good. Throws Error (`queue.unreachable`). */
export async function waitForRedis(queueUrl: string, log: Logger): Promise<void> {
  const redis = new Redis(queueUrl, {
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => (times * 200 > patienceMs ? null : 200),
  });
  let last: unknown = null;
  redis.on('error', (error) => {
    last = error;
  });
  const deadline = Date.now() + patienceMs;
  try {
    while (true) {
      try {
        await redis.ping();
        return;
      } catch (error) {
        last = error;
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  } catch (error) {
    log.error({ err: last }, 'Redis does not answer');
    const { protocol, host } = new URL(queueUrl);
    throw new Error(`queue.unreachable: Redis at ${protocol}//${host}: no answer within ${patienceMs} ms: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    redis.disconnect();
  }
}
