/** Digests of the medium, of its 64 MiB leaves and of the image's files, all in one read, by one thread or by two that share the work. */
import { createHash } from 'node:crypto';
import { type HashMediaPart, type HashRole, type LocatedProblem } from '../evidence/task.ts';
import { createDigests } from './digests.ts';
import { createContainerDigests, createPassingDigests } from './hash-media/container.ts';
import { openRing } from './hash-media/ring.ts';
import { type OpenImage } from './open-evidence.ts';

/** MD5 takes one core for itself; SHA-1 and SHA-256 together take about as long (docs/PERFORMANCE.md). */
const digestsOfRole: Readonly<Record<HashRole, readonly string[]>> = {
  all: ['md5', 'sha1', 'sha256'],
  md5: ['md5'],
  sha: ['sha1', 'sha256'],
};

const aboutPieceSize = 1024 * 1024;

export interface HashOptions {
  readonly role: HashRole;
  /** Shared with the other role; null where one thread does all. */
  readonly memory: SharedArrayBuffer | null;
  readonly leafSize: number;
  readonly problems: readonly LocatedProblem[];
  progress(bytes: number): void;
}

export function hashMedia(opened: OpenImage, { role, memory, leafSize, problems, progress }: HashOptions): HashMediaPart {
  const { image } = opened;
  const { media } = image;
  const chunkSize = image.chunks?.chunkSize ?? aboutPieceSize;
  const pieceSize = Math.max(1, Math.floor(aboutPieceSize / chunkSize)) * chunkSize; // no chunk lies in two pieces
  const pieceCount = Math.ceil(media.size / pieceSize);
  const ring = openRing({
    memory: memory ?? new SharedArrayBuffer(4096 + pieceSize),
    takers: role === 'all' ? 1 : 2,
    taker: role === 'md5' ? 0 : 1,
    pieceSize,
    pieceCount,
    load: (index, target) => media.readInto(target.subarray(0, Math.min(pieceSize, media.size - index * pieceSize)), index * pieceSize),
  });
  const digests = createDigests(digestsOfRole[role]);
  const leaves = createLeaves(leafSize, (leaf) => ring.claimLeaf(leaf));
  const files = role === 'md5' ? null : followFiles(opened, pieceSize);
  for (let index = 0; index < pieceCount; index++) {
    const bytes = ring.take(index);
    digests.update(bytes);
    leaves.update(bytes);
    files?.passed(bytes, index);
    ring.done(index);
    if (role !== 'sha') progress(bytes.length);
  }
  const found = digests.finish();
  return {
    mediaSize: media.size,
    media: found,
    leaves: leaves.finish(),
    segments: files === null ? null : files.finish(found.sha256 ?? ''),
    damagedBytes: image.damage.bytes,
    problems,
  };
}

/** SHA-256 of each leaf that this thread has claimed. */
function createLeaves(leafSize: number, claim: (leaf: number) => boolean) {
  const finished: [number, string][] = [];
  let digest: ReturnType<typeof createHash> | null = null;
  let leaf = -1;
  let offset = 0;
  const end = () => {
    if (digest !== null) finished.push([leaf, digest.digest('hex')]);
    digest = null;
  };
  return {
    update(bytes: Uint8Array): void {
      for (let at = 0; at < bytes.length; ) {
        const current = Math.floor(offset / leafSize);
        if (current !== leaf) {
          end();
          leaf = current;
          if (claim(leaf)) digest = createHash('sha256');
        }
        const length = Math.min(bytes.length - at, (leaf + 1) * leafSize - offset);
        digest?.update(bytes.subarray(at, at + length));
        at += length;
        offset += length;
      }
    },
    finish(): [number, string][] {
      end();
      return finished;
    },
  };
}

/** How the files' own digests come about: the medium's for one raw file, of passing bytes for split ones, of the files themselves for containers. */
function followFiles({ image, segments }: OpenImage, pieceSize: number) {
  const { chunks } = image;
  if (chunks !== undefined) {
    const containers = createContainerDigests(segments);
    return {
      passed(_bytes: Uint8Array, index: number): void {
        const last = Math.min(chunks.count, ((index + 1) * pieceSize) / chunks.chunkSize) - 1;
        const { segment, offset } = chunks.endOf(last);
        containers.follow(segment, offset);
      },
      finish: (_sha256: string) => containers.finish(),
    };
  }
  const passing = segments.length > 1 ? createPassingDigests(segments) : null;
  return {
    passed: (bytes: Uint8Array): void => passing?.update(bytes),
    finish: (sha256: string) => passing?.finish() ?? segments.map(({ name, source }) => ({ name, size: source.size, sha256 })),
  };
}
