/** The working part of a process: registers itself, takes units, does what is ordered for it, and looks after what others left behind. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config } from '../config.ts';
import { type ThreadPool } from '../evidence/task.ts';
import { cancelUnits, controlChannel, readQueueState } from '../store/control.ts';
import { listen } from '../store/listen.ts';
import { type RunState } from '../store/schema.ts';
import { indexOutstanding } from '../store/search-index.ts';
import { unitsLost } from '../store/units.ts';
import { beat, readOrders, registerWorker, removeWorkers, tellWorkerState, type WorkerState } from '../store/workers.ts';
import { wake } from './control.ts';
import { hostOf, reconcile, startOf } from './reconciler.ts';
import { type ResizablePool } from './resizable-pool.ts';
import { roomIn } from './room.ts';
import { type Workplace } from './run-unit.ts';
import { takeUnits } from './take-units.ts';
import { type QueueWorker } from './unit-queue.ts';

export interface WorkerProcess {
  readonly id: string;
  /** Resolves when it was ordered to drain and has nothing left to do. */
  readonly drained: Promise<void>;
  /** False when the queue has given no sign of life for half a minute, although the database was there. */
  healthy(): boolean;
  /** Takes nothing new; `abort` also gives back what is under way, otherwise it waits for it. */
  stop(options: { abort: boolean }): Promise<void>;
}

/** A unit announced so long ago and held by nobody is announced again. */
const forgottenAfterMs = 30_000;
const silenceAllowedMs = 30_000;
/** Orders and cancellations that no notice told of are seen after so long. */
const lookMs = 1000;
const giveBackMs = 100;
/** How often it is asked whether a concluded examination cannot be searched yet: its worker ended, or it has none of a service. */
const outstandingMs = 60_000;

export interface Place extends Omit<Workplace, 'workerId' | 'held' | 'threads'> {
  readonly threads: ThreadPool & Partial<Pick<ResizablePool, 'resize'>>;
}

export interface WorkerSettings extends Pick<Config, 'concurrency' | 'reconcileMs' | 'isService'> {
  /** Room that must be left in the data folder: see room.ts; undefined: nothing is asked. */
  readonly reserveBytes?: number | null;
}

export async function startWorkerProcess(place: Place, settings: WorkerSettings, version: string): Promise<WorkerProcess> {
  const { database, queue, threads, onTrouble } = place;
  const host = await hostOf();
  let onConcluded: () => void = () => undefined; // units run before the rest has started
  const workplace: Workplace = {
    ...place,
    workerId: randomUUID(),
    held: new Map(),
    onProgress(progress) {
      if (progress.kind === 'conclude' && progress.ended) onConcluded();
      place.onProgress(progress);
    },
  };
  const { workerId: id } = workplace;
  const { concurrency } = settings;
  const started = await startOf(process.pid);
  await registerWorker(database, { id, host, pid: process.pid, started, version, threads: threads.threads, concurrency });

  const standing = { ...firstStanding(threads, concurrency), stopping: false, slots: 0 };
  const begins = () => standing.state === 'running' && standing.halted === null && !standing.stopping;
  const mayTake = () => begins() && standing.slots <= standing.concurrency;
  const wakeOthers = async () => {
    await sleep(giveBackMs);
    if (!standing.stopping) await wake(place, null);
  };
  const worker = await queue.startWorker({
    concurrency,
    async run(_unitId, signal) {
      standing.slots++;
      try {
        if (begins()) await takeUnits(workplace, mayTake, signal);
      } finally {
        standing.slots--;
        // its job was used up, and what it leaves or makes room for may be nobody's
        if (!begins() && !standing.stopping) wakeOthers().catch((error: unknown) => onTrouble('queue', error));
      }
    },
    onError: (error, unitId) => onTrouble(unitId === null ? 'queue' : `unit ${unitId}`, error),
  });
  const drained = Promise.withResolvers<void>();
  let awayAt = Number.NEGATIVE_INFINITY; // while the database is away the queue's silence says nothing: it is waited for
  const looking = everyNow(lookMs, onTrouble, 'orders', async () => {
    await obey(workplace, place, settings, worker, standing).catch((error: unknown) => {
      awayAt = performance.now();
      throw error;
    });
    if (standing.state === 'draining' && standing.slots === 0) drained.resolve();
  });
  const listener = listen(database, controlChannel, looking.now, (error) => onTrouble('listening for orders', error));
  await reconcile(database, queue, host, 0).catch((error: unknown) => onTrouble('reconciler', error)); // the next round tries again
  const rounds = everyNow(settings.reconcileMs, onTrouble, 'reconciler', async () => {
    await beat(database, id);
    await cancelUnits(database, null);
    await reconcile(database, queue, host, forgottenAfterMs);
  });
  const ending = new AbortController();
  const searchable = everyNow(outstandingMs, onTrouble, 'search', async () => {
    if (!settings.isService) return;
    try {
      while (!ending.signal.aborted && (await indexOutstanding(database, ending.signal)));
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
  });
  if (settings.isService) {
    onConcluded = searchable.now;
    searchable.now();
  }
  return {
    id,
    drained: drained.promise,
    healthy: () => !begins() || Math.min(worker.silenceMs(), performance.now() - awayAt) < silenceAllowedMs,
    async stop(options) {
      standing.stopping = true;
      listener.close();
      ending.abort();
      await Promise.all([rounds.stop(), looking.stop(), searchable.stop()]);
      await worker.stop(options);
      await removeWorkers(database, [id]);
      await wake(place, null); // for what was given back
    },
  };
}

interface Standing {
  state: RunState;
  halted: string | null;
  concurrency: number;
  /** What was last done about it, and told. Behind, where the database went away in between: then it is done again. */
  obeyed: WorkerState;
}

function firstStanding(threads: ThreadPool, concurrency: number): Standing {
  const now = { state: 'running', halted: null, concurrency } as const;
  return { ...now, obeyed: told(threads, now) };
}

/** Lets go of what was cancelled, and does what is ordered for this worker, for the queue, and by the disk. */
async function obey(
  { workerId, held, database, queue, dataFolder }: Workplace,
  { threads, onTrouble }: Place,
  { reserveBytes }: WorkerSettings,
  worker: QueueWorker,
  standing: Standing,
): Promise<void> {
  for (const unitId of await unitsLost(database, workerId, [...held.keys()])) held.get(unitId)?.lose();
  const [orders, queueState] = await Promise.all([readOrders(database, workerId), readQueueState(database)]);
  const room = reserveBytes === undefined ? null : await roomIn(dataFolder, reserveBytes);
  const before = standing.obeyed;
  standing.state = orders?.wanted_state ?? standing.state;
  standing.concurrency = orders?.wanted_concurrency ?? standing.concurrency;
  if (orders?.wanted_threads != null) threads.resize?.(orders.wanted_threads);
  if (queueState !== 'running') standing.halted = `the queue is ${queueState}`;
  else if (room?.short === true)
    standing.halted = `${room.freeBytes} bytes are free in the data folder, expected at least ${room.reserveBytes}`;
  else standing.halted = null;
  const now = told(threads, standing);
  if (JSON.stringify(now) === JSON.stringify(before)) return;
  worker.setConcurrency(standing.concurrency);
  const [began, begins] = [isBeginning(before), isBeginning(now)];
  if (room?.short === true && began) onTrouble('no new unit is begun', new Error(standing.halted!));
  if (begins !== began) await (began ? worker.pause() : worker.resume());
  await tellWorkerState(database, workerId, now);
  if (begins && !began) await wake({ database, queue }, null); // jobs may have been used up meanwhile
  standing.obeyed = now;
}

const isBeginning = ({ state, halted_because }: WorkerState): boolean => state === 'running' && halted_because === null;

const told = ({ threads }: ThreadPool, { state, halted, concurrency }: Omit<Standing, 'obeyed'>): WorkerState => ({
  threads,
  concurrency,
  state,
  halted_because: halted,
});

/** Repeats `work`, never twice at once; what it throws is told once, until it works again, and the next round tries again. */
function everyNow(milliseconds: number, onTrouble: Workplace['onTrouble'], what: string, work: () => Promise<void>) {
  let running: Promise<void> | null = null;
  let again = false;
  let failing = false;
  let stopped = false;
  const round = async () => {
    do {
      again = false;
      try {
        await work();
        failing = false;
      } catch (error) {
        if (!failing) onTrouble(what, error);
        failing = true;
      }
    } while (again && !stopped);
  };
  const start = () => {
    if (stopped) return;
    running ??= round().finally(() => {
      running = null;
    });
  };
  const timer = setInterval(start, milliseconds);
  return {
    /** Without waiting for the next round; after the present one, if there is one. */
    now() {
      again = true;
      start();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
