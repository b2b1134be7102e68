/** Local file headers: before each member's data, and what is left when the directory is gone. Spec: APPNOTE 4.3.7. */
import { u16, u32, u64size, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { type DirectoryEntry } from './directory.ts';

export const localHeaderSize = 30;
export const localSignature = 0x0403_4b50;
const centralSignature = 0x0201_4b50;

export const readLocalHeader = (view: DataView) => ({
  signature: u32(view, 0),
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
const stepSize = 1024 * 1024;

/** Every local header from the start of the file on, except at the offsets already listed. Goes once over the file. */
export function* findLocalHeaders(source: ByteSource, listed: ReadonlySet<number>): Iterable<DirectoryEntry> {
  for (let at = nextSignature(source, 0); at !== null; ) {
    const entry = entryAt(source, at);
    if (entry === null || listed.has(at)) {
      at = nextSignature(source, at + 4);
      continue;
    }
    const dataOffset = at + localHeaderSize + entry.nameRaw.length + entry.extraLength;
    const next = nextSignature(source, entry.unsized ? dataOffset : Math.min(source.size, dataOffset + entry.compressedSize));
    const end = next ?? source.size;
    yield entry.unsized ? { ...entry, compressedSize: Math.max(0, end - dataOffset) } : entry;
    at = next;
  }
}

function entryAt(source: ByteSource, offset: number): (DirectoryEntry & { readonly extraLength: number }) | null {
  const bytes = source.read(offset, localHeaderSize);
  if (bytes.length < localHeaderSize) return null;
  const header = readLocalHeader(viewOf(bytes));
  const { nameLength, extraLength, flags } = header;
  const variable = source.read(offset + localHeaderSize, nameLength + extraLength);
  if (nameLength === 0 || variable.length < nameLength + extraLength) return null;
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

/** The next local or central header from `from` on that is a local one; null where the central directory or the end comes first. */
function nextSignature(source: ByteSource, from: number): number | null {
  for (let at = from; at + 4 <= source.size; at += stepSize - 3) {
    const bytes = Buffer.from(source.read(at, stepSize));
    for (
      let found = bytes.indexOf('PK', 0, 'latin1');
      found >= 0 && found + 4 <= bytes.length;
      found = bytes.indexOf('PK', found + 1, 'latin1')
    ) {
      const signature = bytes.readUInt32LE(found);
      if (signature === localSignature) return at + found;
      if (signature === centralSignature && from > 0) return null;
    }
  }
  return null;
}
