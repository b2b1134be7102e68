/** Lays the tables of all segments along the medium. */
import { type ProblemLog } from '../../evidence/problem.ts';
import { type ChunkTable, findTables } from './chunk-tables.ts';
import { type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

/** `count` chunks of the medium from `firstChunk` on, listed by `table` from its entry `firstEntry` on. */
export interface ChunkRun {
  readonly firstChunk: number;
  readonly count: number;
  readonly table: ChunkTable;
  readonly firstEntry: number;
}

/** Entries held at a time: a table may list millions. */
const longestRun = 65_536;

/** In order of chunks, without overlap; where segments are missing, the chunks behind the hole are placed by counting from the end. */
export function placeChunks(sets: readonly SegmentSections[], volume: Volume, problems: ProblemLog): ChunkRun[] {
  const groups: ChunkTable[][] = [[]];
  let expected = 1;
  sets.forEach((set, segment) => {
    if (set.number > expected) groups.push([]);
    expected = set.number + 1;
    groups.at(-1)!.push(...findTables(set, segment, volume, problems));
  });
  const head = groups[0]!;
  const runs = runsOf(head, 0, volume, problems);
  const placed = Math.min(total(head), volume.chunkCount);
  if (groups.length === 1) {
    reportHole(placed, volume.chunkCount, volume, problems);
    return runs;
  }
  const tail = groups.at(-1)!;
  const start = volume.chunkCount - total(tail);
  const unplaced = reasonNotToPlace(groups.length, sets.at(-1)!, start < placed);
  if (unplaced !== null) {
    problems.add({ code: 'ewf.segment-unplaced', message: unplaced, at: placed * volume.chunkSize, hidesEvidence: true });
    if (groups.length === 2 || start < placed || !isEnd(sets.at(-1)!)) return runs;
  }
  reportHole(placed, start, volume, problems);
  return [...runs, ...runsOf(tail, start, volume, problems)];
}

const total = (tables: readonly ChunkTable[]): number => tables.reduce((sum, { count }) => sum + count, 0);

const isEnd = ({ sections }: SegmentSections): boolean => sections.some(({ type }) => type === 'done');

function reasonNotToPlace(groupCount: number, last: SegmentSections, overlaps: boolean): string | null {
  if (!isEnd(last)) return 'segments are missing in the middle and at the end: where the chunks behind the first hole belong is not known';
  if (overlaps) return 'the chunks behind the hole and before it are more than the medium has: those behind it are not read';
  if (groupCount > 2) return 'segments are missing in more than one place: where the chunks between the holes belong is not known';
  return null;
}

function reportHole(from: number, to: number, { chunkSize, mediaSize }: Volume, problems: ProblemLog): void {
  if (from >= to) return;
  const at = from * chunkSize;
  const lost = Math.min(to * chunkSize, mediaSize) - at;
  const message = `chunks ${from} to ${to - 1} are listed nowhere: ${lost} bytes of the medium from byte ${at} on are not in the image`;
  problems.add({ code: 'ewf.chunks-missing', message, at, hidesEvidence: true });
}

function runsOf(tables: readonly ChunkTable[], from: number, { chunkCount }: Volume, problems: ProblemLog): ChunkRun[] {
  const runs: ChunkRun[] = [];
  let firstChunk = from;
  for (const table of tables) {
    const fitting = Math.min(table.count, chunkCount - firstChunk);
    if (fitting < table.count) {
      const message = `a table lists ${table.count} chunks, the medium has room for ${fitting}`;
      problems.add({ code: 'ewf.chunk-count', message });
    }
    for (let firstEntry = 0; firstEntry < fitting; firstEntry += longestRun) {
      const count = Math.min(longestRun, fitting - firstEntry);
      runs.push({ firstChunk: firstChunk + firstEntry, count, table, firstEntry });
    }
    firstChunk += fitting;
  }
  return runs;
}
