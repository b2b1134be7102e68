/** Structures of EWF-E01 as they lie on disk. Spec: libewf "Expert Witness Compression Format (EWF)", sections 2 and 3. */
import { u8, u16, u32, u64size, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { cString, hex } from '../../bytes/text.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32 } from './adler32.ts';

export const signature = 'EVF\x09\x0d\x0a\xff\x00';
export const fileHeaderSize = 13;
export const descriptorSize = 76;

export const sectionTypes: ReadonlySet<string> = new Set([
  ...['header', 'header2', 'xheader', 'volume', 'disk', 'data', 'sectors', 'table', 'table2'],
  ...['hash', 'digest', 'xhash', 'error2', 'session', 'incomplete', 'ltree', 'ltypes', 'next', 'done'],
]);

const readFields = (view: DataView) => ({
  fieldsStart: u8(view, 8), // 1
  number: u16(view, 9),
  fieldsEnd: u16(view, 11), // 0
});

/** The segment's number, or null (with a problem) where the file is no segment: neither its signature nor its first section can be made out. */
export function readFileHeader(source: ByteSource, name: string, problems: ProblemLog): number | null {
  const bytes = source.read(0, fileHeaderSize + descriptorSize);
  const signed = Buffer.from(bytes.subarray(0, 8)).toString('latin1') === signature;
  const whole = bytes.length === fileHeaderSize + descriptorSize;
  const damage = (message: string, hidesEvidence: boolean) =>
    problems.add({
      code: 'ewf.signature',
      message: `${name}: starts with ${hex(bytes.subarray(0, 13))}, ${message}`,
      at: 0,
      hidesEvidence,
    });
  if (bytes.length < fileHeaderSize || (!signed && !(whole && descriptorFits(bytes.subarray(fileHeaderSize))))) {
    damage('expected an EWF segment', true);
    return null;
  }
  const { fieldsStart, number, fieldsEnd } = readFields(viewOf(bytes));
  if (!signed) damage('not with the signature of EWF, but the section behind it is sound: it is read as a segment', false);
  else if (fieldsStart !== 1 || fieldsEnd !== 0) damage('expected 01, the number of the segment, 00 00 behind the signature', false);
  return number;
}

export const readDescriptor = (bytes: Uint8Array) => {
  const view = viewOf(bytes);
  return {
    type: cString(bytes.subarray(0, 16)),
    next: u64size(view, 16),
    size: u64size(view, 24), // with this descriptor; at 72 stands the Adler-32 of all before it
  };
};

/** The section's name where one byte of it is wrong; null where it is like none. */
export function nearestType(type: string): string | null {
  const near = [...sectionTypes].filter((known) => known.length === type.length && differing(known, type) <= 1);
  return near.length === 1 ? near[0]! : null;
}

function differing(a: string, b: string): number {
  let count = 0;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) count++;
  return count;
}

export const descriptorFits = (bytes: Uint8Array): boolean => adler32(bytes.subarray(0, 72)) === u32(viewOf(bytes), 72);

export const readVolumeFields = (view: DataView) => ({
  mediaType: u8(view, 0),
  chunkCount: u32(view, 4),
  sectorsPerChunk: u32(view, 8),
  bytesPerSector: u32(view, 12),
  sectorCount: u64size(view, 16), // SMART: 32 bits, what follows is zero
  mediaFlags: u8(view, 36),
  compressionLevel: u8(view, 52),
  errorGranularity: u32(view, 56),
});

export const readTableHeader = (view: DataView) => ({
  entryCount: u32(view, 0),
  baseOffset: u64size(view, 8),
  checksum: u32(view, 20), // Adler-32 of the 20 bytes before it
});

export const tableHeaderSize = 24;

/** Bytes that a packed chunk can take: deflate adds at most 5 bytes to each 16 KiB that it cannot pack (zlib technical details). */
export const mostPacked = (chunkSize: number): number => chunkSize + (chunkSize >>> 8) + 1024;
