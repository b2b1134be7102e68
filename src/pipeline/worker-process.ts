/** The working part of a process: registers itself, takes units from the queue, and looks after what others left behind. */
import { randomUUID } from 'node:crypto';
import { type Config } from '../config.ts';
import { beat, registerWorker, removeWorkers } from '../store/workers.ts';
import { hostOf, reconcile, startOf } from './reconciler.ts';
import { runUnit, type Workplace } from './run-unit.ts';

export interface WorkerProcess {
  readonly id: string;
  setConcurrency(concurrency: number): void;
  /** False when the queue has given no sign of life for half a minute. */
  healthy(): boolean;
  /** Takes nothing new; `abort` also gives back what is under way, otherwise it waits for it. */
  stop(options: { abort: boolean }): Promise<void>;
}

/** A unit announced so long ago and held by nobody is announced again. */
const forgottenAfterMs = 30_000;
const silenceAllowedMs = 30_000;

export type Place = Omit<Workplace, 'workerId'>;

export async function startWorkerProcess(place: Place, config: Config, version: string): Promise<WorkerProcess> {
  const id = randomUUID();
  const { database, queue, threads } = place;
  const host = await hostOf();
  const workplace: Workplace = { ...place, workerId: id };
  const started = await startOf(process.pid);
  await registerWorker(database, {
    id,
    host,
    pid: process.pid,
    started,
    version,
    threads: threads.threads,
    concurrency: config.concurrency,
  });
  const worker = await queue.startWorker({
    concurrency: config.concurrency,
    run: (unitId, signal) => runUnit(workplace, unitId, signal),
    onError: (error, unitId) => place.onTrouble(unitId === null ? 'queue' : `unit ${unitId}`, error),
  });
  await reconcile(database, queue, host, 0).catch((error: unknown) => place.onTrouble('reconciler', error)); // the next round tries again
  const rounds = everyNow(config.reconcileMs, place, async () => {
    await beat(database, id);
    await reconcile(database, queue, host, forgottenAfterMs);
  });
  return {
    id,
    setConcurrency: (concurrency) => worker.setConcurrency(concurrency),
    healthy: () => worker.silenceMs() < silenceAllowedMs,
    async stop(options) {
      await rounds.stop();
      await worker.stop(options);
      await removeWorkers(database, [id]);
    },
  };
}

/** Repeats `work`, never twice at once; what it throws is told and the next round tries again. */
function everyNow(milliseconds: number, { onTrouble }: Place, work: () => Promise<void>) {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= work()
      .catch((error: unknown) => onTrouble('reconciler', error))
      .finally(() => {
        running = null;
      });
  }, milliseconds);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
