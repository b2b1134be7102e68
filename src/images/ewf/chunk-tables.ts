/** The tables of one segment: which section lists how many chunks, and which is its copy. */
import { viewOf } from '../../bytes/little-endian.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32 } from './adler32.ts';
import { readTableHeader, tableHeaderSize } from './layout.ts';
import { type Entries, recoverChunks } from './recover-chunks.ts';
import { isWhole, type Section, type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

/** A table and its copy (table2). */
export interface ChunkTable {
  readonly segment: number;
  readonly count: number;
  readonly copies: readonly TableCopy[];
  /** Chunks of a table that is lost may stand in front of these. */
  readonly gapBefore: boolean;
  /** Its number of chunks is not guessed. */
  readonly certain: boolean;
  /** Between these bytes of the segment lie its chunks. */
  readonly dataStart: number;
  readonly dataEnd: number;
  /** Where there is no table: what was found by reading the chunks one after the other. */
  readonly recovered?: Entries;
}

export interface TableCopy {
  readonly section: Section;
  readonly baseOffset: number;
  /** Entries as its header says, and as the section has room for. */
  readonly claimed: number;
  readonly room: number;
  readonly headerFits: boolean;
}

/** A table whose copy may follow. */
interface OpenTable {
  readonly first: TableCopy;
  readonly sectors: Section | null;
  readonly gapBefore: boolean;
}

/** `gapAfter`: chunks may have stood behind the last table. */
export function findTables(
  set: SegmentSections,
  segment: number,
  volume: Volume,
  problems: ProblemLog,
): { tables: ChunkTable[]; gapAfter: boolean } {
  const tables: ChunkTable[] = [];
  let sectors: Section | null = null; // seen, and no table for it yet
  let open: OpenTable | null = null;
  let gap = false;
  const close = (second: TableCopy | null) => {
    if (open === null) return;
    const copies = second === null ? [open.first] : [open.first, second];
    tables.push(tableOf({ copies, ...open, free: tables.at(-1)?.dataEnd ?? 0, segment, name: set.name }, problems));
    open = null;
  };
  const recover = () => {
    if (sectors !== null) tables.push(...recoverTable(set, sectors, { segment, gapBefore: gap }, volume, problems));
    sectors = null;
  };
  for (const section of set.sections) {
    gap ||= section.afterBreak;
    if (section.type === 'sectors') {
      close(null);
      recover();
      sectors = section;
    }
    const copy = section.type === 'table' || section.type === 'table2' ? readTable(set, section, problems) : null;
    if (copy === null) continue;
    const before = open as OpenTable | null;
    if (before !== null && section.type === 'table2')
      close(copy); // also one that says something else: to add it would move all chunks behind
    else {
      close(null);
      open = { first: copy, sectors, gapBefore: gap };
      gap = false;
    }
    sectors = null;
  }
  close(null);
  recover();
  return { tables, gapAfter: gap || !isWhole(set) };
}

function readTable({ name, source }: SegmentSections, section: Section, problems: ProblemLog): TableCopy | null {
  const place = `${name}: ${section.type} section at byte ${section.offset}`;
  try {
    const bytes = source.read(section.dataOffset, Math.min(tableHeaderSize, section.dataSize));
    if (bytes.length < tableHeaderSize) {
      const message = `${place}: ${bytes.length} bytes, expected at least ${tableHeaderSize}`;
      problems.add({ code: 'ewf.truncated', message, at: section.offset, hidesEvidence: true });
      return null;
    }
    const { entryCount, baseOffset, checksum } = readTableHeader(viewOf(bytes));
    const headerFits = adler32(bytes.subarray(0, 20)) === checksum;
    if (!headerFits)
      problems.add({ code: 'ewf.table-checksum', message: `${place}: the checksum of its header does not fit`, at: section.offset });
    const room = Math.floor((section.dataSize - tableHeaderSize) / 4);
    if (entryCount > room) {
      const message = `${place}: ${entryCount} entries, there is room for ${room}`;
      problems.add({ code: 'ewf.table-size', message, at: section.offset, hidesEvidence: true });
    }
    return { section, baseOffset, claimed: entryCount, room, headerFits };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `${place}: ${error.message}`, at: section.offset, hidesEvidence: true });
    return null;
  }
}

interface FoundTable extends Pick<OpenTable, 'sectors' | 'gapBefore'> {
  readonly copies: readonly TableCopy[];
  /** From here on the segment is not taken by the table before. */
  readonly free: number;
  readonly segment: number;
  readonly name: string;
}

function tableOf({ copies, sectors, gapBefore, free, segment, name }: FoundTable, problems: ProblemLog): ChunkTable {
  const first = copies[0]!;
  const { section } = first;
  const sound = copies.find(({ headerFits, claimed, room }) => headerFits && claimed <= room);
  const count = sound?.claimed ?? guessedCount(copies);
  if (count !== first.claimed) {
    const message = `${name}: table at byte ${section.offset}: ${first.claimed} entries, ${count} are taken for it`;
    problems.add({ code: 'ewf.chunk-count', message, at: section.offset, hidesEvidence: true });
  }
  const usable = copies.filter(({ room }) => room >= count);
  const place = { segment, count, gapBefore, certain: sound !== undefined, copies: usable };
  if (sectors !== null) return { ...place, dataStart: sectors.dataOffset, dataEnd: sectors.dataOffset + sectors.dataSize };
  if (!holdsChunks(section, count)) return { ...place, dataStart: Math.min(free, section.offset), dataEnd: section.offset };
  return { ...place, dataStart: section.dataOffset + tableHeaderSize + count * 4, dataEnd: section.dataOffset + section.dataSize };
}

/** Without a sound header: as many as both agree on, or as the section is made for (entries and their checksum). */
function guessedCount(copies: readonly TableCopy[]): number {
  const { claimed, room, section } = copies[0]!;
  const agreed = claimed <= room && copies[1]?.claimed === claimed;
  return agreed || (claimed <= room && holdsChunks(section, claimed)) ? claimed : Math.max(0, room - 1);
}

/** EnCase 1 and SMART keep the chunks themselves in the table section, behind the entries: there is no checksum of the entries. */
export const holdsChunks = (section: Section, count: number): boolean => section.dataSize > tableHeaderSize + count * 4 + 64;

/** Chunks whose table is gone (the file was cut off): found one after the other, as far as that leads. */
function recoverTable(
  { source, name }: SegmentSections,
  section: Section,
  place: Pick<ChunkTable, 'segment' | 'gapBefore'>,
  volume: Volume,
  problems: ProblemLog,
): ChunkTable[] {
  const recovered = recoverChunks(source, section, volume);
  const count = recovered.compressed.length;
  const message = `${name}: the chunks at byte ${section.dataOffset} have no table: ${count} of them are found by reading them in order`;
  problems.add({ code: 'ewf.table-missing', message, at: section.offset, hidesEvidence: true });
  if (count === 0) return [];
  return [{ ...place, count, certain: false, copies: [], dataStart: section.dataOffset, dataEnd: recovered.starts[count]!, recovered }];
}
