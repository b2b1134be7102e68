/** Sources of bytes against plain buffers: whatever is put together, every read gives what the buffer gives. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ReadError } from '../../src/bytes/read-error.ts';
import {
  type ByteSource,
  cachedSource,
  concatSources,
  type Extent,
  extentSource,
  makeSource,
  memorySource,
  openFileSource,
  readExactly,
  sliceSource,
} from '../../src/bytes/source.ts';

const folder = mkdtempSync(join(tmpdir(), 'custodia-bytes-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Every read of `source` gives what `model` holds; short only at the end; nothing behind it. */
function expectSame(source: ByteSource, model: Uint8Array, reads: readonly (readonly [number, number])[]): void {
  expect(source.size).toBe(model.length);
  for (const [offset, length] of [...reads, [0, model.length], [0, model.length + 5], [model.length, 3], [2 ** 53, 3]] as const) {
    const expected = Buffer.from(model.subarray(offset, offset + length));
    expect(Buffer.from(source.read(offset, length))).toEqual(expected);
    const target = Buffer.alloc(length + 2, 0xee);
    expect(source.readInto(target.subarray(1, length + 1), offset)).toBe(expected.length);
    expect(target.subarray(1, 1 + expected.length)).toEqual(expected);
    expect([target[0], ...target.subarray(1 + expected.length)].every((byte) => byte === 0xee)).toBe(true); // nothing else was touched
  }
}

const content = fc.uint8Array({ maxLength: 200 });
const reads = fc.array(fc.tuple(fc.nat(250), fc.nat(250)), { maxLength: 8 });

describe('a source', () => {
  it('of memory, and one of a file, give their bytes', () => {
    let count = 0;
    fc.assert(
      fc.property(content, reads, (bytes, asked) => {
        expectSame(memorySource(bytes), bytes, asked);
        const path = join(folder, String(count++));
        writeFileSync(path, bytes);
        const file = openFileSource(path);
        expectSame(file, bytes, asked);
        file.close();
      }),
    );
  });

  it('cut out of another one is its part', () => {
    fc.assert(
      fc.property(content, fc.nat(250), fc.nat(250), reads, (bytes, offset, length, asked) => {
        expectSame(sliceSource(memorySource(bytes), offset, length), bytes.subarray(offset, offset + length), asked);
      }),
    );
  });

  it('of several is one after the other, empty ones too', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 }), reads, (parts, asked) => {
        expectSame(concatSources(parts.map(memorySource)), Buffer.concat(parts), asked);
      }),
    );
  });

  it('of extents has holes and a tail of zeros', () => {
    const extent = fc.record({ offset: fc.option(fc.nat(150)), length: fc.nat(50) });
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 200, maxLength: 200 }),
        fc.array(extent, { maxLength: 6 }),
        fc.nat(300),
        reads,
        (bytes, extents, size, asked) => {
          const pieces = extents.map(({ offset, length }) =>
            offset === null ? Buffer.alloc(length) : bytes.subarray(offset, offset + length),
          );
          const model = Buffer.alloc(size);
          Buffer.concat(pieces).copy(model);
          expectSame(extentSource(memorySource(bytes), extents as Extent[], size), model, asked);
        },
      ),
    );
  });

  it('behind a cache is the same, and read less often', () => {
    fc.assert(
      fc.property(
        content,
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 4 }),
        reads,
        (bytes, blockSize, blockCount, asked) => {
          expectSame(cachedSource(memorySource(bytes), blockSize, blockCount), bytes, asked);
        },
      ),
    );
    let count = 0;
    const counted = makeSource(1000, (target) => {
      count++;
      return target.length;
    });
    const cached = cachedSource(counted, 100, 2);
    for (let offset = 0; offset < 100; offset += 4) cached.read(offset, 4);
    expect(count).toBe(1);
    cached.read(150, 4);
    cached.read(50, 4);
    expect(count).toBe(2); // both blocks are kept
    cached.read(250, 4); // puts out the block used longest ago, 100 to 199
    cached.read(50, 4);
    expect(count).toBe(3);
    cached.read(150, 4);
    expect(count).toBe(4);
  });
});

describe('what a source refuses', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5);

  it('an offset before its start', () => {
    for (const source of [memorySource(bytes), sliceSource(memorySource(bytes), 2, 3), concatSources([memorySource(bytes)])]) {
      expect(() => source.read(-1, 2)).toThrow(ReadError);
      expect(() => source.readInto(new Uint8Array(2), -1)).toThrow(ReadError);
    }
  });

  it('is said with the offset, by whoever needs every byte', () => {
    const target = new Uint8Array(4);
    readExactly(memorySource(bytes), target, 1);
    expect([...target]).toEqual([2, 3, 4, 5]);
    expect(() => readExactly(memorySource(bytes), target, 2)).toThrow(
      expect.objectContaining({ code: 'read.past-end', offset: 2, length: 4 }),
    );
    const extents = extentSource(memorySource(bytes), [{ offset: 3, length: 10 }], 10);
    expect(() => extents.read(0, 10)).toThrow(expect.objectContaining({ code: 'read.past-end' }));
  });

  it('a file that shrank while it was open is short at its end, and never moves what follows it', () => {
    const [first, second] = ['a', 'b'].map((name) => {
      const path = join(folder, name);
      writeFileSync(path, name.repeat(100));
      return { path, source: openFileSource(path) };
    }) as [{ path: string; source: ReturnType<typeof openFileSource> }, { path: string; source: ReturnType<typeof openFileSource> }];
    const both = concatSources([first.source, second.source]);
    truncateSync(first.path, 60);
    expect(Buffer.from(first.source.read(50, 50)).toString()).toBe('a'.repeat(10));
    expect(() => both.read(90, 20)).toThrow(ReadError);
    expect(Buffer.from(both.read(100, 20)).toString()).toBe('b'.repeat(20));
    first.source.close();
    second.source.close();
  });

  it.each(['a folder', 'a pipe that nobody writes into'])('%s is no file', (what) => {
    const path = join(folder, what);
    if (what === 'a folder') mkdirSync(path);
    else execFileSync('mkfifo', [path]); // POSIX, open(): with O_RDONLY it waits for a writer
    expect(() => openFileSource(path)).toThrow(expect.objectContaining({ name: 'ReadError', code: 'read.refused' }));
  });

  it('what the source below refuses goes through slices, sums, extents and caches', () => {
    const refusing = makeSource(100, (_, offset) => {
      throw new ReadError('read.refused', 'bad sector (test)', offset, 1);
    });
    for (const source of [
      sliceSource(refusing, 10, 10),
      concatSources([memorySource(bytes), refusing]),
      extentSource(refusing, [{ offset: 5, length: 20 }], 20),
      cachedSource(refusing),
    ]) {
      expect(() => source.read(0, source.size)).toThrow(expect.objectContaining({ code: 'read.refused' }));
    }
  });
});
