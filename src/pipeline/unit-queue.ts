/** What the pipeline asks of a queue: to wake a worker for a unit. The unit table stays the truth. */
import { type PoolClient } from 'pg';

export interface UnitQueue {
  readonly backend: 'postgres' | 'redis';
  /**
   * Announces units inside the caller's open transaction: after a rollback nothing was announced, after a commit everything will be.
   * Announcing a unit twice, even at the same moment from two processes, wakes at most one run at a time.
   */
  announce(client: PoolClient, units: readonly UnitNotice[]): Promise<void>;
  /** Announces again units that the table calls open but that may have lost their job (crash, failed job, flushed Redis). Harmless for those that are waiting or active. */
  reannounce(units: readonly UnitNotice[]): Promise<void>;
  /**
   * Takes announced units one after the other, up to `concurrency` at once, and calls `run`. `signal` aborts when the job's lock is lost or the worker stops.
   * A rejection of `run` is reported to `onError`; the job is then over, and the reconciler decides from the table.
   */
  startWorker(options: WorkerOptions): Promise<QueueWorker>;
  counts(): Promise<Readonly<Record<string, number>>>;
  depth(): Promise<QueueDepth>;
  /** Removes what is still announced of these units (examination cancelled or ended). */
  withdraw(unitIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Announcements, not units: the unit table says how many of those are open. */
export interface QueueDepth {
  /** In whatever order, paused or not. */
  readonly waiting: number;
  readonly active: number;
  readonly completed: number;
  readonly failed: number;
}

export interface UnitNotice {
  readonly id: string;
  /** 1 (first) to 2,000,000 (last). */
  readonly priority: number;
}

export interface WorkerOptions {
  readonly concurrency: number;
  run(unitId: string, signal: AbortSignal): Promise<void>;
  onError(error: unknown, unitId: string | null): void;
}

export interface QueueWorker {
  setConcurrency(concurrency: number): void;
  /** Takes nothing new; what runs goes on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Milliseconds since the queue last gave a sign of life (a job, or the tick). */
  silenceMs(): number;
  /** Takes nothing new and waits for what runs; `abort` also aborts the signals of what runs. */
  stop(options: { abort: boolean }): Promise<void>;
}
