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

/**
 * May be begun again after any crash. Null where the upload failed: then its row says why and nothing of it can be reached. What is thrown
 * leaves the upload to be checked again.
 */
export async function checkUpload(context: CheckContext, upload: Upload, signal: AbortSignal): Promise<Segment | null> {
  try {
    const sha256 = upload.sha256 ?? (await digestIncoming(context, upload, signal));
    await context.store.adopt(upload.id, sha256, Number(upload.size));
    return await accept(context, upload, sha256);
  } catch (error) {
    if (!(error instanceof IntakeError)) throw error;
    await endUpload(context.database, upload.id, { status: 'failed', problem: error });
    await context.store.discard(upload.id);
    return null;
  }
}

async function digestIncoming({ database, store, threads }: CheckContext, upload: Upload, signal: AbortSignal): Promise<string> {
  const size = await store.receivedBytes(upload.id);
  if (size === null || size !== Number(upload.size)) {
    throw new IntakeError('upload.size', `${size ?? 'no'} bytes received, ${upload.size} were announced`);
  }
  const image = { format: 'raw', paths: [store.incomingPath(upload.id)] };
  const [digest] = await threads.run({ kind: 'hash-segments', image }, { onBatch: () => undefined, signal });
  const sha256 = digest!.sha256;
  if (upload.expected_sha256 !== null && upload.expected_sha256 !== sha256) {
    throw new IntakeError('upload.digest', `SHA-256 of what was received is ${sha256}, the submitter told ${upload.expected_sha256}`);
  }
  await keepDigest(database, upload.id, sha256);
  return sha256;
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
