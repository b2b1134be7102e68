/** Reads a content once, feeding every digest, and keeps its head. */
import { closeSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ByteSource, type FileSource, memorySource, openFileSource } from '../bytes/source.ts';
import { ReadError } from '../evidence/errors.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { createDigests, digestsOf } from './digests.ts';

const pieceSize = 1024 * 1024;
const headSize = 4100;
/** A sector that could not be read is stepped over in such pieces. */
const skipSize = 4096;
const buffer = new Uint8Array(pieceSize);

export interface Content {
  readonly digests: Readonly<Record<string, string>>;
  /** The first bytes, a copy. */
  readonly head: Uint8Array;
  /** Bytes digested. */
  readonly read: number;
}

/** Bytes that cannot be read count as zeros in the digests, and are a problem. */
export function digestSource(
  source: ByteSource,
  names: readonly string[],
  problems: ProblemLog,
  progress: (bytes: number) => void,
): Content {
  if (source.size <= pieceSize) {
    const piece = buffer.subarray(0, source.size);
    const read = readPiece(source, piece, 0, problems);
    progress(read);
    return { digests: digestsOf(names, piece.subarray(0, read)), head: piece.slice(0, Math.min(read, headSize)), read };
  }
  const digests = createDigests(names);
  let head = new Uint8Array(0);
  let offset = 0;
  while (offset < source.size) {
    const piece = buffer.subarray(0, Math.min(pieceSize, source.size - offset));
    const read = readPiece(source, piece, offset, problems);
    if (read === 0) break;
    if (offset === 0) head = piece.slice(0, headSize);
    digests.update(piece.subarray(0, read));
    offset += read;
    progress(read);
  }
  return { digests: digests.finish(), head, read: offset };
}

function readPiece(source: ByteSource, piece: Uint8Array, offset: number, problems: ProblemLog): number {
  try {
    return source.readInto(piece, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return readAround(source, piece, offset, problems);
  }
}

/** Piece by piece, with zeros for what cannot be read. */
function readAround(source: ByteSource, piece: Uint8Array, offset: number, problems: ProblemLog): number {
  let firstBad = -1;
  let bad = 0;
  for (let at = 0; at < piece.length; at += skipSize) {
    const part = piece.subarray(at, at + skipSize);
    try {
      source.readInto(part, offset + at);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      part.fill(0);
      if (bad === 0) firstBad = offset + at;
      bad += part.length;
    }
  }
  problems.add({
    code: 'read.bad-sector',
    message: `${bad} bytes from byte ${firstBad} of the content could not be read: taken as zeros`,
    at: firstBad,
    hidesEvidence: true,
  });
  return piece.length;
}

/** What holds a spooled content; `close` gives its place back. */
export interface Spool {
  readonly source: ByteSource;
  /** The error that ended the pieces early, if one did: what came before it is kept. */
  readonly error: unknown;
  close(): void;
}

const spoolInMemory = 32 * 1024 * 1024;

/** Gathers pieces: in memory up to 32 MiB, beyond that in a scratch file that has no name any more. At most `limit` bytes. */
export function spoolOf(pieces: Iterable<Uint8Array>, limit: number): Spool {
  let held: Uint8Array[] = [];
  let size = 0;
  let file: Scratch | null = null;
  let failure: unknown = null;
  try {
    for (const piece of pieces) {
      if (size + piece.length > limit) break;
      size += piece.length;
      if (file === null && size > spoolInMemory) {
        file = openScratch();
        for (const part of held) file.write(part);
        held = [];
      }
      if (file === null) held.push(piece.slice());
      else file.write(piece);
    }
  } catch (error) {
    failure = error;
  }
  if (file !== null) return { source: file.source(), error: failure, close: file.close };
  return { source: memorySource(Buffer.concat(held)), error: failure, close: () => undefined };
}

interface Scratch {
  write(bytes: Uint8Array): void;
  source(): ByteSource;
  close(): void;
}

function openScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-'));
  const path = join(folder, 'member');
  const descriptor = openSync(path, 'wx', 0o600);
  let reading: FileSource | null = null;
  return {
    write(bytes) {
      let done = 0;
      while (done < bytes.length) done += writeSync(descriptor, bytes, done);
    },
    source() {
      reading = openFileSource(path);
      unlinkSync(path);
      rmSync(folder, { recursive: true });
      return reading;
    },
    close() {
      closeSync(descriptor);
      reading?.close();
    },
  };
}
