/** The store as a directory that all workers see: `incoming/<upload>` and `sha256/<first two digits>/<sha256>`, written once, mode 0444. */
import { chmod, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IntakeError } from './intake-error.ts';
import { type Appending, type ObjectStore } from './object-store.ts';

export function directoryStore(folder: string): ObjectStore {
  const incomingPath = (uploadId: string) => join(folder, 'incoming', refuseOther(uploadId, /^[0-9a-f-]{36}$/));
  const objectPath = (sha256: string) => join(folder, 'sha256', refuseOther(sha256, /^[0-9a-f]{64}$/).slice(0, 2), sha256);
  return {
    incomingPath,
    objectPath,
    async begin(uploadId) {
      await makeFolder(join(folder, 'incoming'));
      const file = await open(incomingPath(uploadId), 'a', 0o600);
      await file.close();
      await syncFolder(join(folder, 'incoming'));
    },
    receivedBytes: (uploadId) => sizeAt(incomingPath(uploadId)),
    append: (uploadId, offset) => openAppending(incomingPath(uploadId), offset),
    async adopt(uploadId, sha256, size) {
      for (const step of adoptionSteps(incomingPath(uploadId), objectPath(sha256), size)) await step();
    },
    async isAdopted(uploadId, sha256) {
      const [incoming, object] = [await stateAt(incomingPath(uploadId)), await stateAt(objectPath(sha256))];
      if (object === null) return false;
      return incoming === null || (incoming.ino === object.ino && incoming.dev === object.dev);
    },
    sizeOf: (sha256) => sizeAt(objectPath(sha256)),
    discard: (uploadId) => rm(incomingPath(uploadId), { force: true }),
    async incoming() {
      const names = await readdir(join(folder, 'incoming')).catch(orWhenMissing([]));
      const found = names.filter((name) => /^[0-9a-f-]{36}$/.test(name));
      const aged = await Promise.all(
        found.map(async (uploadId) => {
          const seen = await stat(incomingPath(uploadId)).catch(orWhenMissing(null));
          return seen === null ? [] : [{ uploadId, ageMs: Date.now() - seen.mtimeMs }];
        }),
      );
      return aged.flat();
    },
  };
}

/**
 * From an incoming file to an object, step by step. A process may end between any two: begun anew, the steps that were taken change nothing.
 * The content is on the disk before it has its name, and the name is on the disk before anybody is told.
 */
export function adoptionSteps(incoming: string, object: string, size: number): readonly (() => Promise<void>)[] {
  const ifThere = (step: () => Promise<void>) => async () => {
    if ((await sizeAt(incoming)) !== null) await step();
  };
  return [
    ifThere(() => syncFile(incoming)),
    ifThere(() => chmod(incoming, 0o444)),
    ifThere(() => syncFile(incoming)),
    () => makeFolder(dirname(object)),
    ifThere(() => link(incoming, object).catch(unlessThere)), // never over what is there
    () => refuseOtherSize(object, size),
    () => syncFolder(dirname(object)),
    // gone before anybody is told of the object: taking one of its two names away changes its time of change
    () => rm(incoming, { force: true }),
    () => syncFolder(dirname(incoming)),
  ];
}

async function refuseOtherSize(object: string, size: number): Promise<void> {
  const found = await sizeAt(object);
  if (found === size) return;
  throw new IntakeError('store.damaged', `the object in the store has ${found ?? 'no'} bytes under its digest, expected ${size}`);
}

async function openAppending(path: string, offset: number): Promise<Appending> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  if (size !== offset) {
    await file.close();
    throw new IntakeError('upload.offset', `found ${size} bytes received, expected ${offset}`);
  }
  let end = offset;
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, end);
        done += bytesWritten;
        end += bytesWritten;
      }
    },
    sync: () => file.datasync(),
    async takeBack() {
      await file.truncate(offset);
      end = offset;
    },
    close: () => file.close(),
  };
}

/** Makes what is missing of a path, and each new name is on the disk. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return syncFolder(dirname(path)); // another process may have made it a moment ago
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const syncFolder = syncFile;

const stateAt = (path: string) => stat(path, { bigint: true }).catch(orWhenMissing(null));

async function sizeAt(path: string): Promise<number | null> {
  const found = await stateAt(path);
  return found === null ? null : Number(found.size);
}

const orWhenMissing =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code !== 'ENOENT') throw error;
    return value;
  };

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Ids and digests are ours: anything else in a path would be a fault of this program. */
function refuseOther(text: string, form: RegExp): string {
  if (!form.test(text)) throw new TypeError('an id or digest of another form would stand in a path');
  return text;
}
