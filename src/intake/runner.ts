/** What goes on by itself: uploads that are complete are checked, objects of S3 are fetched, what was given up is cleared away. Survives restarts. */
import { randomUUID } from 'node:crypto';
import { type Logger } from 'pino';
import { expireUploads, holdUpload, openUploads, readUpload, releaseUpload, type Upload, waitingUploads } from '../store/uploads.ts';
import { type CheckContext, checkUpload } from './check.ts';
import { IntakeError } from './intake-error.ts';
import { fetchUpload } from './s3-fetch.ts';
import { type IntakeSettings } from './settings.ts';

export interface RunnerContext extends CheckContext {
  readonly log: Logger;
  readonly settings: IntakeSettings;
  isShort(): Promise<boolean>;
  onEnded(upload: Upload): Promise<void>;
}

export interface Runner {
  /** Something is to be done: look at once. */
  nudge(): void;
  /** Resolves once it has stopped. */
  readonly ended: Promise<void>;
}

const lookMs = 1000;
const clearMs = 60_000;
const leaseMs = 15_000;
const atOnce = 2;

export function startRunner(context: RunnerContext, signal: AbortSignal): Runner {
  const underWay = new Map<string, Promise<void>>();
  let wake: () => void = () => undefined;
  let clearedAt = Number.NEGATIVE_INFINITY;
  const look = async () => {
    if (performance.now() - clearedAt > clearMs) {
      clearedAt = performance.now();
      await clearAway(context);
    }
    for (const upload of await waitingUploads(context.database, atOnce * 2)) {
      if (underWay.size >= atOnce) return;
      if (underWay.has(upload.id)) continue;
      const work = takeOn(context, upload, signal).finally(() => {
        underWay.delete(upload.id);
        wake();
      });
      underWay.set(upload.id, work);
    }
  };
  const run = async () => {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await look().catch((error) => context.log.warn({ err: error }, 'intake: looking for what is to be done failed'));
      await Promise.race([woken, pause(lookMs, signal)]);
    }
    await Promise.all(underWay.values());
  };
  return { nudge: () => wake(), ended: run() };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** One upload, held by this process; what fails for a reason of ours is tried again later. */
async function takeOn(context: RunnerContext, { id, status }: Upload, closing: AbortSignal): Promise<void> {
  const { database, log } = context;
  const holder = randomUUID();
  try {
    const upload = status === 'receiving' || status === 'checking' ? await holdUpload(database, id, { status, holder, leaseMs }) : null;
    if (upload === null) return;
    const lost = new AbortController();
    const signal = AbortSignal.any([closing, lost.signal]);
    const renewal = setInterval(() => void renew(context, { id, holder, lost }), leaseMs / 3);
    try {
      const complete = upload.status === 'checking' || (await fetchUpload(context, upload, holder, signal));
      const now = complete ? await readUpload(database, id) : null;
      if (!complete) await pause(lookMs, signal);
      if (now?.status === 'checking') await checkUpload(context, now, signal);
      const ended = await readUpload(database, id);
      if (ended !== null && ended.ended_at !== null) await context.onEnded(ended);
    } finally {
      clearInterval(renewal);
      await releaseUpload(database, id, holder);
    }
  } catch (error) {
    if (!closing.aborted) log.warn({ err: error, upload: id }, 'intake: an upload could not be brought to its end, it is tried again');
    await pause(lookMs, closing);
  }
}

async function renew(
  { database, log }: RunnerContext,
  { id, holder, lost }: { id: string; holder: string; lost: AbortController },
): Promise<void> {
  try {
    const upload = await readUpload(database, id);
    const status = upload?.status;
    const isOurs =
      (status === 'receiving' || status === 'checking') && (await holdUpload(database, id, { status, holder, leaseMs })) !== null;
    if (!isOurs && upload?.ended_at !== null) lost.abort(new IntakeError('upload.ended', 'the upload was given up'));
  } catch (error) {
    log.warn({ err: error, upload: id }, 'intake: a hold could not be renewed, it is tried again');
  }
}

/** Uploads that were left alone have failed; what lies incoming for none that is open is garbage. */
async function clearAway({ database, store, settings }: RunnerContext): Promise<void> {
  await expireUploads(database, settings.expiryMs);
  const lying = await store.incoming();
  const open = await openUploads(
    database,
    lying.map(({ uploadId }) => uploadId),
  );
  for (const { uploadId, ageMs } of lying) if (!open.has(uploadId) && ageMs > clearMs) await store.discard(uploadId);
}
