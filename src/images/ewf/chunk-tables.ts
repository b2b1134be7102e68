/** Where the chunks lie: tables placed along the medium at open, their entries read only when needed. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32, readTableHeader, tableHeaderSize } from './layout.ts';
import { type Entries, recoverChunks } from './recover-chunks.ts';
import { type Section, type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

/** One table and its copy: `count` chunks from `firstChunk` on. */
export interface PlacedTable {
  readonly firstChunk: number;
  readonly count: number;
  readonly segment: number;
  /** The table, then its copy (table2) where there is one. */
  readonly copies: readonly TableCopy[];
  /** Where the stored bytes of its last chunk end at the latest. */
  readonly dataEnd: number;
  /** Where there is no table: what was found by reading the chunks one after the other. */
  readonly recovered?: Entries;
}

export interface TableCopy {
  readonly section: Section;
  readonly baseOffset: number;
  readonly headerFits: boolean;
}

interface Found {
  readonly count: number;
  readonly segment: number;
  readonly copies: TableCopy[];
  readonly dataEnd: number;
  readonly recovered?: Entries;
}

/** In order of chunks, without overlap; where segments are missing the chunks behind the hole are placed by counting from the end. */
export function placeTables(sets: readonly SegmentSections[], volume: Volume, problems: ProblemLog): PlacedTable[] {
  const groups: Found[][] = [[]];
  let expected = 1;
  sets.forEach((set, segment) => {
    if (set.number > expected) groups.push([]);
    expected = set.number + 1;
    groups.at(-1)!.push(...tablesOf(set, segment, volume, problems));
  });
  const total = (tables: readonly Found[]) => tables.reduce((sum, { count }) => sum + count, 0);
  const placed = place(groups[0]!, 0, volume, problems);
  if (groups.length === 1) {
    const known = total(groups[0]!);
    if (known < volume.chunkCount) reportHole(known, volume, problems);
    return placed;
  }
  if (groups.length > 2) {
    const message = 'segments are missing in more than one place: those between the holes cannot be placed and are not read';
    problems.add({ code: 'ewf.segment-unplaced', message, hidesEvidence: true });
  }
  const tail = groups.at(-1)!;
  const start = volume.chunkCount - total(tail);
  const free = placed.at(-1) === undefined ? 0 : placed.at(-1)!.firstChunk + placed.at(-1)!.count;
  if (start < free) {
    problems.add({
      code: 'ewf.segment-unplaced',
      message: `${total(tail)} chunks behind the hole do not fit into the medium`,
      hidesEvidence: true,
    });
    return placed;
  }
  return [...placed, ...place(tail, start, volume, problems)];
}

function reportHole(known: number, { chunkCount, chunkSize, mediaSize }: Volume, problems: ProblemLog): void {
  const lost = mediaSize - known * chunkSize;
  const message = `tables list ${known} chunks, the medium has ${chunkCount}: the last ${lost} bytes of the medium are not in the image`;
  problems.add({ code: 'ewf.chunks-missing', message, at: known * chunkSize, hidesEvidence: true });
}

function place(tables: readonly Found[], from: number, { chunkCount }: Volume, problems: ProblemLog): PlacedTable[] {
  const placed: PlacedTable[] = [];
  let firstChunk = from;
  for (const table of tables) {
    const count = Math.min(table.count, chunkCount - firstChunk);
    if (count < table.count) {
      const message = `a table lists ${table.count} chunks, the medium has room for ${Math.max(0, count)}`;
      problems.add({ code: 'ewf.chunk-count', message });
    }
    if (count <= 0) break;
    placed.push({ ...table, firstChunk, count });
    firstChunk += count;
  }
  return placed;
}

/** A table2 that follows a table is its copy; one without a table before it stands for it. */
function tablesOf({ name, source, sections }: SegmentSections, segment: number, volume: Volume, problems: ProblemLog): Found[] {
  const tables: Found[] = [];
  let sectors: Section | null = null;
  let sectorsEnd: number | null = null;
  let mayCopy = false;
  for (const section of sections) {
    if (section.type === 'sectors') {
      if (sectors !== null) tables.push(...recoverTable(source, name, sectors, segment, volume, problems));
      sectors = section;
      sectorsEnd = section.dataOffset + section.dataSize;
      mayCopy = false;
    }
    if (section.type !== 'table' && section.type !== 'table2') continue;
    const header = headerOf(source, name, section, problems);
    if (header === null) continue;
    sectors = null;
    const { count, ...copy } = header;
    const before = tables.at(-1);
    if (section.type === 'table2' && mayCopy && before !== undefined) {
      before.copies.push({ section, ...copy });
      mayCopy = false;
      continue;
    }
    tables.push({ count, segment, copies: [{ section, ...copy }], dataEnd: sectorsEnd ?? section.dataOffset + section.dataSize });
    mayCopy = section.type === 'table';
  }
  if (sectors !== null) tables.push(...recoverTable(source, name, sectors, segment, volume, problems));
  return tables;
}

/** Chunks whose table is gone (the file was cut off): found one after the other, as far as that leads. */
function recoverTable(source: ByteSource, name: string, section: Section, segment: number, volume: Volume, problems: ProblemLog): Found[] {
  const recovered = recoverChunks(source, section, volume);
  const count = recovered.compressed.length;
  const message = `${name}: the chunks at byte ${section.dataOffset} have no table: ${count} of them were found by reading them in order`;
  problems.add({ code: 'ewf.table-missing', message, at: section.offset, hidesEvidence: true });
  return count === 0 ? [] : [{ count, segment, copies: [], dataEnd: recovered.starts[count]!, recovered }];
}

function headerOf(source: SegmentSections['source'], name: string, section: Section, problems: ProblemLog) {
  const place = `${name}: ${section.type} section at byte ${section.offset}`;
  try {
    const bytes = source.read(section.dataOffset, Math.min(tableHeaderSize, section.dataSize));
    if (bytes.length < tableHeaderSize) {
      problems.add({ code: 'ewf.truncated', message: `${place}: the file ends within it`, at: section.offset, hidesEvidence: true });
      return null;
    }
    const { entryCount, baseOffset, checksum } = readTableHeader(viewOf(bytes));
    const headerFits = adler32(bytes.subarray(0, 20)) === checksum;
    if (!headerFits)
      problems.add({ code: 'ewf.table-checksum', message: `${place}: the checksum of its header does not fit`, at: section.offset });
    const room = Math.floor((section.dataSize - tableHeaderSize) / 4);
    if (entryCount > room) {
      problems.add({
        code: 'ewf.table-size',
        message: `${place}: ${entryCount} entries, there is room for ${room}`,
        at: section.offset,
        hidesEvidence: true,
      });
    }
    return { count: Math.min(entryCount, room), baseOffset, headerFits };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `${place}: ${error.message}`, at: section.offset, hidesEvidence: true });
    return null;
  }
}

/** From the first copy whose checksum fits, else from the first that can be read. Null when none can. */
export function readEntries({ source, name }: SegmentSections, table: PlacedTable, problems: ProblemLog): Entries | null {
  if (table.recovered !== undefined) return table.recovered;
  let second: Entries | null = null;
  for (const { section, baseOffset, headerFits } of table.copies) {
    try {
      const length = table.count * 4;
      const bytes = source.read(section.dataOffset + tableHeaderSize, length + 4);
      if (bytes.length < length) continue;
      const entries = decodeEntries(viewOf(bytes), table, baseOffset);
      const hasChecksum = bytes.length === length + 4 && section.dataSize >= tableHeaderSize + length + 4;
      if (headerFits && (!hasChecksum || isSmart(section, length) || adler32(bytes.subarray(0, length)) === u32(viewOf(bytes), length)))
        return entries;
      second ??= entries;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      problems.add({
        code: 'read.bad-sector',
        message: `${name}: ${section.type} section at byte ${section.offset}: ${error.message}`,
        at: section.offset,
      });
    }
  }
  const { offset } = table.copies[0]!.section;
  const what = second === null ? 'cannot be read' : 'has a wrong checksum, and no good copy';
  problems.add({ code: 'ewf.table-damaged', message: `${name}: table at byte ${offset} ${what}`, at: offset, hidesEvidence: true });
  return second;
}

/** SMART keeps the chunks themselves behind the entries: there is no checksum of the entries. */
const isSmart = (section: Section, length: number): boolean => section.dataSize > tableHeaderSize + length + 64;

/**
 * Bit 31 says compressed, the rest is the offset from the base. EnCase 6.7 wrote segments above 2 GiB without a base: there the offsets
 * run over into bit 31, and from then on all chunks are stored uncompressed.
 */
function decodeEntries(view: DataView, table: PlacedTable, baseOffset: number): Entries {
  const starts = new Float64Array(table.count + 1);
  const compressed = new Uint8Array(table.count);
  let overflowed = false;
  for (let index = 0; index < table.count; index++) {
    const value = u32(view, index * 4);
    const low = value % 0x8000_0000;
    if (
      !overflowed &&
      index > 0 &&
      value >= 0x8000_0000 &&
      baseOffset + low < starts[index - 1]! &&
      baseOffset + value > starts[index - 1]!
    )
      overflowed = true;
    starts[index] = baseOffset + (overflowed ? value : low);
    compressed[index] = !overflowed && value >= 0x8000_0000 ? 1 : 0;
  }
  const last = starts[table.count - 1] ?? 0;
  starts[table.count] = table.dataEnd > last ? table.dataEnd : last;
  return { starts, compressed };
}
