/** Positioned, synchronous reading of bytes, and the ways sources are put together. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ReadError } from './read-error.ts';

/** A fixed run of bytes. Offsets and lengths are bytes, exact below 2^53. Reading never changes what is read. */
export interface ByteSource {
  readonly size: number;
  /**
   * Fills `target` with the bytes from `offset` on and returns how many it wrote: short only at the end of the source.
   * For bulk reading with a buffer of the caller's. Throws ReadError.
   */
  readInto(target: Uint8Array, offset: number): number;
  /** A fresh copy of up to `length` bytes: short only at the end of the source. Throws ReadError. */
  read(offset: number, length: number): Uint8Array;
}

/** A ByteSource that holds an open file. */
export interface FileSource extends ByteSource {
  close(): void;
}

/** `length: null` source offset marks a hole: it reads as zeros. */
export interface Extent {
  readonly offset: number | null;
  readonly length: number;
}

/**
 * The one place where `read` is derived, and where both are kept within the source: `readInto` is called with an offset inside it and a target
 * that ends with it at the latest, never with nothing to fill.
 */
export function makeSource(size: number, readInto: (target: Uint8Array, offset: number) => number): ByteSource {
  const within = (target: Uint8Array, offset: number): number => {
    if (offset < 0) throw new ReadError('read.past-end', `byte ${offset}: before the start of the source`, offset, target.length);
    const wanted = Math.min(target.length, size - offset);
    if (!(wanted > 0)) return 0;
    return readInto(wanted === target.length ? target : target.subarray(0, wanted), offset);
  };
  return {
    size,
    readInto: within,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - Math.max(0, offset))));
      const got = within(bytes, offset);
      return got === bytes.length ? bytes : bytes.subarray(0, got);
    },
  };
}

/**
 * A file, opened read-only. A read that the system refuses is a ReadError with the system's code (`EIO`). What is no file is refused: to open a
 * pipe waits for somebody who writes, and a device has no size.
 */
export function openFileSource(path: string): FileSource {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const found = fstatSync(descriptor);
  if (!found.isFile()) {
    closeSync(descriptor);
    throw new ReadError('read.refused', `${JSON.stringify(path)}: is no file`, 0, 0);
  }
  const { size } = found;
  const source = makeSource(size, (target, offset) => {
    let done = 0;
    while (done < target.length) {
      const got = readSome(descriptor, target, done, offset + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  });
  return { ...source, close: () => closeSync(descriptor) };
}

function readSome(descriptor: number, target: Uint8Array, at: number, offset: number): number {
  try {
    return readSync(descriptor, target, at, target.length - at, offset);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
    throw new ReadError(
      'read.refused',
      `byte ${offset}: reading ${target.length - at} bytes failed with ${code}`,
      offset,
      target.length - at,
    );
  }
}

/** Bytes in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return makeSource(bytes.length, (target, offset) => {
    const part = bytes.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  });
}

/** `length` bytes of `source` from `offset`, cut where the source ends. */
export function sliceSource(source: ByteSource, offset: number, length: number): ByteSource {
  const size = Math.max(0, Math.min(length, source.size - offset));
  return makeSource(size, (target, at) => source.readInto(target, offset + at));
}

/** Sources one after the other, as one. */
export function concatSources(sources: readonly ByteSource[]): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const source of sources) {
    starts.push(size);
    size += source.size;
  }
  return makeSource(size, (target, offset) => {
    let done = 0;
    let index = lastStartAtOrBefore(starts, offset);
    while (done < target.length && index < sources.length) {
      const source = sources[index]!;
      const within = offset + done - starts[index]!;
      const part = target.subarray(done, done + source.size - within);
      readExactly(source, part, within); // a part that has shrunk must not move the next one forward
      done += part.length;
      index++;
    }
    return done;
  });
}

/** The extents of `source`, one after the other, as one source of `size` bytes. What the extents do not cover at the end reads as zeros. */
export function extentSource(source: ByteSource, extents: readonly Extent[], size: number): ByteSource {
  const starts: number[] = [];
  let covered = 0;
  for (const extent of extents) {
    starts.push(covered);
    covered += extent.length;
  }
  return makeSource(size, (target, offset) => {
    let done = 0;
    let index = lastStartAtOrBefore(starts, offset);
    while (done < target.length) {
      const extent = extents[index];
      if (extent === undefined) {
        target.fill(0, done);
        return target.length;
      }
      const within = offset + done - starts[index]!;
      const part = target.subarray(done, done + Math.max(0, extent.length - within));
      if (extent.offset === null) part.fill(0);
      else readExactly(source, part, extent.offset + within);
      done += part.length;
      index++;
    }
    return done;
  });
}

/** Fills `target` or throws ReadError: for callers to whom a short read is a fault. */
export function readExactly(source: ByteSource, target: Uint8Array, offset: number): void {
  const got = source.readInto(target, offset);
  if (got < target.length) {
    throw new ReadError(
      'read.past-end',
      `byte ${offset}: ${target.length} bytes wanted, the source ends at byte ${source.size}`,
      offset,
      target.length,
    );
  }
}

/** A cache of `blockCount` blocks of `blockSize` bytes in front of `source`, for parsers that read small pieces in no order. */
export function cachedSource(source: ByteSource, blockSize = 65_536, blockCount = 64): ByteSource {
  const blocks = new Map<number, Uint8Array>();
  const block = (index: number): Uint8Array => {
    const known = blocks.get(index);
    if (known !== undefined) {
      blocks.delete(index);
      blocks.set(index, known); // the newest stands last
      return known;
    }
    const bytes = source.read(index * blockSize, blockSize);
    if (blocks.size >= blockCount) blocks.delete(blocks.keys().next().value as number);
    blocks.set(index, bytes);
    return bytes;
  };
  return makeSource(source.size, (target, offset) => {
    if (target.length > blockSize) return source.readInto(target, offset);
    let done = 0;
    while (done < target.length && offset + done < source.size) {
      const index = Math.floor((offset + done) / blockSize);
      const part = block(index)
        .subarray(offset + done - index * blockSize)
        .subarray(0, target.length - done);
      if (part.length === 0) break;
      target.set(part, done);
      done += part.length;
    }
    return done;
  });
}

/** Index of the last start at or before `offset`; `starts` ascends from 0. */
function lastStartAtOrBefore(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
