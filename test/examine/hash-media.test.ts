/** Digests of media: one thread and two that share a ring, leaves, files of the image. Real threads, real images. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HashMediaResult, type ImageReference, type ThreadPool } from '../../src/evidence/task.ts';
import { findSegments } from '../../src/examine/open-evidence.ts';
import { openThreadPool } from '../../src/pipeline/piscina-pool.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';

const digest = (name: string, bytes: Uint8Array) => createHash(name).update(bytes).digest('hex');

let folder = '';
let pools: Record<'one thread' | 'two threads', ThreadPool>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-hash-'));
  const open = (threads: number) =>
    openThreadPool({ threads, heapMiB: 256, silenceMs: 20_000, onError: (error) => expect.unreachable(String(error)) });
  pools = { 'one thread': open(1), 'two threads': open(2) };
});
afterAll(async () => {
  await Promise.all(Object.values(pools).map((pool) => pool.close()));
  rmSync(folder, { recursive: true });
});

async function hash(pool: ThreadPool, image: ImageReference, leafSize: number) {
  let progress = 0;
  const onBatch = (batch: { kind: string; bytes?: unknown }) => {
    if (batch.kind === 'progress') progress += batch.bytes as number;
  };
  const result: HashMediaResult = await pool.run(
    { kind: 'hash-media', image, leafSize },
    { onBatch, signal: new AbortController().signal },
  );
  return { result, progress };
}

describe.each(['one thread', 'two threads'] as const)('%s', (threads) => {
  it.each(['ewf-split', 'ewf-encase6', 'ewf-ftk', 'ewf-smart', 'ewf-chunk16', 'ewf-ewfx'])(
    '%s: the digests that coreutils knows of its medium',
    async (name) => {
      const image = findSegments(fixturePath(name));
      const { mediaSize, md5, sha1, sha256 } = fixtureExpected(name);
      const { result } = await hash(pools[threads], image, 64 * 1024 * 1024);
      expect(result).toMatchObject({ mediaSize, media: { md5, sha1, sha256 }, leaves: [sha256], damagedBytes: 0, problems: [] }); // smaller than a leaf: the one leaf is all of it
      expect(result.segments).toEqual(
        image.paths.map((path) => ({
          name: basename(path),
          size: readFileSync(path).length,
          sha256: digest('sha256', readFileSync(path)),
        })),
      );
    },
  );

  // media around the borders of pieces (1 MiB), of the ring (16 pieces), and of leaves
  const mebibyte = 1024 * 1024;
  it.each([512, mebibyte - 512, mebibyte, mebibyte + 512, 16 * mebibyte, 40 * mebibyte + 1024])(
    'a raw medium of %i bytes',
    async (size) => {
      const bytes = Buffer.alloc(size);
      for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
      const path = join(folder, `${threads}-${size}.raw`);
      writeFileSync(path, bytes);
      const leafSize = 3 * mebibyte; // no power of two: leaves begin inside pieces' neighbours
      const { result, progress } = await hash(pools[threads], { format: 'raw', paths: [path] }, leafSize);
      expect(result.media).toEqual({ md5: digest('md5', bytes), sha1: digest('sha1', bytes), sha256: digest('sha256', bytes) });
      const leaves = Array.from({ length: Math.ceil(size / leafSize) }, (_, index) =>
        digest('sha256', bytes.subarray(index * leafSize, (index + 1) * leafSize)),
      );
      expect(result.leaves).toEqual(leaves);
      expect(result.segments).toEqual([{ name: basename(path), size, sha256: digest('sha256', bytes) }]);
      expect(progress).toBeLessThanOrEqual(size);
    },
  );

  it('leaves that end within pieces', async () => {
    // by hand: 2,560 bytes in leaves of 1,000 are bytes 0 to 999, 1000 to 1999, 2000 to 2559
    const bytes = Buffer.alloc(2560, 'abcdefg');
    const path = join(folder, `${threads}-leaves.raw`);
    writeFileSync(path, bytes);
    const { result } = await hash(pools[threads], { format: 'raw', paths: [path] }, 1000);
    expect(result.leaves).toEqual(
      [bytes.subarray(0, 1000), bytes.subarray(1000, 2000), bytes.subarray(2000)].map((leaf) => digest('sha256', leaf)),
    );
  });

  it('split raw: the medium as one, each file for itself', async () => {
    const bytes = Buffer.from(Array.from({ length: 3 * mebibyte }, (_, index) => index >>> 9));
    const cuts = [0, mebibyte + 512, 2 * (mebibyte + 512), bytes.length];
    const paths = [1, 2, 3].map((part) => join(folder, `${threads}-split.00${part}`));
    paths.forEach((path, index) => {
      writeFileSync(path, bytes.subarray(cuts[index], cuts[index + 1]));
    });
    const { result } = await hash(pools[threads], findSegments(paths[0]!), 64 * mebibyte);
    expect(result.media.sha256).toBe(digest('sha256', bytes));
    expect(result.segments.map(({ sha256 }) => sha256)).toEqual(
      [0, 1, 2].map((part) => digest('sha256', bytes.subarray(cuts[part], cuts[part + 1]))),
    );
  });
});
