/** The entries of a table: which copy is good, and where its chunks start and end. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32 } from './adler32.ts';
import { type ChunkRun } from './chunk-places.ts';
import { type ChunkTable, holdsChunks, type TableCopy } from './chunk-tables.ts';
import { tableHeaderSize } from './layout.ts';
import { type Entries } from './recover-chunks.ts';
import { type SegmentSections } from './sections.ts';

/** A copy that was looked through. */
interface Examined {
  readonly copy: TableCopy;
  readonly fits: boolean;
  /** From this entry on the offsets have run over into bit 31; Infinity where they do not. */
  readonly overflowAt: number;
  /** Entries that stand before the one ahead of them. */
  readonly falling: number;
  /** Adler-32 of the entries, as they are. */
  readonly sum: number;
}

const pageSize = 65_536;

/** The good copy of a table: found once, when its first entry is needed. Null when no copy can be read. */
export function examineTable({ name, source }: SegmentSections, table: ChunkTable, problems: ProblemLog): Examined | null {
  const all: Examined[] = [];
  for (const copy of table.copies) {
    const { type, offset } = copy.section;
    try {
      const examined = lookThrough(source, copy, table.count);
      if (examined !== null) all.push(examined);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      problems.add({ code: 'read.bad-sector', message: `${name}: ${type} section at byte ${offset}: ${error.message}`, at: offset });
    }
  }
  const best = all.find(({ fits }) => fits) ?? all[0] ?? null;
  reportCopies(all, best, table, name, problems);
  return best;
}

function reportCopies(all: readonly Examined[], best: Examined | null, table: ChunkTable, name: string, problems: ProblemLog): void {
  const at = table.copies[0]?.section.offset ?? table.dataEnd;
  const place = `${name}: table at byte ${at}`;
  if (best === null || !best.fits) {
    const what = best === null ? 'cannot be read' : 'has a wrong checksum and no good copy: it is used as it stands';
    problems.add({ code: 'ewf.table-damaged', message: `${place} ${what}`, at, hidesEvidence: true });
  } else if (best.copy !== table.copies[0]) {
    problems.add({ code: 'ewf.table-checksum', message: `${place} is damaged: its copy is used`, at });
  }
  const spare = best?.fits ? all.find((other) => other !== best && other.copy !== table.copies[0]) : undefined;
  if (spare !== undefined && !spare.fits) {
    problems.add({ code: 'ewf.table-checksum', message: `${place}: its copy is damaged, it is not needed`, at: spare.copy.section.offset });
  } else if (spare !== undefined && spare.sum !== best!.sum) {
    const message = `${place}: its copy at byte ${spare.copy.section.offset} lists other places of the chunks; both have sound checksums, the first is used`;
    problems.add({ code: 'ewf.tables-differ', message, at: spare.copy.section.offset, hidesEvidence: true });
  }
  if (best !== null && best.falling > 0) {
    const message = `${place}: ${best.falling} entries lead back, expected rising offsets`;
    problems.add({ code: 'ewf.table-order', message, at, hidesEvidence: true });
  }
}

/**
 * Bit 31 says compressed, the rest is the offset from the base. EnCase 6.7 wrote segments above 2 GiB without a base: there the offsets
 * run over into bit 31, and from then on all chunks are stored uncompressed (libewf documentation, "Table entry").
 */
function lookThrough(source: SegmentSections['source'], copy: TableCopy, count: number): Examined | null {
  const { section, baseOffset, headerFits } = copy;
  const start = section.dataOffset + tableHeaderSize;
  let sum = 1;
  let overflowAt = Number.POSITIVE_INFINITY;
  let falling = 0;
  let highest = -1;
  for (let index = 0; index < count; ) {
    const bytes = source.read(start + index * 4, Math.min(pageSize, (count - index) * 4));
    const whole = bytes.length >> 2;
    if (whole === 0) return null;
    sum = adler32(bytes.subarray(0, whole * 4), sum);
    const view = viewOf(bytes);
    for (let at = 0; at < whole; at++, index++) {
      const value = u32(view, at * 4);
      const low = baseOffset + (value % 0x8000_0000);
      const runsOver = value >= 0x8000_0000 && low < highest && baseOffset + value > highest && baseOffset + value < source.size;
      if (overflowAt > index && runsOver) overflowAt = index;
      const offset = overflowAt <= index ? baseOffset + value : low;
      if (offset < highest) falling++;
      else highest = offset;
    }
  }
  if (holdsChunks(section, count)) return { copy, fits: headerFits, overflowAt, falling, sum };
  const stored = section.dataSize >= tableHeaderSize + count * 4 + 4 ? source.read(start + count * 4, 4) : null;
  const fits = headerFits && (stored === null || (stored.length === 4 && u32(viewOf(stored), 0) === sum));
  return { copy, fits, overflowAt, falling, sum };
}

/** Of the chunks of one run. */
export interface RunEntries extends Entries {
  /** Never before the end of the chunk ahead, never outside the bytes that hold chunks. */
  readonly ends: Float64Array;
}

/** Throws ReadError. */
export function readEntries({ source }: SegmentSections, run: ChunkRun, examined: Examined): RunEntries | null {
  const { table, firstEntry, count } = run;
  const { section, baseOffset } = examined.copy;
  const wanted = Math.min(count + 1, table.count - firstEntry); // with the one behind, which says where the last chunk ends
  const bytes = source.read(section.dataOffset + tableHeaderSize + firstEntry * 4, wanted * 4);
  if (bytes.length < wanted * 4) return null;
  const view = viewOf(bytes);
  const starts = new Float64Array(count + 1).fill(table.dataEnd);
  const compressed = new Uint8Array(count);
  for (let at = 0; at < wanted; at++) {
    const value = u32(view, at * 4);
    const overflowed = firstEntry + at >= examined.overflowAt;
    starts[at] = baseOffset + (overflowed ? value : value % 0x8000_0000);
    if (at < count && !overflowed && value >= 0x8000_0000) compressed[at] = 1;
  }
  return { starts, compressed, ends: endsOf(starts, table) };
}

/** Those of chunks found without a table. */
export const recoveredEntries = ({ table, firstEntry, count }: ChunkRun, { starts, compressed }: Entries): RunEntries => {
  const part = starts.subarray(firstEntry, firstEntry + count + 1);
  return { starts: part, compressed: compressed.subarray(firstEntry, firstEntry + count), ends: endsOf(part, table) };
};

function endsOf(starts: Float64Array, { dataStart, dataEnd }: ChunkTable): Float64Array {
  const ends = new Float64Array(starts.length - 1);
  let end = dataStart;
  for (let at = 0; at < ends.length; at++) {
    end = Math.min(dataEnd, Math.max(end, starts[at + 1]!));
    ends[at] = end;
  }
  return ends;
}
