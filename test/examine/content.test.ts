/** Contents read once: digests, first and last bytes, places that cannot be read, contents kept while they are looked at. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ReadError } from '../../src/bytes/read-error.ts';
import { makeSource, memorySource } from '../../src/bytes/source.ts';
import { digestSource, spoolOf } from '../../src/examine/content.ts';
import { keepProblems } from '../support/problems.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const mebibyte = 1024 * 1024;
const numbers = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (index * 31) >>> 5));

it.each([0, 1, 4100, 4101, mebibyte, mebibyte + 1, 2 * mebibyte + 100])('%i bytes: digest, first 4,100, last 512', (size) => {
  const bytes = numbers(size);
  const problems = keepProblems();
  let told = 0;
  const content = digestSource(memorySource(bytes), ['sha256'], problems, (count) => {
    told += count;
  });
  expect(content.digests).toEqual({ sha256: sha256(bytes) });
  expect(Buffer.from(content.head).equals(bytes.subarray(0, 4100))).toBe(true);
  expect(Buffer.from(content.tail).equals(bytes.subarray(Math.max(0, size - 512)))).toBe(true);
  expect([content.read, told, problems.codes()]).toEqual([size, size, []]);
});

it('the first and last bytes are copies: the next content does not change them', () => {
  const first = digestSource(memorySource(Buffer.alloc(2000, 1)), [], keepProblems(), () => undefined);
  digestSource(memorySource(Buffer.alloc(2000, 2)), [], keepProblems(), () => undefined);
  expect([first.head[0], first.tail[0]]).toEqual([1, 1]);
});

describe('a place that cannot be read', () => {
  /** Refuses every read that touches this range. */
  const withHole = (bytes: Uint8Array, start: number, end: number) =>
    makeSource(bytes.length, (target, offset) => {
      if (offset < end && offset + target.length > start) throw new ReadError('read.refused', 'bad', offset, target.length);
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    });

  it.each([
    ['in a small content', 10_000, 5000, 5100, 4096, 8192],
    ['at the start', 3 * mebibyte, 0, 512, 0, 4096],
    ['in the second MiB', 3 * mebibyte, mebibyte + 9000, mebibyte + 9001, mebibyte + 8192, mebibyte + 12_288],
    ['at the very end', mebibyte + 300, mebibyte + 299, mebibyte + 300, mebibyte, mebibyte + 300],
  ])('%s counts as zeros, 4 KiB around it at most, and is told', (_, size, start, end, zerosFrom, zerosTo) => {
    const bytes = numbers(size);
    const problems = keepProblems();
    const content = digestSource(withHole(bytes, start, end), ['sha256'], problems, () => undefined);
    bytes.fill(0, zerosFrom, zerosTo);
    expect(content.digests.sha256).toBe(sha256(bytes));
    expect(problems.all).toMatchObject([{ code: 'read.bad-sector', at: zerosFrom, hidesEvidence: true }]);
  });
});

describe('pieces gathered', () => {
  function* pieces(count: number, size: number): Iterable<Uint8Array> {
    const reused = new Uint8Array(size); // as a reader of archives may do
    for (let index = 0; index < count; index++) yield reused.fill(index);
  }
  const gathered = (count: number, size: number) => Buffer.concat(Array.from({ length: count }, (_, index) => Buffer.alloc(size, index)));
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'custodia-content-'));
    process.env.TMPDIR = folder;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['none', 0, 1],
    ['in memory', 5, 1000],
    ['in a file without a name, beyond 8 MiB', 40, mebibyte],
  ])('%s', (_, count, size) => {
    const spool = spoolOf(pieces(count, size), () => undefined);
    expect(spool.error).toBeNull();
    expect(readdirSync(folder)).toEqual([]);
    const whole = gathered(count, size);
    expect(Buffer.from(spool.source.read(0, spool.source.size)).equals(whole)).toBe(true);
    expect(Buffer.from(spool.source.read(size - 1, 3)).equals(whole.subarray(size - 1, size + 2))).toBe(true);
    expect(spool.source.read(whole.length, 10)).toHaveLength(0);
    spool.close();
  });

  it('an error keeps what came before it', () => {
    function* failing(): Iterable<Uint8Array> {
      yield Buffer.from('before');
      throw new ReadError('read.refused', 'bad', 6, 1);
    }
    const spool = spoolOf(failing(), () => undefined);
    expect(spool.error).toBeInstanceOf(ReadError);
    expect(Buffer.from(spool.source.read(0, 99)).toString()).toBe('before');
  });
});
