/** Taking evidence in, as the API sees it; and what goes on by itself: checking, fetching, clearing away. */
import { type Pool } from 'pg';
import { type Logger } from 'pino';
import { type IntakeSettings } from '../config.ts';
import { type Signer } from '../custody/signer.ts';
import { type ThreadPool } from '../evidence/task.ts';
import { hasSegment, type Segment, segmentsOf } from '../store/segments.ts';
import { transaction } from '../store/transaction.ts';
import { endUpload, insertUpload, lockQuota, type NewUpload, readUpload, type Upload } from '../store/uploads.ts';
import { directoryStore } from './directory-store.ts';
import { findFor } from './for-agency.ts';
import { type AssembledImage, assembleImage } from './image.ts';
import { IntakeError } from './intake-error.ts';
import { type ObjectStore } from './object-store.ts';
import { type Placement, place } from './place.ts';
import { type Delivery, type Received, receive } from './receive.ts';
import { startRunner } from './runner.ts';
import { describeObject } from './s3.ts';

export interface IntakeOptions {
  readonly database: Pool;
  readonly threads: ThreadPool;
  readonly signer: Signer;
  /** Of this program. */
  readonly version: string;
  readonly log: Logger;
  readonly settings: IntakeSettings;
  /** Whether the disk of the store has too little room left. */
  isShort(): Promise<boolean>;
  /** An upload was accepted or has failed. */
  onEnded(upload: Upload): Promise<void>;
}

export interface S3Submission extends Omit<NewUpload, 'origin' | 'size' | 's3' | 'name'> {
  readonly source: string;
  readonly key: string;
  /** Of the segment; the last part of the key where none is given. */
  readonly name?: string;
}

/** All of it throws IntakeError for what is the asker's to mend. */
export interface Intake {
  readonly settings: IntakeSettings;
  begin(upload: Omit<NewUpload, 'origin' | 's3'>): Promise<Upload>;
  /** Of several requests for one upload the newest goes on, the others end. */
  receive(delivery: Omit<Delivery, 'signal'>): Promise<Received>;
  receivedBytes(uploadId: string): Promise<number>;
  cancel(uploadId: string): Promise<void>;
  /** How it stands once it has ended, or after so long. */
  waitForEnd(uploadId: string, patienceMs: number): Promise<Upload>;
  place(placement: Placement): Promise<Segment[]>;
  fetch(submission: S3Submission): Promise<Upload>;
  /** `ids` where not all segments of the exhibit are meant. */
  assemble(exhibitId: string, options: { readonly ids?: readonly string[]; readonly incomplete: boolean }): Promise<AssembledImage>;
  close(): Promise<void>;
}

/** Of one exhibit: all of them are opened at once. EnCase writes at most 14,971 (E01 to ZZZ; libewf, EWF specification, 2.1). */
const mostSegments = 15_000;

export function openIntake(options: IntakeOptions): Intake {
  const { database, settings } = options;
  const store = directoryStore(settings.storeFolder);
  const closing = new AbortController();
  const runner = startRunner({ ...options, store }, closing.signal);
  const writers = new Map<string, { stop: AbortController; ended: Promise<unknown> }>();
  const context = { ...options, store, ...settings };
  const begin = (upload: NewUpload) => beginUpload(options, store, upload);
  return {
    settings,
    begin: (upload) => begin({ ...upload, origin: 'upload' }),
    async receive(delivery) {
      const { uploadId } = delivery;
      for (let other = writers.get(uploadId); other !== undefined; other = writers.get(uploadId)) {
        other.stop.abort(new IntakeError('upload.busy', 'a newer request for this upload came'));
        await other.ended;
      }
      const stop = new AbortController();
      const receiving = receive(context, { ...delivery, signal: AbortSignal.any([stop.signal, closing.signal]) });
      const ended = receiving
        .then(
          () => undefined,
          () => undefined,
        )
        .finally(() => writers.delete(uploadId));
      writers.set(uploadId, { stop, ended });
      const received = await receiving;
      if (received.complete) runner.nudge();
      return received;
    },
    receivedBytes: async (uploadId) => (await store.receivedBytes(uploadId)) ?? 0,
    async cancel(uploadId) {
      const upload = await readUpload(database, uploadId);
      if (upload?.status !== 'receiving')
        throw new IntakeError('upload.ended', `the upload is ${upload?.status ?? 'gone'}: it cannot be given up any more`);
      const writer = writers.get(uploadId);
      writer?.stop.abort(new IntakeError('upload.ended', 'the upload was given up'));
      await writer?.ended;
      if (!(await endUpload(database, uploadId, { status: 'cancelled' }, ['receiving'])))
        throw new IntakeError('upload.ended', 'the upload was completed meanwhile');
      await store.discard(uploadId);
    },
    waitForEnd: (uploadId, patienceMs) => waitForEnd(database, uploadId, patienceMs, closing.signal),
    place: (placement) => place({ ...options, roots: settings.roots }, placement, closing.signal),
    async fetch({ source: sourceName, key, name, ...rest }) {
      const source = findFor(settings.sources, sourceName, rest.agencyId);
      if (source === undefined) throw new IntakeError('s3.source', 'no S3 source of this name is configured');
      const { size, etag } = await describeObject(source, key, closing.signal);
      const own = name ?? key.slice(key.lastIndexOf('/') + 1);
      const upload = await begin({ ...rest, origin: 's3', name: own, size, s3: { source: sourceName, key, etag } });
      runner.nudge();
      return upload;
    },
    async assemble(exhibitId, { ids, incomplete }) {
      const all = await segmentsOf(database, exhibitId, mostSegments + 1);
      if (all.length > mostSegments)
        throw new IntakeError('segments.many', `the exhibit has more than ${mostSegments} segments: no image has so many files`);
      const chosen = ids === undefined ? all : all.filter(({ id }) => ids.includes(id));
      if (ids !== undefined && chosen.length !== new Set(ids).size)
        throw new IntakeError('segments.unknown', 'not all of the named segments are segments of this exhibit');
      return assembleImage(context, chosen, { incomplete, signal: closing.signal });
    },
    async close() {
      closing.abort(new IntakeError('intake.closing', 'the service stops: go on when it runs again'));
      await Promise.all([runner.ended, ...[...writers.values()].map(({ ended }) => ended)]);
    },
  };
}

async function beginUpload({ database, isShort }: IntakeOptions, store: ObjectStore, upload: NewUpload): Promise<Upload> {
  refuseName(upload.name);
  if (await isShort())
    throw new IntakeError('disk.short', 'the store has too little room left: it takes no more until there is some again');
  if (await hasSegment(database, upload.exhibitId, upload.name))
    throw new IntakeError('segment.name-taken', `the exhibit has a segment of this name already`);
  const begun = await transaction(database, async (client) => {
    const { quota, use } = await lockQuota(client, upload.agencyId);
    const refuse = (code: string, text: string) => {
      throw new IntakeError(code, text);
    };
    if (use.uploads >= quota.maxUploads)
      refuse('quota.uploads', `the agency has ${use.uploads} uploads under way, allowed are ${quota.maxUploads}`);
    if (use.objects >= quota.maxObjects)
      refuse('quota.objects', `the agency holds ${use.objects} segments, allowed are ${quota.maxObjects}`);
    if (use.bytes + upload.size > quota.maxBytes)
      refuse('quota.bytes', `the agency holds ${use.bytes} of ${quota.maxBytes} bytes, ${upload.size} more do not fit`);
    return insertUpload(client, upload);
  }).catch((error: Error & { code?: string; constraint?: string }) => {
    if (error.code !== '23505' || error.constraint !== 'upload_name') throw error;
    throw new IntakeError('upload.name-taken', 'an upload of this name to this exhibit is under way');
  });
  await store.begin(begun.id);
  return begun;
}

/** A name is data: it only must be one that a person can read. */
function refuseName(name: string): void {
  if (name === '' || name.length > 255 || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name) || name.trim() !== name)
    throw new IntakeError('upload.name', 'expected a name of 1 to 255 characters that can be seen');
}

async function waitForEnd(database: Pool, uploadId: string, patienceMs: number, signal: AbortSignal): Promise<Upload> {
  const deadline = performance.now() + patienceMs;
  while (true) {
    const upload = await readUpload(database, uploadId);
    if (upload === null) throw new IntakeError('upload.ended', 'the upload is gone');
    if (upload.ended_at !== null || performance.now() > deadline || signal.aborted) return upload;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
