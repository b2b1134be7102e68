/** From all bytes received to a segment of the exhibit: on the disk, digested, compared, in the store, in the ledger, accepted. In this order. */
import { stat } from 'node:fs/promises';
import { type Pool } from 'pg';
import { type Signer } from '../custody/signer.ts';
import { type ThreadPool } from '../evidence/task.ts';
import { insertObject, insertSegment, type Segment } from '../store/segments.ts';
import { transaction } from '../store/transaction.ts';
import { endUpload, keepDigest, type Upload } from '../store/uploads.ts';
import { recordSegment } from './custody.ts';
import { fileState } from './file-state.ts';
import { IntakeError } from './intake-error.ts';
import { type ObjectStore } from './object-store.ts';

export interface CheckContext {
  readonly database: Pool;
  readonly threads: ThreadPool;
  readonly store: ObjectStore;
  readonly signer: Signer;
  /** Of this program. */
  readonly version: string;
}

/** By whoever checks it. */
export type HeldUpload = Upload & { readonly holder: string };

/**
 * May be begun again after any crash. Null where the upload failed: then its row says why and nothing of it can be reached. What is thrown
 * leaves the upload to be checked again.
 */
export async function checkUpload(context: CheckContext, upload: HeldUpload, signal: AbortSignal): Promise<Segment | null> {
  try {
    const sha256 = upload.sha256 ?? (await digestIncoming(context, upload, signal));
    await demandSameContent(context, upload, sha256, signal);
    await context.store.adopt(upload.id, sha256, Number(upload.size));
    return await accept(context, upload, sha256);
  } catch (error) {
    if (!(error instanceof IntakeError)) throw error;
    const { id, holder } = upload;
    if (await endUpload(context.database, id, { status: 'failed', problem: error, holder })) await context.store.discard(id);
    return null;
  }
}

async function digestIncoming({ database, store, threads }: CheckContext, upload: Upload, signal: AbortSignal): Promise<string> {
  const size = await store.receivedBytes(upload.id);
  if (size === null || size !== Number(upload.size)) {
    throw new IntakeError('upload.size', `${size ?? 'no'} bytes received, ${upload.size} were announced`);
  }
  const sha256 = await digestFile(threads, store.incomingPath(upload.id), signal);
  if (upload.expected_sha256 !== null && upload.expected_sha256 !== sha256) {
    throw new IntakeError('upload.digest', `SHA-256 of what was received is ${sha256}, the submitter told ${upload.expected_sha256}`);
  }
  await keepDigest(database, upload.id, sha256);
  return sha256;
}

async function digestFile(threads: ThreadPool, path: string, signal: AbortSignal): Promise<string> {
  const image = { format: 'raw', paths: [path] };
  const [digest] = await threads.run({ kind: 'hash-segments', image }, { onBatch: () => undefined, signal });
  return digest!.sha256;
}

/** What is there under this digest is given instead of what came in: so it must be that still. Throws IntakeError (`store.damaged`). */
async function demandSameContent({ store, threads }: CheckContext, { id }: Upload, sha256: string, signal: AbortSignal): Promise<void> {
  if ((await store.sizeOf(sha256)) === null || (await store.isAdopted(id, sha256))) return;
  const found = await digestFile(threads, store.objectPath(sha256), signal);
  if (found === sha256) return;
  throw new IntakeError('store.damaged', `the object in the store under digest ${sha256} has the SHA-256 ${found}: it is damaged`);
}

async function accept({ database, store, signer, version }: CheckContext, upload: Upload, sha256: string): Promise<Segment> {
  const path = store.objectPath(sha256);
  const found = await stat(path, { bigint: true });
  return transaction(database, async (client) => {
    await insertObject(client, sha256, Number(upload.size));
    const segment = await insertSegment(client, {
      exhibitId: upload.exhibit_id,
      accountId: upload.account_id,
      name: upload.name,
      size: Number(upload.size),
      origin: upload.origin,
      sha256,
      uploadId: upload.id,
    });
    if (segment === null || !(await endUpload(client, upload.id, { status: 'accepted' }))) {
      throw new IntakeError('segment.name-taken', `the exhibit has a segment '${upload.name}' already`);
    }
    const compared = upload.expected_sha256 !== null;
    const occurred = new Date();
    await recordSegment(client, signer, version, {
      segment,
      path,
      file: fileState(upload.name, found),
      credential: upload.credential,
      compared,
      occurred,
    });
    return segment;
  });
}
