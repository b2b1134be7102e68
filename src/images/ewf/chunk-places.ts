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

/** In order of chunks, without overlap. Where tables may be lost, those in front are counted from the start, those behind from the end. */
export function placeChunks(sets: readonly SegmentSections[], volume: Volume, problems: ProblemLog): ChunkRun[] {
  const { groups, openEnd } = groupsOf(sets, volume, problems);
  const all = groups.flat();
  if (groups.length < 2 || total(all) === volume.chunkCount) {
    reportHole(Math.min(total(all), volume.chunkCount), volume.chunkCount, volume, problems);
    return runsOf(all, 0, volume, problems);
  }
  const head = groups[0]!;
  const tail = openEnd ? [] : groups.at(-1)!;
  const runs = runsOf(head, 0, volume, problems);
  const placed = Math.min(total(head), volume.chunkCount);
  const start = volume.chunkCount - total(tail);
  const reason = reasonNotToPlace(groups.length, openEnd, start < placed);
  if (reason !== null) problems.add({ code: 'ewf.segment-unplaced', message: reason, at: placed * volume.chunkSize, hidesEvidence: true });
  const tailPlaced = !openEnd && start >= placed;
  reportHole(placed, tailPlaced ? start : volume.chunkCount, volume, problems);
  return tailPlaced ? [...runs, ...runsOf(tail, start, volume, problems)] : runs;
}

/** Tables that follow one another without doubt. `openEnd`: more may have stood behind the last of them. */
function groupsOf(sets: readonly SegmentSections[], volume: Volume, problems: ProblemLog): { groups: ChunkTable[][]; openEnd: boolean } {
  const groups: ChunkTable[][] = [[]];
  let expected = 1;
  let gap = false;
  sets.forEach((set, segment) => {
    gap ||= set.number > expected;
    expected = set.number + 1;
    const { tables, gapAfter } = findTables(set, segment, volume, problems);
    for (const table of tables) {
      if (gap || table.gapBefore) groups.push([]);
      groups.at(-1)!.push(table);
      gap = !table.certain;
    }
    gap ||= gapAfter;
  });
  return { groups, openEnd: gap || !isEnd(sets.at(-1)!) };
}

const total = (tables: readonly ChunkTable[]): number => tables.reduce((sum, { count }) => sum + count, 0);

const isEnd = ({ sections }: SegmentSections): boolean => sections.some(({ type }) => type === 'done');

function reasonNotToPlace(groupCount: number, openEnd: boolean, overlaps: boolean): string | null {
  if (openEnd) return 'chunks are missing in the middle and at the end: where those behind the first hole belong is not known';
  if (overlaps) return 'the chunks behind the hole and before it are more than the medium has: those behind it are not read';
  if (groupCount > 2) return 'chunks are missing in more than one place: where those between the holes belong is not known';
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
