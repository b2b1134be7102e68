/** Thread entry: SHA-256 of every file of an image, to compare with what was received. */
import { basename } from 'node:path';
import { type MessagePort } from 'node:worker_threads';
import { openFileSource } from '../src/bytes/source.ts';
import { type SegmentDigest, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { createDigests } from '../src/examine/digests.ts';
import { Outlet } from '../src/examine/outlet.ts';

const piece = new Uint8Array(1024 * 1024);

export default answering(({ task, port }: { task: Task & { kind: 'hash-segments' }; port: MessagePort }): SegmentDigest[] => {
  const outlet = new Outlet(port);
  const digests = task.image.paths.map((path) => hashFile(path, outlet));
  return digests;
});

function hashFile(path: string, outlet: Outlet): SegmentDigest {
  const source = openFileSource(path);
  try {
    const digests = createDigests(['sha256']);
    for (let offset = 0; offset < source.size; ) {
      const read = source.readInto(piece, offset);
      if (read === 0) break;
      digests.update(piece.subarray(0, read));
      offset += read;
      outlet.progress(read, 0);
    }
    return { name: basename(path), size: source.size, sha256: digests.finish().sha256! };
  } finally {
    source.close();
  }
}
