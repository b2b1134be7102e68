/** Digests of the image's files as they are, following behind what is read of them for the medium: the bytes are still in the page cache. */
import { createHash } from 'node:crypto';
import { ReadError } from '../../evidence/errors.ts';
import { type Segment } from '../../evidence/image.ts';
import { type SegmentDigest } from '../../evidence/task.ts';

const pieceSize = 1024 * 1024;

export interface ContainerDigests {
  /** Digests on up to this place. Places must not go back. */
  follow(segment: number, offset: number): void;
  finish(): SegmentDigest[];
}

export function createContainerDigests(segments: readonly Segment[]): ContainerDigests {
  const piece = new Uint8Array(pieceSize);
  const running = segments.map(() => createHash('sha256'));
  const done = segments.map(() => 0);
  const followTo = (index: number, end: number) => {
    const { source } = segments[index]!;
    const stop = Math.min(end, source.size);
    while (done[index]! < stop) {
      const part = piece.subarray(0, Math.min(pieceSize, stop - done[index]!));
      fill(source, part, done[index]!);
      running[index]!.update(part);
      done[index] = done[index]! + part.length;
    }
  };
  return {
    follow(segment, offset) {
      for (let before = 0; before < segment; before++) followTo(before, Number.POSITIVE_INFINITY);
      followTo(segment, offset);
    },
    finish() {
      for (const index of segments.keys()) followTo(index, Number.POSITIVE_INFINITY);
      return segments.map(({ name, source }, index) => ({ name, size: source.size, sha256: running[index]!.digest('hex') }));
    },
  };
}

const smallest = 4096;

/** What cannot be read counts as zeros; the reader of the medium tells of it. */
function fill(source: Segment['source'], target: Uint8Array, offset: number): void {
  try {
    source.readInto(target, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    if (target.length <= smallest) {
      target.fill(0);
      return;
    }
    const half = Math.ceil(target.length / 2 / smallest) * smallest;
    fill(source, target.subarray(0, half), offset);
    fill(source, target.subarray(half), offset + half);
  }
}

/** Raw images: the files are the medium, cut in pieces; its bytes are digested as they pass. */
export function createPassingDigests(segments: readonly Segment[]) {
  const ends: number[] = [];
  for (const { source } of segments) ends.push((ends.at(-1) ?? 0) + source.size);
  const running = segments.map(() => createHash('sha256'));
  let offset = 0;
  let index = 0;
  return {
    update(bytes: Uint8Array): void {
      for (let at = 0; at < bytes.length && index < segments.length; ) {
        const length = Math.min(bytes.length - at, ends[index]! - offset);
        if (length > 0) running[index]!.update(bytes.subarray(at, at + length));
        at += length;
        offset += length;
        if (offset >= ends[index]!) index++;
      }
    },
    finish: (): SegmentDigest[] =>
      segments.map(({ name, source }, at) => ({ name, size: source.size, sha256: running[at]!.digest('hex') })),
  };
}
