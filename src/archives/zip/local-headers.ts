/** Local file headers: before each member's data, and what is left when the directory is gone or does not tell of them. Spec: APPNOTE 4.3.7. */
import { u16, u32, u64size, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type DirectoryEntry } from './directory.ts';
import { type Range } from './ranges.ts';
import { createScanner, type Scanner } from './scanner.ts';

export const localHeaderSize = 30;
export const localSignature = 0x0403_4b50;
const signatures = { local: 'PK\x03\x04', central: 'PK\x01\x02', descriptor: 'PK\x07\x08' } as const;

export const readLocalHeader = (view: DataView) => ({
  signature: u32(view, 0),
  versionNeeded: u16(view, 4),
  flags: u16(view, 6),
  method: u16(view, 8),
  dosTime: u16(view, 10),
  dosDate: u16(view, 12),
  crc: u32(view, 14),
  compressedSize: u32(view, 18),
  uncompressedSize: u32(view, 22),
  nameLength: u16(view, 26),
  extraLength: u16(view, 28),
});

const hasDescriptor = 0x8;

/** Every local header in these ranges of the source, which are in order. Goes once over them. */
export function* findLocalHeaders(source: ByteSource, ranges: Iterable<Range>, problems: ProblemLog): Iterable<DirectoryEntry> {
  const scanner = createScanner(source, problems);
  for (const { start, end } of ranges) {
    for (let at = scanner.next(signatures.local, start, end); at !== null; ) {
      const entry = entryAt(source, at);
      if (entry === null) {
        at = scanner.next(signatures.local, at + 4, end);
        continue;
      }
      const dataOffset = at + localHeaderSize + entry.nameRaw.length + entry.extraLength;
      const dataEnd = entry.unsized ? unsizedEnd(scanner, entry, dataOffset, end) : dataOffset + entry.compressedSize;
      yield entry.unsized ? { ...entry, compressedSize: dataEnd - dataOffset } : entry;
      at = dataEnd >= end ? null : scanner.next(signatures.local, dataEnd, end);
    }
  }
}

/** Deflated data tells its end itself; of stored data the descriptor behind it is the end. */
function unsizedEnd(scanner: Scanner, { method }: DirectoryEntry, dataOffset: number, end: number): number {
  const ends = [signatures.local, signatures.central, ...(method === 0 ? [signatures.descriptor] : [])];
  return Math.max(dataOffset, Math.min(...ends.map((signature) => scanner.next(signature, dataOffset, end) ?? end)));
}

/** Null for what only looks like a header: no name, or a method or version that never was. */
function entryAt(source: ByteSource, offset: number): (DirectoryEntry & { readonly extraLength: number }) | null {
  const bytes = source.read(offset, localHeaderSize);
  if (bytes.length < localHeaderSize) return null;
  const header = readLocalHeader(viewOf(bytes));
  const { nameLength, extraLength, flags, method, versionNeeded } = header;
  if (nameLength === 0 || method > 99 || (versionNeeded & 0xff) > 99) return null;
  const variable = source.read(offset + localHeaderSize, nameLength + extraLength);
  if (variable.length < nameLength + extraLength) return null;
  const extraFields = extraFieldsOf(variable.subarray(nameLength));
  const wide = extraFields.find(({ id }) => id === 1)?.data;
  const sizes =
    wide !== undefined && wide.length >= 16 && header.compressedSize === 0xffff_ffff
      ? { uncompressedSize: u64size(viewOf(wide), 0), compressedSize: u64size(viewOf(wide), 8) }
      : {};
  return {
    ...header,
    ...sizes,
    nameRaw: variable.subarray(0, nameLength),
    extraFields,
    extraLength,
    localHeaderOffset: offset,
    hostSystem: 0,
    externalAttributes: 0,
    ...((flags & hasDescriptor) !== 0 ? { unsized: true } : {}),
  };
}

/** Where a listed member's data ends, as its own header and the directory's size have it; null where no header stands at its place. */
export function dataEndOf(source: ByteSource, { localHeaderOffset, compressedSize }: DirectoryEntry): number | null {
  const bytes = source.read(localHeaderOffset, localHeaderSize);
  if (bytes.length < localHeaderSize) return null;
  const { signature, nameLength, extraLength } = readLocalHeader(viewOf(bytes));
  return signature === localSignature ? localHeaderOffset + localHeaderSize + nameLength + extraLength + compressedSize : null;
}

/** Fields that run past the end are left out: they only refine what the header says. */
export function extraFieldsOf(bytes: Uint8Array): { id: number; data: Uint8Array }[] {
  const fields: { id: number; data: Uint8Array }[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const size = u16(view, at + 2);
    if (at + 4 + size > bytes.length) break;
    fields.push({ id: u16(view, at), data: bytes.subarray(at + 4, at + 4 + size) });
    at += 4 + size;
  }
  return fields;
}
