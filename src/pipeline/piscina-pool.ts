/** The pool of threads, on piscina: one thread entry file per kind of task, limits on silence, time and heap for each. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, type Transferable, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { ringBytes } from '../config.ts';
import {
  type Answer,
  type Batch,
  type HashMediaPart,
  type HashMediaResult,
  type HashRole,
  type RunOptions,
  type Task,
  type TaskResults,
  type ThreadPool,
} from '../evidence/task.ts';
import { combineParts } from './hash-parts.ts';
import { TaskError } from './task-error.ts';
import { Turnstile } from './turnstile.ts';

/** Of each thread, for objects that die young. What V8 takes unless told otherwise is no faster, and costs 200 MB (docs/PERFORMANCE.md). */
const youngMiB = 16;

const entryFolder = join(import.meta.dirname, '..', '..', 'workers');

export interface PoolOptions {
  readonly threads: number;
  readonly heapMiB: number;
  /** A task that tells nothing for so long is ended with its thread. */
  readonly silenceMs: number;
  /** Told of threads that end by themselves; the task concerned is told too. */
  onError(error: unknown): void;
}

export interface PiscinaPool extends ThreadPool {
  /** Threads that were ended and live on: they wait for the operating system (a dead network drive). A process with such a thread cannot exit. */
  stuck(): number;
}

export function openThreadPool({ threads, heapMiB, silenceMs, onError }: PoolOptions): PiscinaPool {
  const piscina = new Piscina({
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
    atomics: 'disabled', // a task waits for messages of its own port: its event loop must run
    resourceLimits: { maxOldGenerationSizeMb: heapMiB, maxYoungGenerationSizeMb: youngMiB },
    env: { TMPDIR: tmpdir() }, // nothing else of this process's environment reaches a parser
  });
  piscina.on('error', onError);
  const stuck = watchThreads(piscina);
  const turnstile = new Turnstile(threads);
  const shared = { piscina, silenceMs };
  return {
    threads,
    async run<T extends Task>(task: T, options: RunOptions): Promise<TaskResults[T['kind']]> {
      const paired = task.kind === 'hash-media' && threads > 1;
      const leave = await turnstile.enter(paired ? 2 : 1);
      try {
        if (options.signal.aborted) throw new TaskError('task.aborted', `${task.kind}: stopped before it began`, false);
        const result =
          task.kind === 'hash-media' ? await hashMedia(shared, task, paired, options) : await runOne(shared, { task }, task.kind, options);
        return result as TaskResults[T['kind']];
      } finally {
        leave();
      }
    },
    stuck,
    async close() {
      await piscina.close({ force: true });
    },
  };
}

/** Counts the threads that piscina has given up but that have not ended. */
function watchThreads(piscina: Piscina): () => number {
  const alive = new Set<Worker>();
  piscina.on('workerCreate', () => {
    for (const thread of piscina.threads) {
      if (alive.has(thread)) continue;
      alive.add(thread);
      thread.once('exit', () => alive.delete(thread));
    }
  });
  return () => [...alive].filter((thread) => !piscina.threads.includes(thread)).length;
}

/** By two threads that share a ring of memory with each other, or by one. When one of two fails the other is ended. */
async function hashMedia(shared: Shared, task: Task, paired: boolean, options: RunOptions): Promise<HashMediaResult> {
  const run = (role: HashRole, memory: SharedArrayBuffer | null, signal: AbortSignal) =>
    runOne(shared, { task, role, memory }, task.kind, { ...options, signal }) as Promise<HashMediaPart>;
  if (!paired) return combineParts([await run('all', null, options.signal)]);
  const memory = new SharedArrayBuffer(ringBytes);
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const parts = (['md5', 'sha'] as const).map((role) => run(role, memory, signal));
  try {
    return combineParts(await Promise.all(parts));
  } catch (error) {
    failure.abort();
    await Promise.allSettled(parts);
    throw error;
  }
}

interface Shared {
  readonly piscina: Piscina;
  readonly silenceMs: number;
}

/** One task on one thread. */
async function runOne({ piscina, silenceMs }: Shared, given: object, kind: Task['kind'], options: RunOptions): Promise<unknown> {
  const { port1: ours, port2: theirs } = new MessageChannel();
  const ending = endingOf(kind, silenceMs, options);
  const delivered = deliver(ours, options, ending);
  try {
    const running: Promise<Answer<unknown>> = piscina.run(
      { ...given, port: theirs },
      { filename: join(entryFolder, `${kind}.ts`), transferList: [theirs as unknown as Transferable], signal: ending.signal },
    );
    const [answer] = await Promise.all([running, delivered]);
    if ('refused' in answer) throw new TaskError(answer.refused.code, answer.refused.message, true);
    return answer.result;
  } catch (error) {
    throw ending.reason() ?? asTaskError(kind, error);
  } finally {
    ending.settle();
    ours.close();
  }
}

/** Hands on what a thread sends, in order, and answers each batch when it was taken. Resolves when the thread has closed its port. */
function deliver(port: MessagePort, { onBatch }: RunOptions, ending: Ending): Promise<void> {
  let last: Promise<void> = Promise.resolve();
  port.on('message', (batch: Batch) => {
    ending.signOfLife();
    last = last.then(async () => {
      await ending.pausedFor(onBatch(batch)); // while a batch is being taken the thread waits for us: no fault of its own
      if (batch.kind !== 'progress') port.postMessage('taken');
    });
    last.catch((error) => ending.stop(error));
  });
  return new Promise((resolve, reject) => {
    port.on('close', () => last.then(resolve, reject));
  });
}

interface Ending {
  readonly signal: AbortSignal;
  signOfLife(): void;
  /** Nobody is called silent meanwhile. */
  pausedFor(work: Promise<void> | void): Promise<void>;
  stop(reason: unknown): void;
  /** Why the task was ended from outside; undefined when it was not. */
  reason(): unknown;
  settle(): void;
}

/** Ends the task when its caller says so, when it is silent, when its time is over. */
function endingOf(kind: Task['kind'], silenceMs: number, { signal, timeLimitMs }: RunOptions): Ending {
  const controller = new AbortController();
  let reason: unknown;
  let heardAt = performance.now();
  const begunAt = heardAt;
  let isPaused = false;
  const stop = (why: unknown) => {
    reason ??= why;
    controller.abort();
  };
  const onAbort = () => stop(new TaskError('task.aborted', `${kind}: stopped`, false));
  signal.addEventListener('abort', onAbort, { once: true });
  const watch = setInterval(
    () => {
      const now = performance.now();
      if (!isPaused && now - heardAt > silenceMs) stop(new TaskError('task.silent', `${kind}: no sign of life for ${silenceMs} ms`, false));
      else if (timeLimitMs !== undefined && now - begunAt > timeLimitMs) {
        stop(new TaskError('task.time', `${kind}: not finished after ${timeLimitMs} ms`, false));
      }
    },
    Math.max(10, Math.min(1000, silenceMs / 4)),
  );
  return {
    signal: controller.signal,
    signOfLife() {
      heardAt = performance.now();
    },
    async pausedFor(work) {
      isPaused = true;
      await work;
      isPaused = false;
      heardAt = performance.now();
    },
    stop,
    reason: () => reason,
    settle() {
      clearInterval(watch);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

function asTaskError(kind: Task['kind'], error: unknown): unknown {
  if (error instanceof TaskError) return error;
  const code = (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'task.memory' : 'task.crashed';
  const message = error instanceof Error ? error.message : String(error);
  return new TaskError(code, `${kind}: ${message}`, false);
}
