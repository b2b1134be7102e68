/** Takes in the bytes of one request for one upload: in order, by one writer at a time, whoever dies meanwhile. */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { type Pool } from 'pg';
import { beginChecking, holdUpload, readUpload, releaseUpload, type Upload } from '../store/uploads.ts';
import { IntakeError } from './intake-error.ts';
import { type Appending, type ObjectStore } from './object-store.ts';

/** tus 1.0, extension Checksum. */
export const checksumAlgorithms = ['sha256', 'sha1', 'md5'] as const;
export interface Checksum {
  readonly algorithm: (typeof checksumAlgorithms)[number];
  readonly value: Buffer;
}

export interface ReceiveContext {
  readonly database: Pool;
  readonly store: ObjectStore;
  /** Where so long nothing comes the request is cut. */
  readonly idleMs: number;
  /** Too little room is left on the disk of the store. */
  isShort(): Promise<boolean>;
}

export interface Delivery {
  readonly uploadId: string;
  readonly offset: number;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly checksum: Checksum | null;
  /** Another request took over, or the server stops. */
  readonly signal: AbortSignal;
}

export interface Received {
  readonly offset: number;
  readonly complete: boolean;
}

/** A writer that died lets go after so long; a living one renews at a third of it, and stops by itself before it is over. */
export const leaseMs = 3000;

/** Throws IntakeError. What came before a connection broke is kept, unless it had a checksum that now nobody can compare. */
export async function receive(context: ReceiveContext, delivery: Delivery): Promise<Received> {
  const { database, store } = context;
  const { uploadId } = delivery;
  const holder = randomUUID();
  if (await context.isShort()) throw noRoom();
  const upload = await holdUpload(database, uploadId, { status: 'receiving', holder, leaseMs });
  if (upload === null) throw whyNotHeld(await readUpload(database, uploadId));
  try {
    const appending = await store.append(uploadId, delivery.offset);
    let offset: number;
    try {
      offset = await write(context, delivery, { upload, holder, appending });
    } finally {
      await appending.close();
    }
    const complete = offset === Number(upload.size);
    if (complete && !(await beginChecking(database, uploadId, holder)))
      throw new IntakeError('upload.busy', 'the upload was taken over meanwhile');
    return { offset, complete };
  } finally {
    await releaseUpload(database, uploadId, holder);
  }
}

function whyNotHeld(upload: Upload | null): IntakeError {
  if (upload?.status === 'receiving') return new IntakeError('upload.busy', 'another request writes to this upload: ask again in a moment');
  return new IntakeError('upload.ended', `the upload is ${upload?.status ?? 'gone'}, expected one that still receives`);
}

const noRoom = () => new IntakeError('disk.short', 'the store has too little room left: it takes no more until there is some again');

interface Writing {
  readonly upload: Upload;
  readonly holder: string;
  readonly appending: Appending;
}

async function write(context: ReceiveContext, delivery: Delivery, { upload, holder, appending }: Writing): Promise<number> {
  const size = Number(upload.size);
  const hash = delivery.checksum === null ? null : createHash(delivery.checksum.algorithm);
  const lease = keepLease(context, upload.id, holder);
  let offset = delivery.offset;
  try {
    for await (const bytes of withPatience(delivery.bytes, context.idleMs, AbortSignal.any([delivery.signal, lease.lost]))) {
      if (offset + bytes.length > size) throw new IntakeError('upload.too-long', `more than the announced ${size} bytes came`);
      lease.demand();
      await appending.write(bytes);
      hash?.update(bytes);
      offset += bytes.length;
    }
    compare(delivery.checksum, hash);
    await appending.sync();
    return offset;
  } catch (error) {
    const isWorthless = hash !== null || (error instanceof IntakeError && error.code === 'upload.too-long');
    if (isWorthless) await appending.takeBack();
    await appending.sync();
    throw error;
  } finally {
    lease.end();
  }
}

function compare(checksum: Checksum | null, hash: Hash | null): void {
  if (checksum === null || hash === null || hash.digest().equals(checksum.value)) return;
  throw new IntakeError(
    'upload.checksum',
    `${checksum.algorithm} of this part is not the one that was sent with it: the part was not taken`,
  );
}

interface Lease {
  readonly lost: AbortSignal;
  /** Throws IntakeError where it was not renewed in time: somebody else may write by now. */
  demand(): void;
  end(): void;
}

function keepLease({ database, isShort }: ReceiveContext, uploadId: string, holder: string): Lease {
  const controller = new AbortController();
  let renewedAt = performance.now();
  const renew = async () => {
    const asked = performance.now();
    if (await isShort()) return controller.abort(noRoom());
    const held = await holdUpload(database, uploadId, { status: 'receiving', holder, leaseMs });
    if (held === null) controller.abort(new IntakeError('upload.ended', 'the upload was ended or taken over meanwhile'));
    else renewedAt = asked;
  };
  // a renewal that fails is made up for by the next one, or the lease runs out
  const timer = setInterval(() => void renew().catch(() => undefined), leaseMs / 3);
  return {
    lost: controller.signal,
    demand() {
      if (performance.now() - renewedAt > leaseMs * 0.8)
        throw new IntakeError('upload.busy', 'the hold on the upload could not be renewed in time');
    },
    end: () => clearInterval(timer),
  };
}

/** Hands on what comes, and throws where nothing comes for too long, or where it must stop. */
async function* withPatience(bytes: AsyncIterable<Uint8Array>, idleMs: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => undefined); // heard where it is raced with what comes
  const onAbort = () => stopped.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    while (true) {
      const idle = Promise.withResolvers<never>();
      const timer = setTimeout(() => idle.reject(new IntakeError('upload.idle', `nothing came for ${idleMs} ms`)), idleMs);
      const next = await Promise.race([iterator.next(), idle.promise, stopped.promise]).finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
