/** `custodia process`: images in, reports out, in one go. */
import { constants } from 'node:fs';
import { access, mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { defaultLimits } from '../config.ts';
import { type ImageReference, type Profile } from '../evidence/task.ts';
import { type Installation } from '../installation.ts';
import { submit } from '../pipeline/submit.ts';
import { TaskError } from '../pipeline/task-error.ts';
import { type ReportSummary, writeExaminationReport } from '../reports/assemble.ts';
import { readExamination } from '../store/examinations.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { type ProgressView } from './progress.ts';
import { createTracker, type Tracker } from './tracker.ts';

export interface ProcessOptions {
  readonly images: readonly string[];
  readonly caseReference: string;
  readonly exhibit: string;
  readonly examiner: string;
  readonly out: string;
}

export interface Processed {
  readonly status: number;
  readonly reports: readonly ReportSummary[];
}

export const standardProfile: Profile = { digests: ['md5', 'sha1', 'sha256'], limits: defaultLimits };

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
    const submission = { caseReference, exhibit, examiner, image, profile: standardProfile };
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

async function waitForAll(tracker: Tracker, view: ProgressView, signal: AbortSignal): Promise<void> {
  while (true) {
    if (signal.aborted) throw new CommandError(exitCodes.stopped, 'stopped', 'stopped; the same command goes on from here');
    const { state, open } = await tracker.look();
    view.show(state);
    if (!open) return;
    await new Promise<void>((wake) => {
      const timer = setTimeout(done, 250);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        wake();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

async function writeReports(
  installation: Installation,
  examinations: readonly string[],
  out: string,
  view: ProgressView,
): Promise<Processed> {
  const reports: ReportSummary[] = [];
  let status: number = exitCodes.complete;
  for (const [index, id] of examinations.entries()) {
    view.note('writing the report');
    const folder = examinations.length === 1 ? out : join(out, String(index + 1));
    const found = await readExamination(installation.database, id);
    if (found?.examination.status === 'failed') {
      throw new CommandError(
        exitCodes.failed,
        'examination.failed',
        `examination ${id} could not be concluded: 'custodia list' and the log say why`,
      );
    }
    const report = await writeExaminationReport(installation, id, folder);
    reports.push(report);
    const own = report.integrity === 'changed' ? exitCodes.changed : report.hidesEvidence ? exitCodes.hidden : exitCodes.complete;
    status = Math.max(status, own);
  }
  return { status, reports };
}

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
    if (!found.isFile() && !found.isBlockDevice()) {
      throw new CommandError(exitCodes.refused, 'image.kind', `${given}: is neither a file nor a block device`);
    }
    if (found.isFile() && found.size === 0)
      throw new CommandError(exitCodes.refused, 'image.empty', `${given}: is empty, expected an image`);
    await access(path, constants.R_OK);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new CommandError(exitCodes.refused, 'image.not-found', `${given}: not found`);
    throw new CommandError(exitCodes.refused, 'image.unreadable', `${given}: cannot be read by this account (${code})`);
  }
}

/** Throws CommandError where no report can be written to `out`: before the work is done, not after it. */
export async function refuseFullFolder(out: string): Promise<void> {
  const names = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new CommandError(exitCodes.refused, 'out.unusable', `${out}: cannot be used for the report (${error.code})`);
  });
  if (names.length > 0)
    throw new CommandError(exitCodes.refused, 'out.not-empty', `${out}: holds ${names.length} files, expected an empty or new folder`);
  const parent = resolve(out, '..');
  try {
    await mkdir(parent, { recursive: true });
    await access(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CommandError(
      exitCodes.refused,
      'out.unusable',
      `${out}: cannot be made in ${parent} (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

const describeSet = ({ format, paths }: ImageReference): string =>
  `${basename(paths[0] ?? '?')} (${format}, ${paths.length} ${paths.length === 1 ? 'file' : 'files'})`;
