/** Deleted directories that no name leads to any more: found by what stands in the free clusters. */
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type Geometry } from './boot-sector.ts';
import { attribute, decodeSlot, firstClusterOf, isDirectory, isLabel, isPlausible, type Slot, slotSize } from './slot.ts';
import { type Table } from './table.ts';

export interface OrphanSearch {
  readonly volume: ByteSource;
  readonly geometry: Geometry;
  readonly table: Table;
  readonly problems: ProblemLog;
  isListed(cluster: number): boolean;
  /** Bytes of free clusters that are read at most: no entry comes meanwhile, and who waits for one must not wait for hours. */
  readonly mostBytes: number;
}

const readAtOnce = 1024 * 1024;

/**
 * First clusters of such directories, and clusters that hold nothing but entries: pieces of directories whose chain is lost.
 * Those that no other of them names come first, so that the others are listed below their parents.
 */
export function* orphanClusters(search: OrphanSearch): Iterable<number> {
  const { geometry, isListed } = search;
  const bytes = (geometry.clusterCount + 9) >> 3;
  const candidates = new Uint8Array(bytes);
  const named = new Uint8Array(bytes);
  for (const { cluster, content } of freeClusters(search)) {
    if (!namesItself(content, cluster, geometry) && !holdsOnlyEntries(content, geometry)) continue;
    mark(candidates, cluster);
    for (const child of directoriesIn(content, geometry)) if (child !== cluster) mark(named, child);
  }
  for (const cluster of marked(candidates)) if (!has(named, cluster) && !isListed(cluster)) yield cluster;
  for (const cluster of marked(candidates)) if (!isListed(cluster)) yield cluster; // in a circle, or not reached from where it is named
}

const mark = (set: Uint8Array, cluster: number): void => {
  set[cluster >> 3]! |= 1 << (cluster & 7);
};
const has = (set: Uint8Array, cluster: number): boolean => ((set[cluster >> 3] ?? 0) & (1 << (cluster & 7))) !== 0;

function* marked(set: Uint8Array): Iterable<number> {
  for (let at = 0; at < set.length; at++) {
    if (set[at] === 0) continue;
    for (let bit = 0; bit < 8; bit++) if (set[at]! & (1 << bit)) yield at * 8 + bit;
  }
}

/** Every free cluster that does not begin with zeros, read in large pieces. */
function* freeClusters(search: OrphanSearch): Iterable<{ cluster: number; content: Uint8Array }> {
  const { volume, geometry, problems, mostBytes } = search;
  let bytesLeft = mostBytes;
  const { clusterSize, clusterOffset } = geometry;
  const buffer = new Uint8Array(Math.max(readAtOnce, clusterSize));
  for (const { first, count } of freeRuns(search, Math.floor(buffer.length / clusterSize))) {
    const offset = clusterOffset(first);
    bytesLeft -= count * clusterSize;
    if (bytesLeft < 0) {
      const message = `${mostBytes} bytes of free clusters were searched for deleted directories, those from byte ${offset} on were not`;
      problems.add({ code: 'fat.free-not-searched', message, at: offset });
      return;
    }
    const target = buffer.subarray(0, Math.min(count * clusterSize, volume.size - offset));
    const readable = readPiece(search, target, offset);
    for (let at = 0; at + clusterSize <= readable; at += clusterSize) {
      if (buffer[at] !== 0) yield { cluster: first + at / clusterSize, content: buffer.subarray(at, at + clusterSize) };
    }
  }
}

/** How many bytes are good to look at. Where the whole cannot be read each cluster is tried; those that fail read as zeros. */
function readPiece({ volume, geometry, problems }: OrphanSearch, target: Uint8Array, offset: number): number {
  const { clusterSize } = geometry;
  try {
    return volume.readInto(target, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
  }
  target.fill(0);
  let failed = 0;
  for (let at = 0; at < target.length; at += clusterSize) {
    try {
      volume.readInto(target.subarray(at, at + clusterSize), offset + at);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      target.fill(0, at, at + clusterSize);
      failed++;
    }
  }
  const message = `free clusters: ${failed} of the ${target.length / clusterSize} from byte ${offset} on cannot be read at all, the others at a second try`;
  problems.add({
    code: 'read.bad-sector',
    message: `${message}; deleted directories there are not found`,
    at: offset,
    hidesEvidence: failed > 0,
  });
  return target.length;
}

/** Neighbouring free clusters that were not listed, at most `most` at a time, none of them behind the end of the volume. */
function* freeRuns(
  { volume, geometry, table, problems, isListed }: OrphanSearch,
  most: number,
): Iterable<{ first: number; count: number }> {
  const { clusterOffset, clusterSize } = geometry;
  const end = Math.min(geometry.clusterCount + 2, 2 + Math.max(0, Math.floor((volume.size - clusterOffset(2)) / clusterSize)));
  let first = 0;
  let count = 0;
  try {
    for (let cluster = 2; cluster < end; cluster++) {
      const free = table.isFree(cluster) && !isListed(cluster);
      if (free && count > 0 && count < most) count++;
      else {
        if (count > 0) yield { first, count };
        first = cluster;
        count = free ? 1 : 0;
      }
    }
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `the table of clusters: ${error.message}`, at: error.offset, hidesEvidence: true });
  }
  if (count > 0) yield { first, count };
}

/** The first slot of a directory names itself. */
export function namesItself(content: Uint8Array, cluster: number, geometry: Geometry): boolean {
  if (content[0] !== 0x2e || content[1] !== 0x20 || content.length < slotSize) return false;
  const slot = decodeSlot(content.subarray(0, slotSize));
  return isDirectory(slot) && firstClusterOf(slot, geometry) === cluster;
}

/** First clusters of the directories that are entries here, the dots left out. */
function* directoriesIn(content: Uint8Array, geometry: Geometry): Iterable<number> {
  for (let at = 0; at + slotSize <= content.length; at += slotSize) {
    if (content[at] === 0 || content[at] === 0x2e || (content[at + 11]! & 0xd8) !== attribute.directory) continue;
    const slot = decodeSlot(content.subarray(at, at + slotSize));
    const cluster = firstClusterOf(slot, geometry);
    if (isPlausible(slot, geometry) && cluster >= 2) yield cluster;
  }
}

/** Slots up to the first that was never used, zeros behind it, at least one short name: nothing else looks like that by chance. */
function holdsOnlyEntries(content: Uint8Array, geometry: Geometry): boolean {
  let found = false;
  for (let at = 0; at + slotSize <= content.length; at += slotSize) {
    if (content[at] === 0) return found && content.subarray(at).every((byte) => byte === 0);
    if (content[at + 11]! & 0xc0) return false;
    const slot = decodeSlot(content.subarray(at, at + slotSize));
    if (slot.attributes === 0x0f) {
      if (!isLongNamePiece(slot)) return false;
    } else if (isCertain(slot, geometry)) found = true;
    else return false;
  }
  return found;
}

function isLongNamePiece({ firstByte, caseFlags, clusterLow }: Slot): boolean {
  const order = firstByte & 0x3f;
  return caseFlags === 0 && clusterLow === 0 && (firstByte === 0xe5 || (order >= 1 && order <= 20));
}

/** Stricter than plausible: the times are times, the size fits the volume. */
function isCertain(slot: Slot, geometry: Geometry): boolean {
  const { caseFlags, createdTenMs, createdDate, createdTime, writtenDate, writtenTime, size } = slot;
  if (!isPlausible(slot, geometry) || isLabel(slot) || caseFlags & ~0x18 || createdTenMs > 199) return false;
  if (!isDate(writtenDate) || !isTime(writtenTime) || !(createdDate === 0 || isDate(createdDate)) || !isTime(createdTime)) return false;
  const cluster = firstClusterOf(slot, geometry);
  if (isDirectory(slot)) return size === 0 && cluster >= 2;
  return size <= geometry.clusterCount * geometry.clusterSize && (size === 0 || cluster >= 2);
}

const isDate = (date: number): boolean => (date & 31) >= 1 && ((date >> 5) & 15) >= 1 && ((date >> 5) & 15) <= 12;
const isTime = (time: number): boolean => time >> 11 <= 23 && ((time >> 5) & 63) <= 59 && (time & 31) <= 29;
