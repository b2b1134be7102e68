/** Streams an object of S3 into the store; begun again after a break or a restart it goes on where it stopped. */
import { type Pool } from 'pg';
import { beginChecking, endUpload, type Upload } from '../store/uploads.ts';
import { IntakeError } from './intake-error.ts';
import { type ObjectStore } from './object-store.ts';
import { openObject } from './s3.ts';
import { type IntakeSettings } from './settings.ts';

export interface FetchContext {
  readonly database: Pool;
  readonly store: ObjectStore;
  readonly settings: IntakeSettings;
  isShort(): Promise<boolean>;
}

/** Looked whether there is room left after so many bytes. */
const lookAfter = 64 * 1024 * 1024;

/** True when all has come. False where it ended for good, or where the disk is short and it has to wait. Throws what may be tried again. */
export async function fetchUpload(context: FetchContext, upload: Upload, holder: string, signal: AbortSignal): Promise<boolean> {
  const { database, store } = context;
  try {
    if (!(await stream(context, upload, signal))) return false;
    return await beginChecking(database, upload.id, holder);
  } catch (error) {
    if (!(error instanceof IntakeError) || signal.aborted) throw error;
    await endUpload(database, upload.id, { status: 'failed', problem: error });
    await store.discard(upload.id);
    return false;
  }
}

async function stream({ store, settings, isShort }: FetchContext, upload: Upload, signal: AbortSignal): Promise<boolean> {
  const source = settings.sources.find(({ name }) => name === upload.source);
  if (source === undefined) throw new IntakeError('s3.source', `the S3 source '${upload.source}' is not configured any more`);
  await store.begin(upload.id);
  const size = Number(upload.size);
  let offset = (await store.receivedBytes(upload.id)) ?? 0;
  if (offset >= size) return true;
  if (await isShort()) return false;
  const appending = await store.append(upload.id, offset);
  try {
    const body = await openObject(source, upload.source_key!, upload.source_etag!, offset, signal);
    let lookAt = offset + lookAfter;
    const abort = () => void body.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      for await (const bytes of body as AsyncIterable<Uint8Array>) {
        if (offset + bytes.length > size)
          throw new IntakeError('s3.answer', `source '${source.name}': sent more than the ${size} bytes it told`);
        await appending.write(bytes);
        offset += bytes.length;
        if (offset < lookAt) continue;
        if (await isShort()) return false;
        lookAt = offset + lookAfter;
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return offset === size;
  } finally {
    await appending.sync();
    await appending.close();
  }
}
