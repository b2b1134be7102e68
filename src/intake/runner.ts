/** What goes on by itself: uploads that are complete are checked, objects of S3 are fetched, what was given up is cleared away. Survives restarts. */
import { randomUUID } from 'node:crypto';
import { type Logger } from 'pino';
import { type IntakeSettings } from '../config.ts';
import { expireUploads, holdUpload, openUploads, readUpload, releaseUpload, type Upload, waitingUploads } from '../store/uploads.ts';
import { type CheckContext, checkUpload } from './check.ts';
import { keepLease } from './lease.ts';
import { fetchUpload } from './s3-fetch.ts';

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
/** What failed for a reason of ours is tried again after so long: it must not keep others waiting. */
const againMs = 3000;
/** So many are checked at once, and so many fetched: what takes days to fetch holds up no check. */
const atOnce = 2;
const lanes = ['checking', 'receiving'] as const;
type LaneStatus = (typeof lanes)[number];

export function startRunner(context: RunnerContext, signal: AbortSignal): Runner {
  const underWay = new Map<string, { readonly lane: LaneStatus; readonly ended: Promise<void> }>();
  let wake: () => void = () => undefined;
  let clearedAt = Number.NEGATIVE_INFINITY;
  const fill = async (lane: LaneStatus) => {
    for (const { id } of await waitingUploads(context.database, lane, atOnce * 2)) {
      if ([...underWay.values()].filter((work) => work.lane === lane).length >= atOnce) return;
      if (underWay.has(id)) continue;
      const ended = takeOn(context, id, lane, signal).finally(() => {
        underWay.delete(id);
        wake();
      });
      underWay.set(id, { lane, ended });
    }
  };
  const look = async () => {
    if (performance.now() - clearedAt > clearMs) {
      clearedAt = performance.now();
      await clearAway(context);
    }
    for (const lane of lanes) await fill(lane);
  };
  const run = async () => {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await look().catch((error) => context.log.warn({ err: error }, 'intake: looking for what is to be done failed'));
      await Promise.race([woken, pause(lookMs, signal)]);
    }
    await Promise.all([...underWay.values()].map(({ ended }) => ended));
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

/** One upload, held by this process. */
async function takeOn(context: RunnerContext, id: string, status: LaneStatus, closing: AbortSignal): Promise<void> {
  const { database, log } = context;
  const holder = randomUUID();
  try {
    const upload = await holdUpload(database, id, { status, holder, leaseMs });
    if (upload === null) return;
    const lease = keepLease({ database, uploadId: id, holder, leaseMs });
    let pauseMs = againMs;
    try {
      const signal = AbortSignal.any([closing, lease.lost]);
      const held = { ...upload, holder };
      if (status === 'checking') await checkUpload(context, held, signal);
      else if (!(await fetchUpload(context, held, lease, signal))) return;
      pauseMs = 0;
    } finally {
      lease.end();
      await releaseUpload(database, id, holder, closing.aborted ? 0 : pauseMs);
      await tellEnd(context, id);
    }
  } catch (error) {
    if (!closing.aborted) log.warn({ err: error, upload: id }, 'intake: an upload could not be brought to its end, it is tried again');
  }
}

async function tellEnd({ database, onEnded }: RunnerContext, id: string): Promise<void> {
  const upload = await readUpload(database, id);
  if (upload !== null && upload.ended_at !== null) await onEnded(upload);
}

/** Uploads that were left alone have failed; what lies incoming for none that is open is garbage. */
async function clearAway(context: RunnerContext): Promise<void> {
  const { database, store, settings } = context;
  for (const id of await expireUploads(database, settings.expiryMs)) await tellEnd(context, id);
  const lying = await store.incoming();
  const open = await openUploads(
    database,
    lying.map(({ uploadId }) => uploadId),
  );
  for (const { uploadId, ageMs } of lying) if (!open.has(uploadId) && ageMs > clearMs) await store.discard(uploadId);
}
