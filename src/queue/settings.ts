/** What BullMQ is told, with the reasons; the same for both of its backends. */

export const queueName = 'custodia-units';

/** Retention by age and number, never "remove at once": a finished job that is still there makes a double announcement visible. */
const retention = { age: 7 * 24 * 3600, count: 10_000 };

export const jobOptions = { attempts: 1, removeOnComplete: retention, removeOnFail: retention } as const; // retries are the unit table's business

/** `lockMs` also bounds how soon the job of a killed worker comes back. */
export const workerSettings = (lockMs: number) => ({
  lockDuration: lockMs,
  stalledInterval: Math.max(500, Math.min(5000, Math.floor(lockMs / 3))),
  maxStalledCount: 1_000_000, // two restarts of the database must not fail a long job: the unit table counts losses itself
  runRetryDelay: 1000, // the default of 15 s would be the wait after each restart of the database
  drainDelay: 5,
  removeOnComplete: retention,
  removeOnFail: retention,
});

/** A job that does nothing: it shows that the queue lives, and it caps the wait on a connection that died silently. */
export const tick = { name: 'tick', everyMs: 5000 } as const;

/** Pool of BullMQ's own connections. */
export const poolSettings = {
  keepAlive: true,
  connectionTimeoutMillis: 3000,
  statement_timeout: 15_000,
  query_timeout: 17_000, // what the server has not answered by then never comes: the line is dead
  lock_timeout: 5000,
  idle_in_transaction_session_timeout: 5000,
  application_name: 'custodia-queue',
  options: '-c search_path=bullmq', // BullMQ's statements name its tables without their schema
  max: 8, // one of them listens
};

/** BullMQ's connections to Redis. */
export const redisSettings = {
  maxRetriesPerRequest: null, // a worker waits for Redis as long as it takes
  socketTimeout: 15_000, // no command waits longer than 10 s for its answer (BullMQ's longest blocking wait): the line is dead
} as const;
