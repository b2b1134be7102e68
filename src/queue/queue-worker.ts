/** Takes jobs from BullMQ and has their units run. */
import { type Job, UnrecoverableError } from 'bullmq';
import { type QueueWorker, type WorkerOptions } from '../pipeline/unit-queue.ts';
import { type Backend, type UnitJob } from './backend.ts';
import { tick, workerSettings } from './settings.ts';

export async function startQueueWorker(
  backend: Backend,
  lockMs: number,
  { concurrency, run, onError }: WorkerOptions,
): Promise<QueueWorker> {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let lastSign = performance.now();

  // three parameters: only then does BullMQ hand over the signal
  const process = async (job: Job<UnitJob>, _token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    lastSign = performance.now();
    if (job.name === tick.name) return;
    const work = runOne(job.data.unit, signal);
    running.add(work);
    await work.finally(() => running.delete(work));
  };
  async function runOne(unitId: string, signal: AbortSignal | undefined): Promise<void> {
    const both = signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal]);
    try {
      await run(unitId, both);
    } catch (error) {
      onError(error, unitId);
      // nothing of the error's text goes into the queue: it may hold names from evidence; the table decides whether it runs again
      throw new UnrecoverableError('unit.failed');
    }
  }

  const worker = backend.worker(process, { ...workerSettings(lockMs), concurrency, autorun: false });
  worker.on('error', (error) => onError(error, null));
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const id of jobIds) worker.cancelJob(id, 'its lock was lost');
  });
  await worker.waitUntilReady();
  worker.run().catch((error: unknown) => onError(error, null));
  return {
    setConcurrency(count) {
      worker.concurrency = count;
    },
    pause: () => worker.pause(true),
    async resume() {
      lastSign = performance.now();
      worker.resume();
    },
    silenceMs: () => (running.size > 0 ? 0 : performance.now() - lastSign),
    async stop({ abort }) {
      if (abort) stopping.abort();
      await worker.close();
      await Promise.allSettled(running);
    },
  };
}
