/** Reports are written by a process of their own: a long ledger is verified event by event, and the server answers meanwhile. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { type Config } from '../config.ts';

export interface ReportOrder {
  readonly config: Config;
  readonly examinationId: string;
  readonly folder: string;
}

/** What the process says at its end; `code` as errors of the system and of this program have it. */
export interface ReportOutcome {
  readonly failure: { readonly message: string; readonly code?: string } | null;
}

/** Rejects with what the writing threw. */
export const writeReport = (order: ReportOrder): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'report-process.ts'), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    let outcome: ReportOutcome | null = null;
    child.on('message', (told) => {
      outcome = told as ReportOutcome;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      const failure = outcome === null ? { message: `the process that writes a report ended with ${signal ?? status}` } : outcome.failure;
      if (failure === null) resolve();
      else reject(Object.assign(new Error(failure.message), failure));
    });
    child.send(order, (error) => {
      if (error !== null) reject(error);
    });
  });
