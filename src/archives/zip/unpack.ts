/** Unpacks one member in pieces: stored or deflated, counted by what comes out, checked against its CRC. Spec: APPNOTE 4.4, RFC 1951. */
import { crc32 } from 'node:zlib';
import { viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { FormatError } from '../../evidence/errors.ts';
import { type Budget } from '../../evidence/limits.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type DirectoryEntry } from './directory.ts';
import { createInflater } from './inflater.ts';
import { localHeaderSize, localSignature, readLocalHeader } from './local-headers.ts';

const storedPiece = 1024 * 1024;
const packedPiece = 16 * 1024;
/** What zlib has made of a piece is lost when the piece turns out damaged: then all is done again in pieces of so few bytes. */
const salvagePiece = 16;

const methods: Readonly<Record<number, string>> = {
  1: 'shrink', 2: 'reduce', 3: 'reduce', 4: 'reduce', 5: 'reduce', 6: 'implode', 9: 'deflate64', 12: 'bzip2', 14: 'LZMA', 16: 'IBM CMPSC',
  93: 'zstd', 94: 'MP3', 95: 'xz', 96: 'JPEG', 97: 'WavPack', 98: 'PPMd', 99: 'AES',
}; // biome-ignore format: a table

export function* unpack(source: ByteSource, entry: DirectoryEntry, budget: Budget, problems: ProblemLog): Iterable<Uint8Array> {
  if (entry.flags & 1 || entry.method === 99)
    throw new FormatError('zip.encrypted', 'encrypted: its content cannot be read without the password');
  if (entry.method !== 0 && entry.method !== 8) {
    throw new FormatError(
      'zip.method',
      `compressed by method ${entry.method} (${methods[entry.method] ?? 'unknown'}), supported are 0 (stored) and 8 (deflate)`,
    );
  }
  const start = dataOffset(source, entry, problems);
  const available = Math.max(0, source.size - start);
  if (entry.compressedSize > available) {
    const message = `${entry.compressedSize} bytes claimed at byte ${start}, the archive ends after ${available} of them`;
    problems.add({ code: 'zip.truncated', message, at: start, hidesEvidence: true });
  }
  const packed = Math.min(entry.compressedSize, available);
  let produced = 0;
  let crc = 0;
  for (const { piece, taken } of entry.method === 0 ? stored(source, start, packed) : inflated(source, start, packed)) {
    produced += piece.length;
    budget.spendBytes(piece.length, produced, taken);
    crc = crc32(piece, crc);
    yield piece;
  }
  if (entry.unsized) return;
  if (produced !== entry.uncompressedSize) {
    problems.add({
      code: 'zip.size',
      message: `${produced} bytes came out, the directory says ${entry.uncompressedSize}`,
      hidesEvidence: produced < entry.uncompressedSize,
    });
  }
  if (crc !== entry.crc) {
    problems.add({
      code: 'zip.crc',
      message: `CRC-32 of what came out is ${hex8(crc)}, the directory says ${hex8(entry.crc)}`,
      hidesEvidence: true,
    });
  }
}

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

/** Behind the local header, whose name and extra field may be of another length than those of the directory. */
function dataOffset(source: ByteSource, entry: DirectoryEntry, problems: ProblemLog): number {
  const { localHeaderOffset } = entry;
  const bytes = source.read(localHeaderOffset, localHeaderSize);
  if (bytes.length < localHeaderSize)
    throw new FormatError('zip.local-header', `its header should be at byte ${localHeaderOffset}, the archive has ${source.size} bytes`);
  const header = readLocalHeader(viewOf(bytes));
  if (header.signature !== localSignature) {
    throw new FormatError(
      'zip.local-header',
      `at byte ${localHeaderOffset} stands ${hex8(header.signature)}, expected a local header (04034b50)`,
    );
  }
  const name = source.read(localHeaderOffset + localHeaderSize, header.nameLength);
  if (Buffer.compare(name, entry.nameRaw) !== 0) {
    problems.add({
      code: 'zip.names-differ',
      message: 'its own header gives it another name than the directory does',
      at: localHeaderOffset,
    });
  }
  return localHeaderOffset + localHeaderSize + header.nameLength + header.extraLength;
}

interface Piece {
  readonly piece: Uint8Array;
  /** Packed bytes taken so far. */
  readonly taken: number;
}

function* stored(source: ByteSource, start: number, length: number): Iterable<Piece> {
  for (let done = 0; done < length; ) {
    const piece = source.read(start + done, Math.min(storedPiece, length - done));
    if (piece.length === 0) return;
    done += piece.length;
    yield { piece, taken: done };
  }
}

function* inflated(source: ByteSource, start: number, length: number): Iterable<Piece> {
  let produced = 0;
  try {
    for (const piece of inflatedBy(source, start, length, packedPiece)) {
      produced += piece.piece.length;
      yield piece;
    }
  } catch (error) {
    if (!(error instanceof FormatError && error.code === 'zip.inflate')) throw error;
    yield* beyond(inflatedBy(source, start, length, salvagePiece), produced); // throws the same error, some bytes later
  }
}

/** What comes after the first `skipped` bytes. */
function* beyond(pieces: Iterable<Piece>, skipped: number): Iterable<Piece> {
  let left = skipped;
  for (const { piece, taken } of pieces) {
    const skip = Math.min(left, piece.length);
    left -= skip;
    if (skip < piece.length) yield { piece: piece.subarray(skip), taken };
  }
}

function* inflatedBy(source: ByteSource, start: number, length: number, step: number): Iterable<Piece> {
  const inflater = createInflater();
  try {
    for (let done = 0; done < length && !inflater.ended(); ) {
      const packed = source.read(start + done, Math.min(step, length - done));
      if (packed.length === 0) return;
      done += packed.length;
      for (const piece of inflater.push(packed)) yield { piece, taken: inflater.taken() };
    }
    if (!inflater.complete()) throw new FormatError('zip.truncated', `the packed data breaks off after ${inflater.taken()} bytes`);
  } finally {
    inflater.close();
  }
}
