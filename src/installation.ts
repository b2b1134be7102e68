/** Opens what a running process needs, in the right order, and closes it in reverse. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pool } from 'pg';
import { type Logger, pino } from 'pino';
import { type Config } from './config.ts';
import { openSigner, type Signer } from './custody/signer.ts';
import { type ThreadPool } from './evidence/task.ts';
import { type PiscinaPool } from './pipeline/piscina-pool.ts';
import { createRecorder, type Recorder } from './pipeline/recorder.ts';
import { openResizablePool } from './pipeline/resizable-pool.ts';
import { type UnitProgress } from './pipeline/run-unit.ts';
import { type UnitQueue } from './pipeline/unit-queue.ts';
import { startWorkerProcess, type WorkerProcess } from './pipeline/worker-process.ts';
import { openUnitQueue, prepareQueue } from './queue/open-queue.ts';
import { openPool, probe } from './store/connection.ts';
import { openEmbedded } from './store/embedded.ts';
import { recordSigner } from './store/laboratory.ts';
import { migrate } from './store/migrate.ts';
import { isTransient } from './store/transaction.ts';

/** A job whose worker died comes back after so long, however long the leases are. */
const lockMs = 15_000;

export interface Installation {
  readonly config: Config;
  readonly log: Logger;
  readonly database: Pool;
  readonly threads: ThreadPool;
  readonly signer: Signer;
  readonly recorder: Recorder;
  /** Of this program. */
  readonly version: string;
  /** Opened at the first call: commands that only read need none. */
  queue(): Promise<UnitQueue>;
  /** `heedsRoom`: begins nothing while the disk is short. One that works for a single command only does so where a reserve was asked for. */
  startWorker(onProgress: (progress: UnitProgress) => void, heedsRoom?: boolean): Promise<WorkerProcess>;
  close(): Promise<void>;
  /** The last thing a process does. One whose threads wait for the operating system for ever cannot exit: it kills itself, and its status is lost. */
  exit(status: number): Promise<never>;
}

export const packageVersion = async (): Promise<string> =>
  (JSON.parse(await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string }).version;

/** Code and words of an error, without what hangs on it: connections hold more than a log should. */
const plainError = (error: Error & { code?: unknown }) => ({
  type: error.name,
  code: error.code,
  message: error.message,
  stack: error.stack,
});

/** Starts or joins the database, brings its schema up to date, and opens the key. `onStage` hears what takes its time. */
export async function openInstallation(config: Config, onStage: (what: string) => void = () => undefined): Promise<Installation> {
  const log = pino(
    { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: plainError } },
    pino.destination({ fd: 2, sync: true }),
  );
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    for (let step = closing.pop(); step !== undefined; step = closing.pop()) await step();
  };
  try {
    const signer = await openSigner(join(config.dataFolder, 'keys'));
    onStage(config.databaseUrl === null ? 'starting the embedded PostgreSQL' : 'connecting to PostgreSQL');
    const databaseUrl = config.databaseUrl ?? (await startEmbedded(config, log, closing));
    const database = openPool({ url: databaseUrl, log, max: config.concurrency * 2 + 6 });
    closing.push(endingOf(database));
    const { clockDifferenceMs: clockOffsetMs } = await probe(database);
    await migrate(database);
    await refuseOtherKey(database, signer, config.dataFolder);
    await prepareQueue({ pool: database, databaseUrl, queueUrl: config.queueUrl, log });
    const { threads: count, threadHeapMiB, silenceMs } = config;
    const onError = (error: unknown) => log.warn({ err: error }, 'a thread of the pool ended by itself');
    const threads = openResizablePool({ threads: count, heapMiB: threadHeapMiB, silenceMs, onError });
    closing.push(() => threads.close());
    const version = await packageVersion();
    const limits = {
      silenceMs,
      heapMiB: threadHeapMiB,
      get threads() {
        return threads.threads; // may change while they work
      },
    };
    const recorder = await createRecorder({ signer, version, clockOffsetMs, limits });
    const queue = once(async () => {
      const opened = await openUnitQueue({
        pool: database,
        databaseUrl,
        queueUrl: config.queueUrl,
        log,
        lockMs: Math.min(config.leaseMs, lockMs),
      });
      closing.push(() => opened.close());
      return opened;
    });
    const startWorker = async (onProgress: (progress: UnitProgress) => void, heedsRoom = config.reserveBytes !== null) => {
      const { dataFolder, leaseMs, failuresAllowed, lossesAllowed } = config;
      const onTrouble = (message: string, error: unknown) => log.warn({ err: error }, message);
      const place = { database, queue: await queue(), threads, recorder, dataFolder, leaseMs, failuresAllowed, lossesAllowed };
      const { concurrency, reconcileMs, reserveBytes } = config;
      const settings = { concurrency, reconcileMs, isService: config.isService, ...(heedsRoom ? { reserveBytes } : {}) };
      return startWorkerProcess({ ...place, onProgress, onTrouble }, settings, version);
    };
    const exit = (status: number) => exitUnlessStuck(threads, log, status);
    return { config, log, database, threads, signer, recorder, version, queue, startWorker, close, exit };
  } catch (error) {
    await close();
    throw error;
  }
}

const partingMs = 2000;

/** Ends the pool and waits until its connections are really gone: a server that stops while one is still parting writes to it, and that reads like a loss. */
function endingOf(pool: Pool): () => Promise<void> {
  const open = new Set<Promise<void>>();
  pool.on('connect', (client) => {
    const gone = new Promise<void>((resolve) => client.once('end', resolve));
    open.add(gone);
    void gone.then(() => open.delete(gone));
  });
  return async () => {
    await pool.end();
    const over = AbortSignal.timeout(partingMs);
    await Promise.race([Promise.all(open), new Promise((resolve) => over.addEventListener('abort', resolve))]);
  };
}

/** A ledger with events of two keys would verify with neither. Throws Error (`key.other`). */
async function refuseOtherKey(database: Pool, { keyId }: Signer, dataFolder: string): Promise<void> {
  const recorded = await recordSigner(database, keyId);
  if (recorded === keyId) return;
  const expected = 'expected the data folder that belongs to this database (--data, CUSTODIA_DATA), or its key put back from a backup';
  throw new Error(`key.other: the record in this database is signed by ${recorded}, and ${dataFolder} holds the key ${keyId}; ${expected}`);
}

/** An installation that works. A database that goes away while it starts is waited for, as it is by a worker that runs, until `stopped`. */
export async function openWithWorker(config: Config, stopped: AbortSignal): Promise<{ installation: Installation; worker: WorkerProcess }> {
  const deadline = Date.now() + startPatienceMs;
  while (true) {
    try {
      const installation = await openInstallation(config);
      try {
        return { installation, worker: await installation.startWorker(() => undefined, true) };
      } catch (error) {
        await installation.close();
        throw error;
      }
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline || stopped.aborted) throw error;
      await sleep(500);
    }
  }
}

const startPatienceMs = 60_000;

async function startEmbedded(config: Config, log: Logger, closing: (() => Promise<void>)[]): Promise<string> {
  const server = await openEmbedded({ dataFolder: config.dataFolder, log, isService: config.isService });
  closing.push(() => server.close());
  return server.url;
}

async function exitUnlessStuck(threads: PiscinaPool, log: Logger, status: number): Promise<never> {
  for (let patience = 20; threads.stuck() > 0 && patience > 0; patience--) await sleep(50); // one that was just ended needs a moment
  if (threads.stuck() > 0) {
    log.fatal(
      `${threads.stuck()} threads wait for the operating system and cannot be ended: this process is killed instead of status ${status}`,
    );
    process.kill(process.pid, 'SIGKILL');
  }
  return process.exit(status);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}
