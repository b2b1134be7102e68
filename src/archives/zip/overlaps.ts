/** Do members share bytes of the file? Archives that do were made to unpack to more than they hold. */

export function createOverlaps() {
  const starts: number[] = [];
  const ends: number[] = [];
  return {
    add(start: number, end: number): void {
      starts.push(start);
      ends.push(end);
    },
    /** Members that begin before another one that began earlier has ended. */
    count(): number {
      const order = Array.from(starts.keys()).sort((a, b) => starts[a]! - starts[b]!);
      let end = 0;
      let overlapping = 0;
      for (const index of order) {
        if (starts[index]! < end) overlapping++;
        end = Math.max(end, ends[index]!);
      }
      return overlapping;
    },
  };
}
