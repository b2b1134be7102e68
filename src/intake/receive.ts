/** Takes in the bytes of one request for one upload: in order, by one writer at a time, whoever dies meanwhile. */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { type Pool } from 'pg';
import { beginChecking, holdUpload, readUpload, releaseUpload, type Upload } from '../store/uploads.ts';
import { IntakeError } from './intake-error.ts';
import { keepLease } from './lease.ts';
import { type Appending, type ObjectStore } from './object-store.ts';
import { withPatience } from './patience.ts';

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

/** A writer that died lets go after so long. */
export const leaseMs = 3000;

/** Throws IntakeError. What came before a connection broke is kept, unless it had a checksum that now nobody can compare. */
export async function receive(context: ReceiveContext, delivery: Delivery): Promise<Received> {
  const { database, store } = context;
  const { uploadId } = delivery;
  const holder = randomUUID();
  await demandRoom(context);
  const upload = await holdUpload(database, uploadId, { status: 'receiving', holder, leaseMs });
  if (upload === null) throw whyNotHeld(await readUpload(database, uploadId));
  try {
    // what is told of where it comes from must be true
    if (upload.origin !== 'upload')
      throw new IntakeError('upload.fetched', 'it is fetched by the service itself, nothing can be sent to it');
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

async function demandRoom({ isShort }: ReceiveContext): Promise<void> {
  if (await isShort())
    throw new IntakeError('disk.short', 'the store has too little room left: it takes no more until there is some again');
}

interface Writing {
  readonly upload: Upload;
  readonly holder: string;
  readonly appending: Appending;
}

async function write(context: ReceiveContext, delivery: Delivery, { upload, holder, appending }: Writing): Promise<number> {
  const size = Number(upload.size);
  const hash = delivery.checksum === null ? null : createHash(delivery.checksum.algorithm);
  const { database } = context;
  const lease = keepLease({ database, uploadId: upload.id, holder, leaseMs, mayGoOn: () => demandRoom(context) });
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
    // whoever took over may have brought it to its end: what lies there then is evidence, and not ours to cut
    if (isWorthless && (await lease.isHeld())) await appending.takeBack();
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
