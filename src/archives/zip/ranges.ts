/** The parts of the file that members lie in: where two lie over one another, and what lies between them. */

export interface Range {
  readonly start: number;
  readonly end: number;
}

export function createRanges() {
  const starts: number[] = [];
  const ends: number[] = [];
  const inOrder = (): number[] => Array.from(starts.keys()).sort((a, b) => starts[a]! - starts[b]!);
  return {
    add(start: number, end: number): void {
      starts.push(start);
      ends.push(end);
    },
    /** Members that begin before another one that began earlier has ended. */
    overlapping(): number {
      let end = 0;
      let overlapping = 0;
      for (const index of inOrder()) {
        if (starts[index]! < end) overlapping++;
        end = Math.max(end, ends[index]!);
      }
      return overlapping;
    },
    /** What no member covers, of `size` bytes, in order, where it is at least `least` bytes long. */
    *gaps(size: number, least: number): Generator<Range> {
      let end = 0;
      for (const index of inOrder()) {
        if (starts[index]! - end >= least) yield { start: end, end: Math.min(size, starts[index]!) };
        end = Math.max(end, ends[index]!);
      }
      if (size - end >= least) yield { start: end, end: size };
    },
  };
}
