/** What every image reader owes its callers, run on a good set of segments. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ByteSource, sliceSource } from '../../src/bytes/source.ts';
import { FormatError, ReadError } from '../../src/evidence/errors.ts';
import { type Image, type ImageFormat, type Segment } from '../../src/evidence/image.ts';
import { failingSource } from '../support/failing-source.ts';
import { keepProblems } from '../support/problems.ts';

/** The whole medium, read in pieces of `pieceSize`; also proves that reads are short only at its end. */
export function readMedia(media: ByteSource, pieceSize: number): Buffer {
  const whole = Buffer.alloc(media.size);
  for (let offset = 0; offset < media.size; offset += pieceSize) {
    const piece = whole.subarray(offset, offset + pieceSize);
    expect(media.readInto(piece, offset)).toBe(piece.length);
  }
  return whole;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Opens and reads all; null where the reader refuses in one of the ways it may. */
export function tryImage(format: ImageFormat, segments: readonly Segment[]) {
  const problems = keepProblems();
  try {
    const image = format.open(segments, problems);
    const media = readMedia(image.media, 1 << 20);
    return { image, media, problems };
  } catch (error) {
    if (error instanceof FormatError || error instanceof ReadError) return null;
    throw error;
  }
}

/** `segments()` gives the same good set each time; `expected.sha256` is that of its medium, by an outside witness. */
export function imageContract(
  format: ImageFormat,
  name: string,
  segments: () => Segment[],
  expected: { readonly mediaSize: number; readonly sha256: string },
): void {
  const open = (set = segments()) => {
    const problems = keepProblems();
    return { image: format.open(set, problems), problems };
  };
  const replaced = (index: number, change: (source: ByteSource) => ByteSource): Segment[] =>
    segments().map((segment, at) => (at === index ? { ...segment, source: change(segment.source) } : segment));

  describe(`${format.name} keeps the image contract on ${name}`, () => {
    it('gives the medium that the witness knows, without problem or damage', () => {
      const { image, problems } = open();
      expect(sha256(readMedia(image.media, 1 << 20))).toBe(expected.sha256);
      expect(image.media.size).toBe(expected.mediaSize);
      expect(problems.all).toEqual([]);
      expect(image.damage.bytes).toBe(0);
    });

    it('gives the same bytes in pieces of any size, and short ones only at the end', () => {
      for (const pieceSize of [511, 4096, 33_000, 65_536, 100_001]) {
        expect(sha256(readMedia(open().image.media, pieceSize))).toBe(expected.sha256);
      }
      const { media } = open().image;
      expect(media.read(media.size - 10, 100).length).toBe(10);
      expect(media.readInto(new Uint8Array(8), media.size)).toBe(0);
      expect(media.readInto(new Uint8Array(8), media.size + 1000)).toBe(0);
      expect(media.readInto(new Uint8Array(0), 0)).toBe(0);
    });

    it('gives the same bytes backwards and into shared memory', () => {
      const { media } = open().image;
      const whole = new Uint8Array(new SharedArrayBuffer(media.size));
      for (let end = media.size; end > 0; end -= 50_000) {
        const start = Math.max(0, end - 50_000);
        expect(media.readInto(whole.subarray(start, end), start)).toBe(end - start);
      }
      expect(sha256(whole)).toBe(expected.sha256);
    });

    it('says of every chunk where it ends, in order', () => {
      const { chunks } = open().image;
      if (chunks === undefined) return;
      expect(chunks.count).toBe(Math.ceil(expected.mediaSize / chunks.chunkSize));
      const sizes = segments().map(({ source }) => source.size);
      let before = { segment: 0, offset: 0 };
      for (let index = 0; index < chunks.count; index++) {
        const end = chunks.endOf(index);
        expect(end.segment > before.segment || (end.segment === before.segment && end.offset > before.offset)).toBe(true);
        expect(end.offset).toBeLessThanOrEqual(sizes[end.segment]!);
        before = end;
      }
    });

    it('reports a bad sector wherever it falls', () => {
      segments().forEach((_, index) => {
        let failing = failingSource(segments()[index]!.source, -1);
        const counted = replaced(index, (source) => {
          failing = failingSource(source, -1);
          return failing;
        });
        tryImage(format, counted);
        const step = Math.max(1, Math.floor(failing.reads / 60)); // every read of small sets, 60 of large ones
        for (let failAt = 0; failAt < failing.reads; failAt += step) {
          const got = tryImage(
            format,
            replaced(index, (source) => failingSource(source, failAt)),
          );
          if (got === null || got.problems.all.length > 0) continue;
          expect(sha256(got.media)).toBe(expected.sha256); // a second try brought the bytes after all
        }
      });
    });

    it('counts as damage what it cannot give, and gives everything else', () => {
      const last = segments().length - 1;
      const good = readMedia(open().image.media, 1 << 20);
      const { source } = segments()[last]!;
      for (let part = 0; part < 24; part++) {
        const cut = Math.floor((source.size * part) / 24);
        const got = tryImage(format, cutShort(segments(), last, cut));
        if (got !== null) expectHonest(format, got.image, got.media, good, got.problems.all.length);
      }
    });
  });
}

const cutShort = (segments: Segment[], index: number, size: number): Segment[] =>
  segments.map((segment, at) => (at === index ? { ...segment, source: sliceSource(segment.source, 0, size) } : segment));

/** Bytes that differ from the good ones are zeros, and not more than were counted. Formats without structure cannot know that they were cut. */
function expectHonest({ name }: ImageFormat, image: Image, media: Buffer, good: Buffer, problemCount: number): void {
  let differing = 0;
  for (let at = 0; at < media.length; at++) if (media[at] !== good[at]) differing++;
  expect(differing).toBeLessThanOrEqual(image.damage.bytes);
  if (!name.includes('raw')) expect(problemCount).toBeGreaterThan(0);
}
