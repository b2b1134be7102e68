/** The GUID partition table. Spec: UEFI 2.10, section 5.3. */
import { crc32 } from 'node:zlib';
import { u32, u64, u64size, viewOf } from '../bytes/little-endian.ts';
import { type ByteSource } from '../bytes/source.ts';
import { hex, nameFromUtf16 } from '../bytes/text.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { tile } from '../evidence/tile.ts';
import { type VolumeRange, type VolumeSystem, type VolumeSystemFormat } from '../evidence/volume-system.ts';
import { hasHeader, isLeftToGpt, lastLbaOf, sectorSizes, signature } from './gpt/place.ts';
import { gptTypeLabel } from './gpt/types.ts';

export const gpt: VolumeSystemFormat = {
  name: 'gpt',
  label: 'GUID partition table (GPT)',
  recognises: (media, sectorSize) => hasHeader(media, sectorSize) && isLeftToGpt(media, sectorSize),
  open: openGpt,
};

const mostEntries = 4096;
const largestEntry = 4096;

const readHeader = (view: DataView) => ({
  revision: u32(view, 8),
  headerSize: u32(view, 12),
  headerCrc: u32(view, 16),
  ownLba: u64size(view, 24),
  otherLba: u64size(view, 32),
  firstUsableLba: u64size(view, 40),
  lastUsableLbaInclusive: u64size(view, 48),
  entriesLba: u64size(view, 72),
  entryCount: u32(view, 80),
  entrySize: u32(view, 84),
  entriesCrc: u32(view, 88),
});

interface Header extends ReturnType<typeof readHeader> {
  readonly which: 'primary' | 'backup';
  readonly sectorSize: number;
  readonly diskGuid: string;
  readonly entries: Uint8Array;
  /** What does not fit, in words; empty for a sound one. */
  readonly faults: readonly string[];
}

/** Readable headers, the sound ones first, the primary before the backup. Sector sizes other than the image's are tried too. */
function findHeaders(media: ByteSource, sectorSize: number, problems: ProblemLog): Header[] {
  for (const size of sectorSizes(sectorSize)) {
    const primary = headerAt(media, 'primary', 1, size, problems);
    let backup = headerAt(media, 'backup', lastLbaOf(media, size), size, problems);
    if (backup === null && primary?.faults.length === 0) backup = headerAt(media, 'backup', primary.otherLba, size, problems); // the medium has grown
    const found = [primary, backup].filter((header) => header !== null);
    if (found.length > 0) return found.sort((a, b) => Number(a.faults.length > 0) - Number(b.faults.length > 0));
  }
  return [];
}

function headerAt(media: ByteSource, which: Header['which'], lba: number, sectorSize: number, problems: ProblemLog): Header | null {
  if (lba < 1 || (lba + 1) * sectorSize > media.size) return null;
  try {
    const sector = media.read(lba * sectorSize, sectorSize);
    if (Buffer.from(sector.subarray(0, 8)).toString('latin1') !== signature) return null;
    const fields = readHeader(viewOf(sector));
    const faults = headerFaults(sector, fields, lba);
    const entries = readEntries(media, fields, sectorSize, faults);
    return { ...fields, which, sectorSize, diskGuid: guidText(sector.subarray(56, 72)), entries, faults };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `${which} GPT header: ${error.message}`, at: lba * sectorSize, hidesEvidence: true });
    return null;
  }
}

function headerFaults(sector: Uint8Array, { headerSize, headerCrc, ownLba }: ReturnType<typeof readHeader>, lba: number): string[] {
  if (headerSize < 92 || headerSize > sector.length) return [`header size ${headerSize}, expected 92 to ${sector.length}`];
  const faults: string[] = [];
  const bytes = sector.slice(0, headerSize);
  bytes.fill(0, 16, 20);
  if (crc32(bytes) !== headerCrc) faults.push('the CRC of the header does not fit');
  if (ownLba !== lba) faults.push(`says that it lies at LBA ${ownLba}, lies at ${lba}`);
  return faults;
}

function readEntries(
  media: ByteSource,
  { entriesLba, entryCount, entrySize, entriesCrc }: ReturnType<typeof readHeader>,
  sectorSize: number,
  faults: string[],
): Uint8Array {
  if (entrySize < 128 || entrySize > largestEntry || entrySize % 8 !== 0) {
    faults.push(`entries of ${entrySize} bytes, expected 128 to ${largestEntry}`);
    return new Uint8Array(0);
  }
  if (entryCount > mostEntries) faults.push(`${entryCount} entries, the first ${mostEntries} are read`);
  const length = Math.min(entryCount, mostEntries) * entrySize;
  const offset = entriesLba * sectorSize;
  const bytes = offset < media.size ? media.read(offset, length) : new Uint8Array(0);
  if (bytes.length < length) faults.push(`entries at LBA ${entriesLba} lie behind the medium's end`);
  else if (entryCount <= mostEntries && crc32(bytes) !== entriesCrc) faults.push('the CRC of the entries does not fit');
  return bytes;
}

function openGpt(media: ByteSource, sectorSize: number, problems: ProblemLog): VolumeSystem {
  const headers = findHeaders(media, sectorSize, problems);
  const chosen = headers[0];
  if (chosen === undefined) throw new FormatError('gpt.signature', 'neither LBA 1 nor the last LBA holds a GPT header');
  reportFaults(headers, chosen, problems);
  const parts = partitions(chosen, problems);
  const tables = headers.flatMap((header) => tableRanges(header, media.size));
  const protective: VolumeRange = { kind: 'table', number: null, offset: 0, length: chosen.sectorSize, label: 'Protective MBR' };
  return {
    facts: {
      diskGuid: chosen.diskGuid,
      sectorSize: chosen.sectorSize,
      usedTable: chosen.which,
      revision: `0x${chosen.revision.toString(16)}`,
    },
    volumes: () => tile(media.size, parts, [protective, ...tables], 'gpt', problems),
  };
}

function reportFaults(headers: readonly Header[], chosen: Header, problems: ProblemLog): void {
  for (const { which, faults, ownLba, sectorSize } of headers) {
    if (faults.length === 0) continue;
    const used = which === chosen.which ? 'it is used nevertheless: there is no better one' : 'the other table is used';
    problems.add({ code: `gpt.${which}-damaged`, message: `${which} table: ${faults.join('; ')}; ${used}`, at: ownLba * sectorSize });
  }
  for (const which of ['primary', 'backup'] as const) {
    if (headers.some((header) => header.which === which)) continue;
    const place = which === 'primary' ? 'LBA 1' : 'the last LBA';
    problems.add({ code: `gpt.${which}-damaged`, message: `${which} table: ${place} holds no GPT header; the other table is used` });
  }
  const [a, b] = headers;
  if (a === undefined || b === undefined || a.faults.length > 0 || b.faults.length > 0) return;
  const differing = entriesThatDiffer(a, b);
  if (differing.length === 0 && a.diskGuid === b.diskGuid) return;
  const what = differing.length === 0 ? 'another disk GUID' : `other partitions (entries ${differing.slice(0, 10).join(', ')})`;
  const message = `primary and backup table are both sound, and the backup has ${what}; the primary is used`;
  problems.add({ code: 'gpt.tables-differ', message, at: b.ownLba * b.sectorSize, hidesEvidence: true });
}

/** Counted from 1. */
function entriesThatDiffer(a: Header, b: Header): number[] {
  const numbers: number[] = [];
  for (let index = 0; index < Math.max(entryCountOf(a), entryCountOf(b)); index++) {
    if (!Buffer.from(entryOf(a, index)).equals(entryOf(b, index))) numbers.push(index + 1);
  }
  return numbers;
}

const entryCountOf = ({ entries, entrySize }: Header): number => Math.floor(entries.length / entrySize);

const entryOf = ({ entries, entrySize }: Header, index: number): Uint8Array => entries.subarray(index * entrySize, (index + 1) * entrySize);

function tableRanges({ which, ownLba, entriesLba, entries, sectorSize, faults }: Header, mediaSize: number): VolumeRange[] {
  const header: VolumeRange = {
    kind: 'table',
    number: null,
    offset: ownLba * sectorSize,
    length: sectorSize,
    label: `${which === 'primary' ? 'Primary' : 'Backup'} GPT header`,
  };
  if (header.offset + sectorSize > mediaSize || faults.some((fault) => fault.startsWith('says'))) return [];
  const length = Math.ceil(entries.length / sectorSize) * sectorSize;
  if (entries.length === 0 || entriesLba * sectorSize + length > mediaSize) return [header];
  return [
    header,
    { ...header, offset: entriesLba * sectorSize, length, label: `${which === 'primary' ? 'Primary' : 'Backup'} GPT entries` },
  ];
}

function partitions(header: Header, problems: ProblemLog): VolumeRange[] {
  const { sectorSize } = header;
  const parts: VolumeRange[] = [];
  for (let index = 0; index < entryCountOf(header); index++) {
    const bytes = entryOf(header, index);
    const type = guidText(bytes.subarray(0, 16));
    if (type === '00000000-0000-0000-0000-000000000000') continue;
    const view = viewOf(bytes);
    const firstLba = u64size(view, 32);
    const lastLbaInclusive = u64size(view, 40);
    if (lastLbaInclusive < firstLba) {
      const message = `partition ${index + 1}: LBA ${firstLba} to ${lastLbaInclusive}, expected an end behind its start: it has no bytes`;
      problems.add({ code: 'gpt.partition-range', message, at: firstLba * sectorSize, hidesEvidence: true });
      continue;
    }
    parts.push({
      kind: 'volume',
      number: index + 1,
      offset: firstLba * sectorSize,
      length: (lastLbaInclusive - firstLba + 1) * sectorSize,
      label: gptTypeLabel(type),
      type,
      name: nameFromUtf16(upToNul(bytes.subarray(56, 128))).text,
      guid: guidText(bytes.subarray(16, 32)),
      ...flagsOf(u64(view, 48)),
    });
  }
  return parts;
}

function flagsOf(attributes: bigint): { flags?: string[] } {
  const flags = [
    ...(attributes & 1n ? ['required'] : []),
    ...(attributes & 4n ? ['legacy bootable'] : []),
    ...(attributes & (1n << 60n) ? ['read-only'] : []),
    ...(attributes & (1n << 62n) ? ['hidden'] : []),
  ];
  return flags.length === 0 ? {} : { flags };
}

function upToNul(units: Uint8Array): Uint8Array {
  for (let at = 0; at + 1 < units.length; at += 2) if (units[at] === 0 && units[at + 1] === 0) return units.subarray(0, at);
  return units;
}

/** UEFI 2.10 appendix A: the first three groups are little-endian. */
function guidText(bytes: Uint8Array): string {
  const digits = hex(Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15], (at) => bytes[at] ?? 0));
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
