/** The two backends of BullMQ behind one shape: how a queue and a worker are made on each, and how one waits until the backend answers. */
import { createPostgresBackend, type Processor, Queue, runMigrations, Worker, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { type Pool } from 'pg';
import { type Logger } from 'pino';
import { poolSettings, queueName, redisSettings } from './settings.ts';

export interface UnitJob {
  readonly unit: string;
}

export interface Backend {
  readonly kind: 'postgres' | 'redis';
  queue(): Queue<UnitJob>;
  worker(processor: Processor<UnitJob>, options: Omit<WorkerOptions, 'connection'>): Worker<UnitJob>;
}

export function openBackend(databaseUrl: string, queueUrl: string | null): Backend {
  if (queueUrl === null) {
    const connection = { ...poolSettings, connectionString: databaseUrl };
    return {
      kind: 'postgres',
      queue: () => new Queue(queueName, { connection: connection as never }, createPostgresBackend as never) as Queue<UnitJob>,
      worker: (processor, options) =>
        new Worker(
          queueName,
          processor,
          { ...options, connection: connection as never },
          createPostgresBackend as never,
        ) as Worker<UnitJob>,
    };
  }
  const connection = { url: queueUrl, ...redisSettings };
  return {
    kind: 'redis',
    queue: () => new Queue(queueName, { connection }),
    worker: (processor, options) => new Worker(queueName, processor, { ...options, connection }),
  };
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
