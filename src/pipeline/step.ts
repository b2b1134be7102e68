/** What a step is given and what it hands back: the pipeline commits it as a whole or not at all. */
import { type Pool, type PoolClient } from 'pg';
import { type Task, type TaskResults } from '../evidence/task.ts';
import { type Examination } from '../store/examinations.ts';
import { type NewUnit, type Unit } from '../store/units.ts';
import { type Collected } from './collected.ts';

export interface StepContext {
  readonly unit: Unit;
  readonly examination: Examination;
  readonly database: Pool;
  /** Folder of this installation: scratch files, finished catalogues. */
  readonly dataFolder: string;
  readonly signal: AbortSignal;
  /** A failure of this try would be one too many. */
  readonly isLastTry: boolean;
  readonly collected: Collected;
  /** Runs a task on a thread; its batches are collected. `bytes` to go through set the limit of time. Throws TaskError. */
  run<T extends Task>(task: T, bytes: number): Promise<TaskResults[T['kind']]>;
}

export interface StepOutcome {
  readonly status: 'done' | 'split' | 'quarantined';
  readonly reason?: string;
  /** Kept in the unit's row: what later steps and the report need. */
  readonly result: unknown;
  /** Numbers for the ledger. */
  readonly counts: Readonly<Record<string, number>>;
  readonly digests: readonly DigestStatement[];
  readonly children: AsyncIterable<NewUnit> | Iterable<NewUnit>;
  /** Further rows, in the transaction that ends the unit. */
  write?(client: PoolClient): Promise<void>;
}

/** A digest with all that makes it mean something. */
export interface DigestStatement {
  readonly scope: 'segment' | 'container' | 'media-stream' | 'catalogue';
  readonly name: string;
  readonly algorithm: string;
  /** Lower-case hex. */
  readonly value: string;
  /** Hash point: H1 receipt, H5 before export. */
  readonly point: 'H1' | 'H5';
  /** How it compares with what was known before. */
  readonly result?: 'equal' | 'different';
}

export const nothing: Iterable<NewUnit> = [];

/** Lower is sooner. */
export const priorities = { survey: 1, 'list-files': 2, 'hash-media': 3, 'examine-files': 4, conclude: 5 } as const;
