/** Reports are written on a thread of their own: a long ledger is verified event by event, and the server answers meanwhile. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Config } from '../config.ts';

export interface ReportOrder {
  readonly config: Config;
  readonly examinationId: string;
  readonly folder: string;
}

/** Rejects with what the writing threw. */
export const writeReport = (workerData: ReportOrder): Promise<void> =>
  new Promise((resolve, reject) => {
    const thread = new Worker(join(import.meta.dirname, 'report-thread.ts'), { workerData });
    thread.on('error', reject);
    thread.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`the thread that writes a report ended with ${status}`))));
  });
