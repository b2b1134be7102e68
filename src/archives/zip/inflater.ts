/** Inflates piece by piece, synchronously: Node's own zlib, driven without its stream. */
import { constants, createInflateRaw } from 'node:zlib';
import { FormatError } from '../../evidence/errors.ts';

/** The part of Node's zlib objects that works synchronously; the same that its `inflateRawSync` uses. */
interface Synchronous {
  _processChunk(chunk: Uint8Array, flush: number): Buffer;
  readonly bytesWritten: number;
  close(): void;
  on(event: 'error', listener: () => void): void;
}

export function createInflater() {
  const zlib = createInflateRaw({ chunkSize: 128 * 1024 }) as unknown as Synchronous;
  zlib.on('error', () => undefined); // thrown by `push` as well
  let pushed = 0;
  return {
    /** What comes out of these bytes. Throws FormatError where they are no deflate stream. */
    push(packed: Uint8Array): Uint8Array {
      pushed += packed.length;
      try {
        return zlib._processChunk(packed, constants.Z_SYNC_FLUSH);
      } catch (error) {
        throw new FormatError('zip.inflate', `cannot be unpacked further: ${(error as Error).message}`);
      }
    },
    /** True once the stream has come to its end before all that was pushed was taken. */
    ended: (): boolean => zlib.bytesWritten < pushed,
    close: (): void => zlib.close(),
  };
}
