/** The DOS partition table with its extended partitions. Spec: the boot sector's table as UEFI 2.10 section 5.2 gives it; EBR chains as Linux and Windows write them. */
import { u32, viewOf } from '../bytes/little-endian.ts';
import { type ByteSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { tile } from '../evidence/tile.ts';
import { type VolumeRange, type VolumeSystem, type VolumeSystemFormat } from '../evidence/volume-system.ts';
import { type Entry, entrySize, extendedTypes, protectiveType, readTable, tableOffset } from './mbr/table.ts';
import { mbrTypeLabel } from './mbr/types.ts';

export const mbr: VolumeSystemFormat = {
  name: 'mbr',
  label: 'DOS partition table (MBR)',
  recognises,
  open: openMbr,
};

/** Linux stops at 60 logical partitions; more than this is a chain made to be long. */
const mostLogical = 128;

/** A boot sector of a file system ends in 55 aa too: entries that make sense must at least outweigh those that do not. */
function recognises(media: ByteSource, sectorSize: number): boolean {
  const entries = readTable(media, 0);
  if (entries === null || looksLikeBootSector(media)) return false;
  const used = entries.filter(({ type, sectorCount }) => type !== 0 && sectorCount > 0);
  const sane = used.filter(
    ({ status, firstSector }) => (status & 0x7f) === 0 && firstSector > 0 && firstSector * sectorSize < media.size,
  ).length;
  const odd = entries.filter(({ status }) => (status & 0x7f) !== 0).length;
  return sane > 0 && sane >= odd;
}

/** FAT, NTFS and exFAT begin with a jump and their name; a table there is the rest of the boot code. */
function looksLikeBootSector(media: ByteSource): boolean {
  const head = media.read(0, 512);
  const jump = (head[0] === 0xeb && head[2] === 0x90) || head[0] === 0xe9;
  if (Buffer.from(head.subarray(3, 11)).toString('latin1') === 'EXFAT   ') return true;
  const bytesPerSector = head[11]! | (head[12]! << 8);
  const sectorsPerCluster = head[13]!;
  const sizes =
    [512, 1024, 2048, 4096].includes(bytesPerSector) && sectorsPerCluster > 0 && (sectorsPerCluster & (sectorsPerCluster - 1)) === 0;
  const label = Buffer.from(head.subarray(54, 62)).toString('latin1') + Buffer.from(head.subarray(82, 90)).toString('latin1');
  return jump && sizes && (/FAT/.test(label) || Buffer.from(head.subarray(3, 7)).toString('latin1') === 'NTFS');
}

function openMbr(media: ByteSource, sectorSize: number, problems: ProblemLog): VolumeSystem {
  const entries = readTable(media, 0);
  if (entries === null) throw new FormatError('mbr.signature', 'sector 0: does not end in 55 aa');
  const head = media.read(0, 512);
  const parts: VolumeRange[] = [];
  const tables: VolumeRange[] = [
    { kind: 'table', number: null, offset: 0, length: Math.min(sectorSize, media.size), label: 'Primary table (MBR)' },
  ];
  entries.forEach((entry, index) => {
    if (isPartition(entry)) parts.push(rangeOf(entry, 0, index + 1, sectorSize));
    reportOdd(entry, index + 1, problems);
  });
  let number = 5;
  for (const [index, entry] of entries.entries()) {
    if (!isExtended(entry)) continue;
    number = readChain({ media, sectorSize, problems, parts, tables, extended: entry, primary: index + 1 }, number);
  }
  if (parts.length === 0 && tables.length === 1) throw new FormatError('mbr.empty', 'sector 0: no partition in the table');
  reportGpt(media, sectorSize, entries, problems);
  const diskSignature = u32(viewOf(head), 440).toString(16).padStart(8, '0');
  return {
    facts: { diskSignature: `0x${diskSignature}`, sectorSize },
    volumes: () => tile(media.size, parts, tables, 'mbr', problems),
  };
}

/** One whose type was set to zero keeps its place: it is listed, as mmls does. */
const isPartition = ({ type, firstSector, sectorCount }: Entry): boolean =>
  sectorCount > 0 && !extendedTypes.has(type) && (type !== 0 || firstSector > 0);

const isExtended = ({ type, sectorCount }: Entry): boolean => extendedTypes.has(type) && sectorCount > 0;

function reportOdd({ status, type, sectorCount }: Entry, number: number, problems: ProblemLog): void {
  if ((status & 0x7f) === 0 || (type === 0 && sectorCount === 0)) return;
  const message = `partition ${number}: status 0x${status.toString(16)}, expected 0x00 or 0x80: the entry may be damaged`;
  problems.add({ code: 'mbr.status', message, at: tableOffset + (number - 1) * entrySize });
}

/** Byte of the first place where a GPT header stands, judged by its signature (UEFI 2.10 section 5.3.2); null where there is none. */
function gptHeaderPlace(media: ByteSource, sectorSize: number, problems: ProblemLog): number | null {
  const sizes = [...new Set([sectorSize, 512, 4096])];
  const places = sizes.flatMap((size) => [size, (Math.floor(media.size / size) - 1) * size]);
  const found = places.find((at) => at > 0 && signatureAt(media, at, problems) === 'EFI PART');
  return found ?? null;
}

function signatureAt(media: ByteSource, offset: number, problems: ProblemLog): string | null {
  try {
    return Buffer.from(media.read(offset, 8)).toString('latin1');
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `looking for a GPT header: ${error.message}`, at: offset, hidesEvidence: true });
    return null;
  }
}

/** A protective partition without a GPT, or a GPT that no protective partition tells of. */
function reportGpt(media: ByteSource, sectorSize: number, entries: readonly Entry[], problems: ProblemLog): void {
  const protective = entries.some(({ type }) => type === protectiveType);
  const place = gptHeaderPlace(media, sectorSize, problems);
  if (protective && place === null) {
    const message =
      'the protective partition tells of a GPT, and neither LBA 1 nor the last LBA holds its header: its partitions are not found';
    problems.add({ code: 'mbr.gpt-missing', message, at: 0, hidesEvidence: true });
  } else if (!protective && place !== null) {
    const message = `a GPT header stands at byte ${place}, and the MBR has partitions of its own, none of them protective: the MBR is used`;
    problems.add({ code: 'mbr.gpt-beside', message, at: place, hidesEvidence: true });
  }
}

function rangeOf(entry: Entry, base: number, number: number, sectorSize: number): VolumeRange {
  const { type, status, firstSector, sectorCount } = entry;
  const typeText = `0x${type.toString(16).padStart(2, '0')}`;
  return {
    kind: 'volume',
    number,
    offset: (base + firstSector) * sectorSize,
    length: sectorCount * sectorSize,
    label: `${mbrTypeLabel(type)} (${typeText})`,
    type: typeText,
    ...(status === 0x80 ? { flags: ['active'] } : {}),
  };
}

interface Chain {
  readonly media: ByteSource;
  readonly sectorSize: number;
  readonly problems: ProblemLog;
  readonly parts: VolumeRange[];
  readonly tables: VolumeRange[];
  readonly extended: Entry;
  /** Number of the extended partition. */
  readonly primary: number;
}

/** Follows one extended partition from table to table; the visited set and `mostLogical` end it. Gives the next free number. */
function readChain(chain: Chain, firstNumber: number): number {
  const { media, sectorSize, problems, parts, tables, extended, primary } = chain;
  const start = extended.firstSector;
  const visited = new Set<number>();
  let number = firstNumber;
  for (let sector = start; ; ) {
    const at = sector * sectorSize;
    const tell = (code: string, message: string) =>
      problems.add({ code, message: `extended partition ${primary}: ${message}`, at, hidesEvidence: true });
    const fault = faultOf(visited, sector);
    if (fault !== null) {
      tell(...fault);
      return number;
    }
    visited.add(sector);
    const entries = tableAt(media, at, problems);
    if (entries === null) {
      tell('mbr.chain-damaged', `the table at sector ${sector} does not end in 55 aa or lies behind the medium's end`);
      return number;
    }
    tables.push({ kind: 'table', number: null, offset: at, length: sectorSize, label: `Extended table (EBR) at sector ${sector}` });
    const used = entries.filter((entry, index) => index < 2 || liesWithin(entry, sector, extended));
    for (const entry of used) if (isPartition(entry)) parts.push(rangeOf(entry, sector, number++, sectorSize));
    const [next, ...more] = used.filter(isExtended);
    if (more.length > 0)
      tell('mbr.chain-forked', `the table at sector ${sector} leads to ${more.length + 1} others; the first is followed`);
    if (next === undefined) return number;
    sector = start + next.firstSector;
  }
}

function faultOf(visited: ReadonlySet<number>, sector: number): [code: string, message: string] | null {
  if (visited.has(sector)) return ['mbr.chain-cycle', `its chain comes back to the table at sector ${sector}; it is not followed further`];
  if (visited.size < mostLogical) return null;
  return ['mbr.chain-long', `more than ${mostLogical} tables in its chain; the rest is not read`];
}

/** An EBR uses two entries; the others may be left from what stood there before (as Linux judges them, block/partitions/msdos.c). */
const liesWithin = ({ firstSector, sectorCount }: Entry, sector: number, extended: Entry): boolean =>
  firstSector > 0 && sector + firstSector + sectorCount <= extended.firstSector + extended.sectorCount;

function tableAt(media: ByteSource, offset: number, problems: ProblemLog): Entry[] | null {
  try {
    return readTable(media, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: error.message, at: offset, hidesEvidence: true });
    return null;
  }
}
