/** Finds chunks without their table: each is read to its end, where the next one begins. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { adler32 } from './adler32.ts';
import { createInflater, type Inflate } from './inflater.ts';
import { mostPacked } from './layout.ts';
import { type Section } from './sections.ts';
import { type Volume } from './volume.ts';

/** Start of each chunk in its segment file, and the end of the last; a flag per chunk. */
export interface Entries {
  readonly starts: Float64Array;
  readonly compressed: Uint8Array;
}

/** Ends at the first place where no chunk can be made out. Every step moves on by at least one byte. */
export function recoverChunks(source: ByteSource, { dataOffset, dataSize }: Section, volume: Volume): Entries {
  const { chunkSize, chunkCount, mediaSize } = volume;
  const inflate = createInflater();
  const content = new Uint8Array(chunkSize);
  const stored = new Uint8Array(mostPacked(chunkSize));
  const end = dataOffset + dataSize;
  let starts = new Float64Array(1024);
  let compressed = new Uint8Array(1024);
  let count = 0;
  starts[0] = dataOffset;
  for (let at = dataOffset; at < end && count < chunkCount; at = starts[count]!) {
    const bytes = readSome(source, stored.subarray(0, Math.min(stored.length, end - at)), at);
    const packed = packedLength(bytes, content, inflate, volume);
    const length = packed ?? storedLength(bytes, chunkSize) ?? storedLength(bytes, mediaSize % chunkSize);
    if (length === null || length === 0) break;
    if (count + 2 > starts.length) {
      starts = grown(starts, new Float64Array(starts.length * 2));
      compressed = grown(compressed, new Uint8Array(compressed.length * 2));
    }
    compressed[count++] = packed === null ? 0 : 1;
    starts[count] = at + length;
  }
  return { starts: starts.subarray(0, count + 1), compressed: compressed.subarray(0, count) };
}

function grown<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Nothing where the source refuses: the search ends there, as it does at any damage. */
function readSome(source: ByteSource, target: Uint8Array, offset: number): Uint8Array {
  try {
    return target.subarray(0, source.readInto(target, offset));
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return target.subarray(0, 0);
  }
}

/** Bytes that the zlib stream takes; null where there is none that unpacks to a chunk, or to what the medium ends with. */
function packedLength(bytes: Uint8Array, content: Uint8Array, inflate: Inflate, { chunkSize, mediaSize }: Volume): number | null {
  if ((bytes[0]! & 0x0f) !== 8 || ((bytes[0]! << 8) | (bytes[1] ?? 0)) % 31 !== 0) return null; // RFC 1950 section 2.2
  const { size, taken, fault } = inflate(bytes, content);
  return fault === null && (size === chunkSize || size === mediaSize % chunkSize) ? taken : null;
}

/** With the checksum; null where it is not that of `size` bytes. The last chunk has what the medium ends with. */
const storedLength = (bytes: Uint8Array, size: number): number | null =>
  size > 0 && bytes.length >= size + 4 && adler32(bytes.subarray(0, size)) === u32(viewOf(bytes), size) ? size + 4 : null;
