/** Lists a volume: by its directories, then the inodes that no name leads to. */
import { u32 } from '../../bytes/little-endian.ts';
import { type FoundName, nameFromUtf8 } from '../../bytes/text.ts';
import { FormatError, ReadError } from '../../evidence/errors.ts';
import { type Entry, type EntryAttribute, type EntryType } from '../../evidence/file-system.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type Reader } from './content.ts';
import { type Name, namesIn, namesItself } from './directory.ts';
import { blockAreaAt, hasFlag, type Inode, inodeFlag, timesOf, typeOf } from './inode.ts';
import { InodeSet, LiveNames } from './sets.ts';
import { type Tell, tellSome } from './tell.ts';

const deepest = 2000;
const longestPath = 65_536;

interface Place {
  readonly inode: number;
  readonly path: string;
  readonly depth: number;
  /** False for a deleted directory: all its names are deleted ones. */
  readonly live: boolean;
}

interface Walk {
  readonly reader: Reader;
  readonly problems: ProblemLog;
  /** Inodes that were listed under a name: a further name gets a longer address, and none of them is an orphan. */
  readonly named: InodeSet;
  /** Directories that were listed: what ends every loop. */
  readonly listed: InodeSet;
  readonly waiting: Place[];
  /** Of the directory that is being listed. */
  readonly names: LiveNames;
  /** Blocks that directories may still have: all of them together cannot have more than the volume. */
  blocksLeft: number;
}

const rootInode = 2;

export function* walkVolume(reader: Reader, problems: ProblemLog): Iterable<Entry> {
  const walk: Walk = {
    reader,
    problems,
    named: new InodeSet(),
    listed: new InodeSet(),
    waiting: [{ inode: rootInode, path: '', depth: 0, live: true }],
    names: new LiveNames(),
    blocksLeft: blocksWithin(reader),
  };
  walk.named.add(rootInode);
  yield* listWaiting(walk);
  yield* orphans(walk);
}

/** Of the volume as it is, whatever its superblock claims. */
const blocksWithin = ({ layout }: Reader): number =>
  Math.min(layout.superblock.blockCount, Math.ceil(layout.volume.size / layout.blockSize));

function* listWaiting(walk: Walk): Iterable<Entry> {
  for (let place = walk.waiting.pop(); place !== undefined; place = walk.waiting.pop()) {
    yield* place.live ? listDirectory(walk, place) : listDeletedDirectory(walk, place);
  }
}

/** For what was told in a first round, or belongs to a deleted directory: only what cannot be read counts. */
const onlyUnreadable =
  (tell: Tell): Tell =>
  (code, message, at) =>
    code === 'read.bad-sector' ? tell(code, message, at) : undefined;

/** What is told of is listed all the same. */
const hidesNothing = new Set(['ext.unallocated-inode', 'ext.directory-cycle']);

const tellFor =
  (problems: ProblemLog, address: string): Tell =>
  (code, message, at) => {
    const full = message.startsWith('inode ') ? message : `inode ${address}: ${message}`;
    problems.add({ code, message: full, address, ...(at === undefined ? {} : { at }), hidesEvidence: !hidesNothing.has(code) });
  };

function* listDirectory(walk: Walk, { inode: number, path, depth }: Place): Iterable<Entry> {
  const { reader, problems, listed, names } = walk;
  const tell = tellSome(tellFor(problems, String(number)));
  if (!listed.add(number)) {
    tell('ext.directory-cycle', `directory '${path.slice(0, 200)}' was listed already under another name; it is not listed again`);
    return;
  }
  const directory = readInode(reader, number, tell);
  if (directory === null) return;
  if (typeOf(directory) !== 'directory') return tell('ext.not-a-directory', `mode ${directory.mode.toString(8)}, expected a directory`);
  if (hasFlag(directory, inodeFlag.encrypted)) tell('ext.encrypted', 'its names and the contents below it are encrypted');
  const found: Place[] = [];
  const withDeleted = new Set<number>(); // starts of the blocks that hold deleted names
  const { inodeCount } = reader.layout.superblock;
  names.clear();
  for (const { bytes, start, hasIndex } of directoryBlocks(walk, directory, tell)) {
    for (const name of namesIn(bytes, { start, hasIndex, inodeCount }, tell)) {
      if (!name.live) {
        withDeleted.add(start);
        continue;
      }
      names.add(name);
      const entry = entryOf(walk, name, number, path);
      yield entry;
      if (entry.type === 'directory') found.push({ inode: name.inode, path: entry.path, depth: depth + 1, live: true });
    }
  }
  // a second round, when all live names are known: where records were moved to another block, copies of them stay behind
  if (withDeleted.size > 0) {
    const again = onlyUnreadable(tell);
    for (const { bytes, start, hasIndex } of reader.directoryBlocks(directory, again, withDeleted)) {
      for (const name of namesIn(bytes, { start, hasIndex, inodeCount }, again)) {
        if (name.live || names.has(name)) continue;
        yield deletedEntry(walk, name, number, path, depth, found);
      }
    }
  }
  waitFor(walk, found);
}

function* directoryBlocks(walk: Walk, directory: Inode, tell: Tell): ReturnType<Reader['directoryBlocks']> {
  for (const block of walk.reader.directoryBlocks(directory, tell)) {
    if (walk.blocksLeft-- <= 0)
      return tell('ext.directory-blocks', 'all directories so far have more blocks than the volume: it is not read on');
    yield block;
  }
}

/** A directory whose blocks still name it as their own: what stood in it was deleted with it. */
function* listDeletedDirectory(walk: Walk, { inode: number, path, depth }: Place): Iterable<Entry> {
  const { reader, listed, problems } = walk;
  const tell = onlyUnreadable(tellFor(problems, String(number)));
  if (!listed.add(number)) return;
  const directory = readInode(reader, number, tell);
  if (directory === null) return;
  const found: Place[] = [];
  for (const { bytes, start, hasIndex } of directoryBlocks(walk, directory, tell)) {
    if (start === 0 && !namesItself(bytes, number)) break;
    for (const name of namesIn(bytes, { start, hasIndex, inodeCount: reader.layout.superblock.inodeCount }, tell)) {
      yield deletedEntry(walk, { ...name, live: false }, number, path, depth, found);
    }
  }
  waitFor(walk, found);
}

/** Its own entry; its directory, when it was one and nobody uses it now, goes to `found`. */
function deletedEntry(walk: Walk, name: Name, directory: number, path: string, depth: number, found: Place[]): Entry {
  const entry = entryOf(walk, name, directory, path);
  if (entry.type === 'directory' && !entry.metadataAllocated)
    found.push({ inode: name.inode, path: entry.path, depth: depth + 1, live: false });
  return entry;
}

function waitFor({ problems, waiting }: Walk, found: Place[]): void {
  for (const child of found.reverse()) {
    if (child.depth <= deepest && child.path.length <= longestPath) waiting.push(child);
    else tellFor(problems, String(child.inode))('ext.depth', `lies ${child.depth} directories deep, more than ${deepest} are not listed`);
  }
}

function readInode(reader: Reader, number: number, tell: Tell): Inode | null {
  try {
    return reader.inodes.read(number);
  } catch (error) {
    if (error instanceof FormatError) tell(error.code, error.message);
    else if (error instanceof ReadError) tell('read.bad-sector', error.message, error.offset);
    else throw error;
    return null;
  }
}

function entryOf(walk: Walk, found: Name, directory: number, path: string): Entry {
  const { reader, problems, named } = walk;
  const { inode: number, name, live, offset } = found;
  const fullPath = path === '' ? name.text : `${path}/${name.text}`;
  const long = `${number}-${directory}-${offset}`;
  const tellName = tellFor(problems, long);
  const inode = number === 0 ? null : readInode(reader, number, tellName);
  if (inode === null) return bareEntry(long, fullPath, name, live);
  const allocated = isAllocated(reader, number, tellName);
  if (!live && (allocated || (found.type !== 'unknown' && typeOf(inode) !== found.type))) {
    // the inode serves another file now: its content is not that of this name
    return { ...bareEntry(long, fullPath, name, live), metadataAllocated: allocated, facts: { reallocatedInode: number } };
  }
  const address = named.add(number) ? String(number) : long;
  const tell = tellFor(problems, address);
  if (live && !allocated) tell('ext.unallocated-inode', `'${fullPath.slice(0, 200)}' is named, and its inode is marked as free`);
  return fullEntry(reader, inode, { address, path: fullPath, name, live, allocated }, tell);
}

function isAllocated({ inodes }: Reader, number: number, tell: Tell): boolean {
  try {
    return inodes.isAllocated(number);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    tell('read.bad-sector', `bitmap of inodes: ${error.message}`, error.offset);
    return true;
  }
}

const bareEntry = (address: string, path: string, name: FoundName, live: boolean): Entry => ({
  address,
  path,
  name,
  type: 'unknown',
  size: 0,
  nameAllocated: live,
  metadataAllocated: false,
  times: [],
  firstOffset: null,
});

interface Naming {
  readonly address: string;
  readonly path: string;
  readonly name: FoundName;
  readonly live: boolean;
  readonly allocated: boolean;
}

function fullEntry(reader: Reader, inode: Inode, { address, path, name, live, allocated }: Naming, tell: Tell): Entry {
  const type = typeOf(inode);
  const attributes = reader.attributes(inode, tell);
  const shown = attributes.length === 0 ? attributes : attributes.filter(({ name }) => name !== 'system.data');
  const facts = factsOf(inode, type);
  return {
    address,
    path,
    name,
    type,
    size: type === 'file' || type === 'symlink' || type === 'directory' ? inode.size : 0,
    nameAllocated: live,
    metadataAllocated: allocated,
    times: timesOf(inode, reader.layout.superblock.inodeCount),
    mode: inode.mode & 0o7777,
    uid: inode.uid,
    gid: inode.gid,
    linkCount: inode.linkCount,
    ...(type === 'symlink' ? targetOf(reader, inode, attributes, tell) : {}),
    ...(shown.length > 0 ? { attributes: shown } : {}),
    ...(facts === null ? {} : { facts }),
    firstOffset: type === 'file' ? reader.firstOffset(inode) : null,
  };
}

function targetOf(reader: Reader, inode: Inode, attributes: readonly EntryAttribute[], tell: Tell): { target?: FoundName } {
  if (hasFlag(inode, inodeFlag.encrypted)) return {};
  try {
    const content = reader.content(inode, attributes, tell);
    return { target: nameFromUtf8(content.read(0, Math.min(content.size, 65_535))) };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    tell('read.bad-sector', `target of the link: ${error.message}`, error.offset);
    return {};
  }
}

function factsOf(inode: Inode, type: EntryType): Record<string, string | number | boolean> | null {
  const isDevice = type === 'character-device' || type === 'block-device';
  if (!isDevice && !hasFlag(inode, inodeFlag.encrypted | inodeFlag.inlineData)) return null;
  const facts: Record<string, string | number | boolean> = {};
  if (isDevice) {
    const [old, wide] = [u32(inode.view, blockAreaAt), u32(inode.view, blockAreaAt + 4)];
    facts.device =
      old !== 0 ? `${(old >> 8) & 0xff}:${old & 0xff}` : `${(wide >>> 8) & 0xfff}:${(wide & 0xff) | ((wide >>> 12) & 0xfff00)}`;
  }
  if (hasFlag(inode, inodeFlag.encrypted)) facts.encrypted = true;
  if (hasFlag(inode, inodeFlag.inlineData)) facts.inlineData = true;
  return facts;
}

/** Inodes in use without a name, and inodes that were in use once: `$OrphanFiles`, as the Sleuth Kit calls the place. */
function* orphans(walk: Walk): Iterable<Entry> {
  const { reader, named } = walk;
  const { superblock, groupCount } = reader.layout;
  const { inodesPerGroup, firstInode, orphanFileInode } = superblock;
  const inodeCount = inodesWithin(walk);
  for (let group = 0; group < groupCount; group++) {
    if (reader.layout.group(group) === null) continue; // told of already
    for (let index = 0; index < inodesPerGroup; index++) {
      const number = group * inodesPerGroup + index + 1;
      if (number > inodeCount) return;
      if (number < firstInode || number === orphanFileInode || named.has(number)) continue;
      const inode = orphanInode(walk, number);
      if (inode === null) break; // the rest of this group cannot be read either; the problem says so
      if (inode === undefined) continue;
      const entry = orphanEntry(walk, inode);
      yield entry;
      if (entry.type !== 'directory') continue;
      walk.waiting.push({ inode: number, path: entry.path, depth: 1, live: entry.metadataAllocated });
      yield* listWaiting(walk);
    }
  }
}

/** No more than the volume has room for: tables that lie over one another would give the same inodes again and again. */
function inodesWithin({ reader, problems }: Walk): number {
  const { superblock, volume } = reader.layout;
  const { inodeCount, inodeSize } = superblock;
  const room = Math.ceil(volume.size / inodeSize);
  if (inodeCount <= room) return inodeCount;
  const message = `the superblock claims ${inodeCount} inodes of ${inodeSize} bytes, the volume has room for ${room}: of those without a name only so many are listed`;
  problems.add({ code: 'ext.truncated', message, hidesEvidence: true });
  return room;
}

/** Null where it cannot be read, undefined where nothing stands. */
function orphanInode({ reader, problems }: Walk, number: number): Inode | null | undefined {
  if (reader.inodes.isBlank(number)) return undefined;
  const tell = tellFor(problems, String(number));
  const inode = readInode(reader, number, tell);
  if (inode === null) return null;
  if ((inode.mode === 0 && inode.changed === 0) || hasFlag(inode, inodeFlag.eaInode)) return undefined;
  return inode.mode === 0 && !isAllocated(reader, number, tell) ? undefined : inode;
}

function orphanEntry({ reader, problems, named }: Walk, inode: Inode): Entry {
  const { number } = inode;
  const address = String(number);
  const tell = tellFor(problems, address);
  named.add(number);
  const name: FoundName = { text: `OrphanFile-${number}` };
  const allocated = isAllocated(reader, number, tell);
  return fullEntry(reader, inode, { address, path: `$OrphanFiles/${name.text}`, name, live: false, allocated }, tell);
}
