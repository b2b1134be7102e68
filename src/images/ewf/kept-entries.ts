/** The entries of the runs last used: media are mostly read in order, and all entries together may be too many. */
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type ChunkRun } from './chunk-places.ts';
import { type ChunkTable } from './chunk-tables.ts';
import { type SegmentSections } from './sections.ts';
import { examineTable, type RunEntries, readEntries, recoveredEntries } from './table-entries.ts';

const keptRuns = 4;

/** Null where a table cannot be read. */
export function keepEntries(sets: readonly SegmentSections[], runs: readonly ChunkRun[], problems: ProblemLog) {
  const examined = new Map<ChunkTable, ReturnType<typeof examineTable>>();
  const kept = new Map<ChunkRun, RunEntries | null>();

  function load(run: ChunkRun): RunEntries | null {
    const { table } = run;
    if (table.recovered !== undefined) return recoveredEntries(run, table.recovered);
    const set = sets[table.segment]!;
    if (!examined.has(table)) examined.set(table, examineTable(set, table, problems));
    const good = examined.get(table) ?? null;
    try {
      return good === null ? null : readEntries(set, run, good);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      const { offset } = table.copies[0]!.section;
      const message = `${set.name}: table at byte ${offset}: ${error.message}`;
      problems.add({ code: 'read.bad-sector', message, at: offset, hidesEvidence: true });
      return null;
    }
  }

  return (run: ChunkRun): RunEntries | null => {
    const known = kept.get(run);
    if (known !== undefined) return known;
    if (kept.size >= Math.min(keptRuns, runs.length)) kept.delete(kept.keys().next().value as ChunkRun);
    const entries = load(run);
    kept.set(run, entries);
    return entries;
  };
}

/** The run that lists chunk `index`. */
export function runOf(runs: readonly ChunkRun[], index: number): ChunkRun | null {
  const run = runs[lastRunAtOrBefore(runs, index)];
  return run !== undefined && index < run.firstChunk + run.count ? run : null;
}

/** -1 when `index` lies before all of them. */
export function lastRunAtOrBefore(runs: readonly ChunkRun[], index: number): number {
  let low = -1;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (runs[middle]!.firstChunk <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
