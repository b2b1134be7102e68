/** The DOS partition table with its extended partitions. Spec: the boot sector's table as UEFI 2.10 section 5.2 gives it; EBR chains as Linux and Windows write them. */
import { u8, u32, viewOf } from '../bytes/little-endian.ts';
import { type ByteSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { tile } from '../evidence/tile.ts';
import { type VolumeRange, type VolumeSystem, type VolumeSystemFormat } from '../evidence/volume-system.ts';
import { mbrTypeLabel } from './mbr/types.ts';

export const mbr: VolumeSystemFormat = {
  name: 'mbr',
  label: 'DOS partition table (MBR)',
  recognises,
  open: openMbr,
};

const tableOffset = 446;
const entrySize = 16;
const extendedTypes = new Set([0x05, 0x0f, 0x85]);
/** Linux stops at 60 logical partitions; more than this is a chain made to be long. */
const mostLogical = 128;

const readEntry = (view: DataView, at: number) => ({
  status: u8(view, at),
  type: u8(view, at + 4),
  firstSector: u32(view, at + 8), // EBR: relative
  sectorCount: u32(view, at + 12),
});

type Entry = ReturnType<typeof readEntry>;

/** The four entries, or null where the sector does not end in 55 aa. */
function readTable(media: ByteSource, offset: number): Entry[] | null {
  const sector = media.read(offset, 512);
  if (sector.length < 512 || sector[510] !== 0x55 || sector[511] !== 0xaa) return null;
  const view = viewOf(sector);
  return [0, 1, 2, 3].map((index) => readEntry(view, tableOffset + index * entrySize));
}

/** A boot sector of a file system ends in 55 aa too: every entry must make sense, and at least one must be in use. */
function recognises(media: ByteSource, sectorSize: number): boolean {
  const entries = readTable(media, 0);
  if (entries === null) return false;
  const used = entries.filter(({ type, sectorCount }) => type !== 0 && sectorCount > 0);
  if (used.length === 0 || looksLikeBootSector(media)) return false;
  const sane = ({ status, firstSector }: Entry) => (status & 0x7f) === 0 && firstSector > 0 && firstSector * sectorSize < media.size;
  return used.some(sane) && entries.every(({ status }) => (status & 0x7f) === 0);
}

/** FAT and NTFS begin with a jump and tell their sector size; a table there is the rest of the boot code. */
function looksLikeBootSector(media: ByteSource): boolean {
  const head = media.read(0, 512);
  const jump = (head[0] === 0xeb && head[2] === 0x90) || head[0] === 0xe9;
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
    if (entry.type === 0 || entry.sectorCount === 0) return;
    if (extendedTypes.has(entry.type)) return;
    parts.push(rangeOf(entry, 0, index + 1, sectorSize));
  });
  let number = 5;
  for (const [index, entry] of entries.entries()) {
    if (!extendedTypes.has(entry.type) || entry.sectorCount === 0) continue;
    number = readChain({ media, sectorSize, problems, parts, tables }, entry.firstSector, number, index + 1);
  }
  if (parts.length === 0 && tables.length === 1) throw new FormatError('mbr.empty', 'sector 0: no partition in the table');
  const diskSignature = u32(viewOf(head), 440).toString(16).padStart(8, '0');
  return {
    facts: { diskSignature: `0x${diskSignature}`, sectorSize },
    volumes: () => tile(media.size, parts, tables, 'mbr', problems),
  };
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
}

/** Follows one extended partition from table to table; the visited set and `mostLogical` end it. Gives the next free number. */
function readChain({ media, sectorSize, problems, parts, tables }: Chain, start: number, firstNumber: number, primary: number): number {
  const visited = new Set<number>();
  let number = firstNumber;
  for (let sector = start; ; ) {
    const stop = (code: string, message: string) => {
      problems.add({ code, message: `extended partition ${primary}: ${message}`, at: sector * sectorSize, hidesEvidence: true });
      return number;
    };
    if (visited.has(sector))
      return stop('mbr.chain-cycle', `its chain comes back to the table at sector ${sector}; it is not followed further`);
    if (visited.size >= mostLogical) return stop('mbr.chain-long', `more than ${mostLogical} tables in its chain; the rest is not read`);
    visited.add(sector);
    const entries = tableAt(media, sector * sectorSize, problems);
    if (entries === null)
      return stop('mbr.chain-damaged', `the table at sector ${sector} does not end in 55 aa or lies behind the medium's end`);
    tables.push({
      kind: 'table',
      number: null,
      offset: sector * sectorSize,
      length: sectorSize,
      label: `Extended table (EBR) at sector ${sector}`,
    });
    for (const entry of entries.slice(0, 2)) {
      if (entry.type === 0 || entry.sectorCount === 0 || extendedTypes.has(entry.type)) continue;
      parts.push(rangeOf(entry, sector, number++, sectorSize));
    }
    const next = entries.slice(0, 2).find(({ type, sectorCount }) => extendedTypes.has(type) && sectorCount > 0);
    if (next === undefined) return number;
    sector = start + next.firstSector;
  }
}

function tableAt(media: ByteSource, offset: number, problems: ProblemLog): Entry[] | null {
  try {
    return readTable(media, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: error.message, at: offset, hidesEvidence: true });
    return null;
  }
}
