/** Lays partitions and tables out so that every byte of the medium stands somewhere exactly once. */
import { type ProblemLog } from './problem.ts';
import { type VolumeRange } from './volume-system.ts';

/**
 * Partitions keep their own extent, cut at the medium's end (with a problem). Tables and gaps fill what is left. A partition that overlaps an
 * earlier one is a problem, is flagged, and stands beside the tiling.
 */
export function tile(
  mediaSize: number,
  parts: readonly VolumeRange[],
  tables: readonly VolumeRange[],
  prefix: string,
  problems: ProblemLog,
): VolumeRange[] {
  const placed: VolumeRange[] = [];
  const beside: VolumeRange[] = [];
  for (const part of [...parts].sort(byOffset)) {
    const cut = cutAtEnd(part, mediaSize, prefix, problems);
    const before = placed.at(-1);
    if (cut.length === 0 && part.length > 0) beside.push(flagged(cut, 'outside the medium'));
    else if (before !== undefined && cut.offset < before.offset + before.length) {
      const message = `partition ${part.number} at byte ${part.offset} begins inside partition ${before.number}, which ends at byte ${before.offset + before.length}`;
      problems.add({ code: `${prefix}.overlap`, message, at: part.offset });
      beside.push(flagged(cut, 'overlaps'));
    } else placed.push(cut);
  }
  return [...fillGaps(mediaSize, placed, tables), ...beside];
}

const byOffset = (a: VolumeRange, b: VolumeRange): number => a.offset - b.offset || (a.number ?? 0) - (b.number ?? 0);

const flagged = (range: VolumeRange, flag: string): VolumeRange => ({ ...range, flags: [...(range.flags ?? []), flag] });

function cutAtEnd(part: VolumeRange, mediaSize: number, prefix: string, problems: ProblemLog): VolumeRange {
  const length = Math.max(0, Math.min(part.length, mediaSize - part.offset));
  if (length === part.length) return part;
  const message = `partition ${part.number}: bytes ${part.offset} to ${part.offset + part.length}, the medium ends at ${mediaSize}`;
  problems.add({ code: `${prefix}.past-end`, message, at: part.offset, hidesEvidence: true });
  return flagged({ ...part, length }, 'runs past the medium');
}

function fillGaps(mediaSize: number, placed: readonly VolumeRange[], tables: readonly VolumeRange[]): VolumeRange[] {
  const all: VolumeRange[] = [];
  let end = 0;
  const fillTo = (offset: number) => {
    for (const table of [...tables].sort(byOffset)) {
      const from = Math.max(table.offset, end);
      const to = Math.min(table.offset + table.length, offset);
      if (to <= from) continue;
      if (from > end) all.push(gap(end, from));
      all.push({ ...table, offset: from, length: to - from });
      end = to;
    }
    if (offset > end) all.push(gap(end, offset));
    end = Math.max(end, offset);
  };
  for (const part of placed) {
    fillTo(part.offset);
    all.push(part);
    end = part.offset + part.length;
  }
  fillTo(mediaSize);
  return all;
}

const gap = (from: number, to: number): VolumeRange => ({
  kind: 'gap',
  number: null,
  offset: from,
  length: to - from,
  label: 'not in any partition',
});
