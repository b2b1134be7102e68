/** `custodia process`: images in, reports out, in one go. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { defaultLimits, usualDigests } from '../config.ts';
import { type ImageReference, type Profile } from '../evidence/task.ts';
import { type Installation } from '../installation.ts';
import { submit } from '../pipeline/submit.ts';
import { TaskError } from '../pipeline/task-error.ts';
import { type ReportSummary, writeExaminationReport } from '../reports/assemble.ts';
import { readExamination } from '../store/examinations.ts';
import { isTransient } from '../store/transaction.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { refuseFullFolder } from './out-folder.ts';
import { type ProgressView } from './progress.ts';
import { createTracker, type Tracker } from './tracker.ts';

export interface ProcessOptions {
  readonly images: readonly string[];
  readonly caseReference: string;
  readonly exhibit: string;
  readonly examiner: string;
  /** Further digests of every file. */
  readonly digests: readonly string[];
  readonly out: string;
}

export interface Processed {
  readonly status: number;
  readonly reports: readonly ReportSummary[];
}

/** `further` digests of every file besides the usual ones. */
export const profileWith = (further: readonly string[]): Profile => ({
  digests: [...new Set([...usualDigests, ...further])],
  limits: defaultLimits,
});

/** `signal` stops cleanly: what is under way is given back, and the same command goes on with it later. */
export async function processImages(
  installation: Installation,
  options: ProcessOptions,
  view: ProgressView,
  signal: AbortSignal,
): Promise<Processed> {
  const out = resolve(options.out);
  await refuseFullFolder(out);
  const sets = await findSets(installation, options.images, signal);
  const queue = await installation.queue();
  const examinations: string[] = [];
  for (const image of sets) {
    const { exhibit, caseReference, examiner } = options;
    const submission = { caseReference, exhibit, examiner, image, profile: profileWith(options.digests) };
    const submitted = await submit(installation.database, queue, installation.recorder, submission);
    view.note(`${submitted.resumed ? 'going on with' : 'received'} ${describeSet(image)} as examination ${submitted.examinationId}`);
    examinations.push(submitted.examinationId);
  }
  const tracker = createTracker(installation.database, examinations);
  const worker = await installation.startWorker(tracker.onProgress);
  try {
    await waitForAll(tracker, view, signal);
  } finally {
    await worker.stop({ abort: true });
    view.done();
  }
  return writeReports(installation, examinations, out, view);
}

/** A database that is away for so long will not come back by itself. */
const databaseAwayMs = 60_000;

async function waitForAll(tracker: Tracker, view: ProgressView, signal: AbortSignal): Promise<void> {
  let seenAt = performance.now();
  while (true) {
    if (signal.aborted) throw new CommandError(exitCodes.stopped, 'stopped', 'stopped; the same command goes on from here');
    try {
      const { state, open } = await tracker.look();
      seenAt = performance.now();
      view.show(state);
      if (!open) return;
    } catch (error) {
      // the worker waits for a database that restarts: so does who looks on
      if (!isTransient(error) || performance.now() - seenAt > databaseAwayMs) throw error;
    }
    await pause(250, signal);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((wake) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      wake();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

/** One examination that failed does not keep the others from their reports. */
async function writeReports(
  installation: Installation,
  examinations: readonly string[],
  out: string,
  view: ProgressView,
): Promise<Processed> {
  const reports: ReportSummary[] = [];
  const failed: string[] = [];
  for (const [index, id] of examinations.entries()) {
    const found = await readExamination(installation.database, id);
    if (found?.examination.status === 'failed') {
      failed.push(id);
      continue;
    }
    view.note('writing the report');
    reports.push(await writeReport(installation, id, examinations.length === 1 ? out : join(out, String(index + 1))));
  }
  if (failed.length > 0) {
    const others = reports.map(({ folder }) => `; the report of another is in ${folder}`).join('');
    const text = `examination ${failed.join(', ')} could not be concluded: 'custodia list' and the log say why${others}`;
    throw new CommandError(exitCodes.failed, 'examination.failed', text);
  }
  return { status: Math.max(...reports.map(statusOf)), reports };
}

async function writeReport(installation: Installation, id: string, folder: string): Promise<ReportSummary> {
  try {
    return await writeExaminationReport(installation, id, folder);
  } catch (error) {
    const { code = 'failed', message } = error as Error & { code?: string };
    const advice = `the examination itself is done: 'custodia report ${id} --out FOLDER' writes its report`;
    throw new CommandError(exitCodes.failed, code, `${message}; ${advice}`);
  }
}

const statusOf = ({ integrity, hidesEvidence }: ReportSummary): number =>
  integrity === 'changed' ? exitCodes.changed : hidesEvidence ? exitCodes.hidden : exitCodes.complete;

/** One entry for each image, whatever of its segments were named. Throws CommandError for what cannot be taken in. */
export async function findSets(installation: Installation, paths: readonly string[], signal: AbortSignal): Promise<ImageReference[]> {
  const sets = new Map<string, ImageReference>();
  for (const given of paths) {
    const path = resolve(given);
    await refuseUnusable(path, given);
    try {
      const image = await installation.threads.run({ kind: 'find-segments', path }, { onBatch: () => undefined, signal });
      sets.set(image.paths.join('\0'), image);
    } catch (error) {
      if (!(error instanceof TaskError && error.final)) throw error;
      throw new CommandError(exitCodes.refused, error.code, `${given}: ${error.message}`);
    }
  }
  return [...sets.values()];
}

/** Throws CommandError where `path` (`given` by a person) cannot be an image at all. */
export async function refuseUnusable(path: string, given: string): Promise<void> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new CommandError(exitCodes.refused, 'image.folder', `${given}: is a folder, expected an image file`);
    if (found.isBlockDevice()) {
      const text = `${given}: is a block device, expected an image file: make one of it first (ewfacquire, dd)`;
      throw new CommandError(exitCodes.refused, 'image.kind', text);
    }
    if (!found.isFile()) throw new CommandError(exitCodes.refused, 'image.kind', `${given}: is no file, expected an image file`);
    if (found.size === 0) throw new CommandError(exitCodes.refused, 'image.empty', `${given}: is empty, expected an image`);
    await access(path, constants.R_OK);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new CommandError(exitCodes.refused, 'image.not-found', `${given}: not found`);
    throw new CommandError(exitCodes.refused, 'image.unreadable', `${given}: cannot be read by this account (${code})`);
  }
}

const describeSet = ({ format, paths }: ImageReference): string =>
  `${basename(paths[0] ?? '?')} (${format}, ${paths.length} ${paths.length === 1 ? 'file' : 'files'})`;
