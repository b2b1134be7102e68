/** Walks the directories: every entry once, live and deleted; a cluster is listed as a directory only once. */
import { type ExactTime } from '../../bytes/exact-time.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { type FoundName } from '../../bytes/text.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type Entry, type EntryTime } from '../../evidence/file-system.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type Geometry } from './boot-sector.ts';
import { logSome } from './log-some.ts';
import { collectLongName, labelName, shortName } from './names.ts';
import { namesItself, orphanClusters } from './orphans.ts';
import {
  addressOf,
  attribute,
  decodeSlot,
  firstClusterOf,
  isDeleted,
  isDirectory,
  isLabel,
  isLongName,
  isPlausible,
  type Slot,
  slotSize,
} from './slot.ts';
import { type Table } from './table.ts';

const deepest = 1000;
const longestPath = 65_536;
/** Of free clusters, for deleted directories: more than any card or stick holds, and an end to what a table may claim. */
const searchedBytes = 1024 ** 4;

interface Place {
  readonly path: string;
  readonly depth: number;
  /** 0: the root region of FAT12 and FAT16. */
  readonly cluster: number;
  readonly live: boolean;
  readonly address: string;
  /** Found by its content, not by a name: what stands there needs no second look. */
  readonly found?: boolean;
}

interface Walk {
  readonly volume: ByteSource;
  readonly geometry: Geometry;
  readonly table: Table;
  readonly problems: ProblemLog;
  /** A bit for each cluster that was listed as part of a directory: what ends every loop. */
  readonly visited: Uint8Array;
  readonly waiting: Place[];
}

export function* walkDirectories(volume: ByteSource, geometry: Geometry, table: Table, log: ProblemLog): Iterable<Entry> {
  const problems = logSome(log, 1000); // a directory that is no directory has as many faults as slots
  const visited = new Uint8Array((geometry.clusterCount + 2 + 7) >> 3);
  const root: Place = { path: '', depth: 0, cluster: geometry.kind === 32 ? geometry.rootCluster : 0, live: true, address: '2' };
  const walk: Walk = { volume, geometry, table, problems, visited, waiting: [root] };
  yield* listWaiting(walk);
  const isListed = (cluster: number) => (visited[cluster >> 3]! & (1 << (cluster & 7))) !== 0;
  for (const cluster of orphanClusters({ volume, geometry, table, problems, isListed, mostBytes: searchedBytes })) {
    const address = String(addressOf(geometry, geometry.clusterOffset(cluster)));
    walk.waiting.push({ path: '$OrphanFiles', depth: 1, cluster, live: false, address, found: true });
    yield* listWaiting(walk);
  }
}

function* listWaiting(walk: Walk): Iterable<Entry> {
  for (let place = walk.waiting.pop(); place !== undefined; place = walk.waiting.pop()) yield* listDirectory(walk, place);
}

function* listDirectory(walk: Walk, place: Place): Iterable<Entry> {
  const { geometry } = walk;
  const longName = collectLongName();
  const found: Place[] = [];
  let ended = false; // after the first slot that was never used: what follows is left from before
  let dots = place.depth === 0 ? 0 : 2; // `.` and `..` stand first; elsewhere they are names like others, and hide something
  for (const { slot, offset } of slotsOf(walk, place)) {
    const mayBeDot = dots-- > 0;
    if (slot.firstByte === 0) {
      ended = true;
      tellOrphan(walk, offset, longName.drop());
      continue;
    }
    if (isLongName(slot)) {
      tellOrphan(walk, offset, longName.add(slot));
      continue;
    }
    const live = place.live && !ended && !isDeleted(slot);
    const { name, orphaned } = longName.take(slot);
    if (live) tellOrphan(walk, offset, orphaned);
    if (mayBeDot && isDirectory(slot) && isDot(slot)) {
      tellDot(walk, place, slot);
      continue;
    }
    if (!live && !isPlausible(slot, geometry)) continue;
    const entry = entryOf(walk, place, slot, offset, live, name);
    yield entry;
    if (!isDirectory(slot) || isLabel(slot)) continue;
    const cluster = firstClusterOf(slot, geometry);
    found.push({ path: entry.path, depth: place.depth + 1, cluster, live, address: entry.address });
  }
  tellOrphan(walk, geometry.dataStart, longName.drop());
  for (const child of found.reverse()) if (mayDescend(walk, child)) walk.waiting.push(child);
}

function mayDescend({ table, problems }: Walk, { cluster, live, depth, address, path }: Place): boolean {
  const tell = (code: string, message: string) =>
    problems.add({ code, message: `directory ${address}: ${message}`, address, hidesEvidence: live });
  if (!table.inRange(cluster)) {
    if (live) tell('fat.cluster-range', `first cluster ${cluster} is no cluster of this volume`);
    return false;
  }
  if (depth > deepest || path.length > longestPath) {
    tell('fat.depth', `lies ${depth} directories deep, under a path of ${path.length} characters: it is not listed`);
    return false;
  }
  return true;
}

/** The slots of a directory along its chain. A deleted directory has only its first cluster, if nothing else uses it now. */
function* slotsOf(walk: Walk, place: Place): Iterable<{ slot: Slot; offset: number }> {
  const { geometry, table, problems, visited } = walk;
  if (place.cluster === 0) {
    yield* slotsIn(walk, geometry.rootOffset, geometry.rootSize);
    return;
  }
  const tell = (code: string, message: string, hidesEvidence = place.live) =>
    problems.add({ code, message: `directory ${place.address}: ${message}`, address: place.address, hidesEvidence });
  for (let cluster = place.cluster; ; ) {
    if (visited[cluster >> 3]! & (1 << (cluster & 7))) {
      tell('fat.directory-cycle', `cluster ${cluster} was listed already as part of a directory; it is not listed again`, false);
      return;
    }
    try {
      if (!place.live && !place.found && !isFreeDirectory(walk, cluster)) return;
      visited[cluster >> 3]! |= 1 << (cluster & 7);
      yield* slotsIn(walk, geometry.clusterOffset(cluster), geometry.clusterSize);
      if (!place.live) return;
      const next = table.next(cluster);
      if (table.isEnd(next)) return;
      if (!table.inRange(next))
        return tell('fat.chain-broken', `cluster ${cluster} is followed by ${next}, which is ${next === 0 ? 'free' : 'no cluster'}`);
      cluster = next;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      tell('read.bad-sector', `the table of clusters: ${error.message}`);
      return;
    }
  }
}

const isFreeDirectory = ({ volume, geometry, table }: Walk, cluster: number): boolean =>
  table.isFree(cluster) && namesItself(volume.read(geometry.clusterOffset(cluster), slotSize), cluster, geometry);

const readAtOnce = 64 * 1024;

function* slotsIn({ volume, problems }: Walk, start: number, length: number): Iterable<{ slot: Slot; offset: number }> {
  for (let at = 0; at < length; at += readAtOnce) {
    const wanted = Math.min(readAtOnce, length - at);
    let bytes: Uint8Array;
    try {
      bytes = volume.read(start + at, wanted);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      problems.add({ code: 'read.bad-sector', message: `directory: ${error.message}`, at: start + at, hidesEvidence: true });
      continue;
    }
    if (bytes.length < wanted) {
      problems.add({
        code: 'fat.truncated',
        message: `directory at byte ${start}: the volume ends within it`,
        at: start + at + bytes.length,
        hidesEvidence: true,
      });
    }
    for (let slot = 0; slot + slotSize <= bytes.length; slot += slotSize) {
      yield { slot: decodeSlot(bytes.subarray(slot, slot + slotSize)), offset: start + at + slot };
    }
  }
}

function tellOrphan({ problems }: Walk, offset: number, name: FoundName | null): void {
  if (name === null) return;
  const shown = name.text.slice(0, 255);
  problems.add({
    code: 'fat.long-name-orphan',
    message: `pieces of a long name, '${shown}', before byte ${offset} belong to no entry`,
    at: offset,
  });
}

/** `.` or `..`, padded. */
const isDot = ({ bytes, firstByte }: Slot): boolean =>
  firstByte === 0x2e && (bytes[1] === 0x20 || bytes[1] === 0x2e) && bytes.subarray(2, 11).every((byte) => byte === 0x20);

/** `.` leads back to the directory itself: another cluster would be a place to hide one. */
function tellDot({ geometry, problems }: Walk, { cluster, address, live, path }: Place, slot: Slot): void {
  const claimed = firstClusterOf(slot, geometry);
  if (slot.bytes[1] !== 0x20 || claimed === cluster || !live) return;
  const message = `directory ${address}, '${path.slice(0, 200)}': its entry for itself names cluster ${claimed}, it begins in ${cluster}`;
  problems.add({ code: 'fat.dot-entry', message, address, hidesEvidence: true });
}

function entryOf({ geometry, table }: Walk, place: Place, slot: Slot, offset: number, live: boolean, longName: FoundName | null): Entry {
  const short = isLabel(slot) ? labelName(slot) : shortName(slot);
  const name = longName ?? short;
  const cluster = firstClusterOf(slot, geometry);
  const type = isLabel(slot) ? 'volume-label' : isDirectory(slot) ? 'directory' : 'file';
  return {
    address: String(addressOf(geometry, offset)),
    path: place.path === '' ? name.text : `${place.path}/${name.text}`,
    name,
    type,
    size: type === 'file' ? slot.size : 0,
    nameAllocated: live,
    metadataAllocated: live,
    times: timesOf(slot),
    facts: { attributes: attributesOf(slot), ...(longName === null ? {} : { shortName: short.text }) },
    firstOffset: type === 'file' && slot.size > 0 && table.inRange(cluster) ? geometry.clusterOffset(cluster) : null,
  };
}

const attributesOf = ({ attributes }: Slot): string =>
  (['readOnly', 'hidden', 'system', 'archive'] as const).filter((name) => attributes & attribute[name]).join(' ') || 'none';

/** "Date and Time Formats": local time of an unknown zone; what is no date is left out. */
function timesOf({ writtenDate, writtenTime, accessedDate, createdDate, createdTime, createdTenMs }: Slot): EntryTime[] {
  const times: EntryTime[] = [];
  const add = (kind: EntryTime['kind'], date: number, time: number, tenMs: number, resolutionNs: number) => {
    const exact = timeOf(date, time, tenMs, resolutionNs);
    if (exact !== null) times.push({ kind, time: exact });
  };
  add('modified', writtenDate, writtenTime, 0, 2_000_000_000);
  add('accessed', accessedDate, 0, 0, 86_400_000_000_000);
  add('created', createdDate, createdTime, createdTenMs, 10_000_000);
  return times;
}

function timeOf(date: number, time: number, tenMs: number, resolutionNs: number): ExactTime | null {
  const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
  const [hour, minute, second] = [time >> 11, (time >> 5) & 63, (time & 31) * 2];
  if (date === 0 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return null;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second) + Math.min(tenMs, 199) * 10;
  return { ns: BigInt(ms) * 1_000_000n, resolutionNs, zone: 'local-unknown' };
}
