/** Reads a content once, feeding every digest, and keeps its head. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ByteSource, makeSource, memorySource } from '../bytes/source.ts';
import { ReadError } from '../evidence/errors.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { createDigests, digestsOf } from './digests.ts';

const pieceSize = 1024 * 1024;
const headSize = 4100;
const tailSize = 512;
/** A sector that could not be read is stepped over in such pieces. */
const skipSize = 4096;
const buffer = new Uint8Array(pieceSize);

export interface Content {
  readonly digests: Readonly<Record<string, string>>;
  /** The first bytes, a copy. */
  readonly head: Uint8Array;
  /** The last bytes, a copy. */
  readonly tail: Uint8Array;
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
    const bytes = piece.subarray(0, read);
    return { digests: digestsOf(names, bytes), head: bytes.slice(0, headSize), tail: bytes.slice(-tailSize), read };
  }
  const digests = createDigests(names);
  let head = new Uint8Array(0);
  let tail = head;
  let offset = 0;
  while (offset < source.size) {
    const piece = buffer.subarray(0, Math.min(pieceSize, source.size - offset));
    const read = readPiece(source, piece, offset, problems);
    if (read === 0) break;
    if (offset === 0) head = piece.slice(0, headSize);
    digests.update(piece.subarray(0, read));
    tail = Buffer.concat([tail, piece.subarray(Math.max(0, read - tailSize), read)]).subarray(-tailSize);
    offset += read;
    progress(read);
  }
  return { digests: digests.finish(), head, tail, read: offset };
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

/** Archives in archives each hold one content: eight of them at most. */
const spoolInMemory = 8 * 1024 * 1024;

/** Gathers pieces: in memory up to 8 MiB, beyond that in a scratch file that has no name any more. Whoever makes the pieces bounds them. `alive` is called for each. */
export function spoolOf(pieces: Iterable<Uint8Array>, alive: () => void): Spool {
  let held: Uint8Array[] = [];
  let size = 0;
  let file: Scratch | null = null;
  let failure: unknown = null;
  try {
    for (const piece of pieces) {
      alive();
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
  return { source: memorySource(held.length === 1 ? held[0]! : Buffer.concat(held)), error: failure, close: () => undefined };
}

interface Scratch {
  write(bytes: Uint8Array): void;
  source(): ByteSource;
  close(): void;
}

/** Its name is taken away at once: whatever ends this thread or process, the system gives the place back. */
function openScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-'));
  const path = join(folder, 'member');
  const descriptor = openSync(path, 'wx', 0o600);
  const reading = openSync(path, 'r');
  unlinkSync(path);
  rmSync(folder, { recursive: true });
  let size = 0;
  return {
    write(bytes) {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
      size += bytes.length;
    },
    source: () =>
      makeSource(size, (target, offset) => readSync(reading, target, 0, Math.max(0, Math.min(target.length, size - offset)), offset)),
    close() {
      closeSync(descriptor);
      closeSync(reading);
    },
  };
}
