/** Where the content of a file lies: along its chain, or for a deleted file where it must have been. */
import { type Extent } from '../../bytes/source.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type Geometry } from './boot-sector.ts';
import { firstClusterOf, isDeleted, isDirectory, type Slot } from './slot.ts';
import { type Table } from './table.ts';

export interface Content {
  readonly extents: readonly Extent[];
  /** Bytes that are there: fewer than the entry claims where the chain ends early. */
  readonly size: number;
}

/** Throws ReadError where the table cannot be read. */
export function contentExtents(geometry: Geometry, table: Table, slot: Slot, problems: ProblemLog, address: string): Content {
  const { clusterSize } = geometry;
  const first = firstClusterOf(slot, geometry);
  const claimed = isDirectory(slot) ? 0 : slot.size;
  if (claimed === 0 || first === 0) {
    if (claimed > 0) tell('fat.no-cluster', `${claimed} bytes claimed, and no first cluster`);
    return { extents: [], size: 0 };
  }
  function tell(code: string, message: string, hidesEvidence = true): void {
    problems.add({ code, message: `entry ${address}: ${message}`, address, hidesEvidence });
  }
  if (!table.inRange(first)) {
    tell('fat.cluster-range', `first cluster ${first}, expected 2 to ${geometry.clusterCount + 1}`);
    return { extents: [], size: 0 };
  }
  const needed = Math.ceil(claimed / clusterSize);
  const deleted = isDeleted(slot);
  const { clusters, stopped } = deleted ? followFree(geometry, table, first, needed) : followChain(table, first, needed);
  if (stopped !== null) {
    const found = Math.min(claimed, clusters.count * clusterSize);
    tell(stopped.code, `${stopped.message}; ${claimed} bytes claimed, ${found} found`, stopped.overwritten !== true);
  }
  return { extents: clusters.extents(geometry), size: Math.min(claimed, clusters.count * clusterSize) };
}

interface Stop {
  readonly code: string;
  readonly message: string;
  /** The content is no more: nothing is left to hide. */
  readonly overwritten?: true;
}

/** Runs of clusters, as a chain gives them. */
function collectRuns() {
  const runs: { first: number; count: number }[] = [];
  return {
    count: 0,
    add(cluster: number): void {
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === cluster) last.count++;
      else runs.push({ first: cluster, count: 1 });
      this.count++;
    },
    cutTo(count: number): void {
      while (this.count > count) {
        const last = runs.at(-1)!;
        const drop = Math.min(last.count, this.count - count);
        last.count -= drop;
        this.count -= drop;
        if (last.count === 0) runs.pop();
      }
    },
    extents: ({ clusterOffset, clusterSize }: Geometry): Extent[] =>
      runs.map(({ first, count }) => ({ offset: clusterOffset(first), length: count * clusterSize })),
  };
}

/** At most `needed` clusters; a chain that comes back to itself is found with Brent's algorithm, which keeps no list, and is cut before it repeats. */
export function followChain(
  table: Table,
  first: number,
  needed: number,
): { clusters: ReturnType<typeof collectRuns>; stopped: Stop | null } {
  const clusters = collectRuns();
  let marked = first;
  let power = 1;
  let steps = 0;
  for (let cluster = first; ; ) {
    clusters.add(cluster);
    if (clusters.count >= needed) return { clusters, stopped: null };
    const next = table.next(cluster);
    const stop = (code: string, message: string) => ({ clusters, stopped: { code, message } });
    if (table.isEnd(next)) return stop('fat.chain-short', `its chain ends after ${clusters.count} clusters of ${needed}`);
    if (!table.inRange(next))
      return stop('fat.chain-broken', `cluster ${cluster} is followed by ${next}, which is ${next === 0 ? 'free' : 'no cluster'}`);
    steps++;
    if (next === marked) {
      clusters.cutTo(beforeRepeat(table, first, steps));
      return stop('fat.chain-cycle', `its chain comes back to itself after ${clusters.count} clusters`);
    }
    if (steps === power) {
      marked = next;
      power *= 2;
      steps = 0;
    }
    cluster = next;
  }
}

/** How many clusters a chain has that ends in a circle of `length`: the lead and one round. */
function beforeRepeat(table: Table, first: number, length: number): number {
  let ahead = first;
  for (let step = 0; step < length; step++) ahead = table.next(ahead);
  let behind = first;
  let lead = 0;
  for (; ahead !== behind; lead++) {
    ahead = table.next(ahead);
    behind = table.next(behind);
  }
  return lead + length;
}

/** A deleted file has no chain any more: it is taken to lie in the free clusters from its first one on. Nothing is taken that is in use now. */
function followFree(
  { clusterCount }: Geometry,
  table: Table,
  first: number,
  needed: number,
): { clusters: ReturnType<typeof collectRuns>; stopped: Stop | null } {
  const clusters = collectRuns();
  if (!table.isFree(first)) {
    return {
      clusters,
      stopped: {
        code: 'fat.deleted-overwritten',
        message: `deleted, and its first cluster ${first} is in use by another file`,
        overwritten: true,
      },
    };
  }
  for (let cluster = first; cluster < clusterCount + 2 && clusters.count < needed; cluster++) {
    if (table.isFree(cluster)) clusters.add(cluster);
  }
  const short = clusters.count < needed;
  return {
    clusters,
    stopped: short ? { code: 'fat.deleted-short', message: 'deleted, and the volume ends before its content does' } : null,
  };
}
