/** Streams an object of S3 into the store; begun again after a break or a restart it goes on where it stopped. */
import { type Pool } from 'pg';
import { type IntakeSettings } from '../config.ts';
import { beginChecking, endUpload, type Upload } from '../store/uploads.ts';
import { type HeldUpload } from './check.ts';
import { findFor } from './for-agency.ts';
import { IntakeError } from './intake-error.ts';
import { type Lease } from './lease.ts';
import { type ObjectStore } from './object-store.ts';
import { withPatience } from './patience.ts';
import { openObject } from './s3.ts';

export interface FetchContext {
  readonly database: Pool;
  readonly store: ObjectStore;
  readonly settings: IntakeSettings;
  isShort(): Promise<boolean>;
}

/** Looked whether there is room left after so many bytes. */
const lookAfter = 64 * 1024 * 1024;

/** True when all has come. False where it ended for good, or where the disk is short and it has to wait. Throws what may be tried again. */
export async function fetchUpload(context: FetchContext, upload: HeldUpload, lease: Lease, signal: AbortSignal): Promise<boolean> {
  const { database, store } = context;
  const { id, holder } = upload;
  try {
    if (!(await stream(context, upload, lease, signal))) return false;
    return await beginChecking(database, id, holder);
  } catch (error) {
    const isPassing = !(error instanceof IntakeError) || passing.has(error.code);
    if (isPassing || signal.aborted) throw error;
    if (await endUpload(database, id, { status: 'failed', problem: error, holder })) await store.discard(id);
    return false;
  }
}

/** What another try may mend: a store that fell silent, a hold that was lost. */
const passing: ReadonlySet<string> = new Set(['s3.silent', 'upload.idle', 'upload.busy', 'upload.offset']);

async function stream(context: FetchContext, upload: Upload, lease: Lease, signal: AbortSignal): Promise<boolean> {
  const { store, settings, isShort } = context;
  const source = findFor(settings.sources, upload.source ?? '', upload.agency_id);
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
    body.on('error', () => undefined); // told to whoever reads; nobody does any more once it is given up
    try {
      for await (const bytes of withPatience(body, settings.idleMs, signal)) {
        if (offset + bytes.length > size)
          throw new IntakeError('s3.answer', `source '${source.name}': sent more than the ${size} bytes it told`);
        lease.demand();
        await appending.write(bytes);
        offset += bytes.length;
        if (offset < lookAt) continue;
        if (await isShort()) return false;
        lookAt = offset + lookAfter;
      }
    } finally {
      body.destroy();
    }
    return offset === size;
  } finally {
    await appending.sync();
    await appending.close();
  }
}
