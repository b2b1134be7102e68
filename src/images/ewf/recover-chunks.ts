/** Finds chunks without their table: each is read to its end, where the next one begins. */
import { inflateSync } from 'node:zlib';
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { adler32 } from './layout.ts';
import { type Section } from './sections.ts';
import { type Volume } from './volume.ts';

/** Start of each chunk in its segment file, and the end of the last; a flag per chunk. */
export interface Entries {
  readonly starts: Float64Array;
  readonly compressed: Uint8Array;
}

/** Ends at the first place where no chunk can be made out. Every step moves on by at least one byte. */
export function recoverChunks(source: ByteSource, { dataOffset, dataSize }: Section, { chunkSize, chunkCount }: Volume): Entries {
  const starts: number[] = [dataOffset];
  const compressed: number[] = [];
  const end = dataOffset + dataSize;
  for (let at = dataOffset; at < end && compressed.length < chunkCount; at = starts.at(-1)!) {
    const bytes = readSome(source, at, Math.min(chunkSize + 4096, end - at));
    if (bytes === null) break;
    const packed = packedLength(bytes, chunkSize);
    const length = packed ?? storedLength(bytes, chunkSize);
    if (length === null || length === 0) break;
    starts.push(at + length);
    compressed.push(packed === null ? 0 : 1);
  }
  return { starts: Float64Array.from(starts), compressed: Uint8Array.from(compressed) };
}

function readSome(source: ByteSource, offset: number, length: number): Uint8Array | null {
  try {
    return source.read(offset, length);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return null;
  }
}

/** Bytes that the zlib stream takes; null where there is none that unpacks to a chunk. */
function packedLength(bytes: Uint8Array, chunkSize: number): number | null {
  if ((bytes[0]! & 0x0f) !== 8 || ((bytes[0]! << 8) | (bytes[1] ?? 0)) % 31 !== 0) return null; // RFC 1950 section 2.2
  try {
    const options = { maxOutputLength: chunkSize + 64, chunkSize: chunkSize + 64, info: true };
    const { buffer, engine } = inflateSync(bytes, options) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    return buffer.length === chunkSize ? engine.bytesWritten : null;
  } catch {
    return null; // not a chunk of this form: the other form is tried
  }
}

const storedLength = (bytes: Uint8Array, chunkSize: number): number | null =>
  bytes.length >= chunkSize + 4 && adler32(bytes.subarray(0, chunkSize)) === u32(viewOf(bytes), chunkSize) ? chunkSize + 4 : null;
