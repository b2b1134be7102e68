/** From an inode to the places of its content. Spec: Linux Documentation/filesystems/ext4/blockmap.rst, ifork.rst. */
import { u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { type Extent } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { blockArea, hasFlag, type Inode, inodeFlag } from './inode.ts';
import { type Layout } from './layout.ts';
import { type Tell, tellSome } from './tell.ts';

/** Blocks that lie together; `block` null: allocated but never written, reads as zeros. */
export interface Run {
  readonly logical: number;
  readonly block: number | null;
  readonly count: number;
}

/** In ascending order of `logical`, without overlap, all inside the volume. What does not fit is told of and left out. */
export function runsOf(layout: Layout, inode: Inode, tellAll: Tell): Run[] {
  const tell = tellSome(tellAll);
  const runs: Run[] = [];
  const { blockCount } = layout.superblock;
  const add = (logical: number, block: number | null, count: number) => {
    const last = runs.at(-1);
    const end = last === undefined ? 0 : last.logical + last.count;
    if (logical < end) return tell('ext.map-order', `logical block ${logical} is mapped behind block ${end - 1}; it is left out`);
    if (block !== null && (block === 0 || block + count > blockCount)) {
      return tell('ext.block-range', `logical block ${logical}: blocks ${block} to ${block + count - 1}, the volume has ${blockCount}`);
    }
    if (last !== undefined && last.logical + last.count === logical && follows(last, block))
      runs[runs.length - 1] = { ...last, count: last.count + count };
    else runs.push({ logical, block, count });
  };
  if (hasFlag(inode, inodeFlag.extents)) readExtentTree(layout, blockArea(inode), add, tell);
  else readPointers(layout, blockArea(inode), add, tell);
  return runs;
}

const follows = (last: Run, block: number | null): boolean => (last.block === null ? block === null : block === last.block + last.count);

type Add = (logical: number, block: number | null, count: number) => void;

const deepestTree = 5;

/** Depth falls strictly from node to node and no block is read twice: it ends whatever the tree says. */
function readExtentTree(layout: Layout, root: Uint8Array, add: Add, tell: Tell): void {
  const visited = new Set<number>();
  const waiting: { bytes: Uint8Array | null; block: number; depth: number | null }[] = [{ bytes: root, block: 0, depth: null }];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const bytes = node.bytes ?? readNode(layout, node.block, visited, tell);
    if (bytes === null) continue;
    const view = viewOf(bytes);
    const [magic, entries, depth] = [u16(view, 0), u16(view, 2), u16(view, 6)];
    const place = node.block === 0 ? 'extent tree in the inode' : `extent node in block ${node.block}`;
    if (magic !== 0xf30a) {
      tell('ext.extent-magic', `${place}: signature ${magic.toString(16)}, expected f30a`);
      continue;
    }
    if (depth > deepestTree || (node.depth !== null && depth !== node.depth)) {
      tell('ext.extent-depth', `${place}: depth ${depth}, expected ${node.depth ?? `at most ${deepestTree}`}`);
      continue;
    }
    const room = Math.floor((bytes.length - 12) / 12);
    if (entries > room) tell('ext.extent-count', `${place}: ${entries} entries, there is room for ${room}`);
    const children: typeof waiting = [];
    for (let index = 0; index < Math.min(entries, room); index++) {
      const at = 12 + index * 12;
      if (depth > 0) children.push({ bytes: null, block: u32(view, at + 4) + u16(view, at + 8) * 0x1_0000_0000, depth: depth - 1 });
      else addLeaf(view, at, add);
    }
    waiting.push(...children.reverse());
  }
}

/** A length above 32,768 marks blocks that were allocated and never written. */
function addLeaf(view: DataView, at: number, add: Add): void {
  const length = u16(view, at + 4);
  const unwritten = length > 32_768;
  const count = unwritten ? length - 32_768 : length;
  const block = u32(view, at + 8) + u16(view, at + 6) * 0x1_0000_0000;
  if (count > 0) add(u32(view, at), unwritten ? null : block, count);
}

function readNode({ volume, blockSize, superblock }: Layout, block: number, visited: Set<number>, tell: Tell): Uint8Array | null {
  if (visited.has(block)) {
    tell('ext.map-cycle', `block ${block} stands twice in the map; it is read once`);
    return null;
  }
  visited.add(block);
  if (block === 0 || block >= superblock.blockCount) {
    tell('ext.block-range', `block ${block} of the map, the volume has ${superblock.blockCount}`);
    return null;
  }
  try {
    const bytes = volume.read(block * blockSize, blockSize);
    if (bytes.length === blockSize) return bytes;
    tell('ext.truncated', `block ${block} of the map: the volume ends before it`, block * blockSize);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    tell('read.bad-sector', `block ${block} of the map: ${error.message}`, block * blockSize);
  }
  return null;
}

/** 12 direct blocks, then one tree each of depth 1, 2 and 3. A pointer of 0 is a hole, however much it would cover. */
function readPointers(layout: Layout, area: Uint8Array, add: Add, tell: Tell): void {
  const view = viewOf(area);
  const visited = new Set<number>();
  for (let index = 0; index < 12; index++) addPointer(u32(view, index * 4), index, add);
  const fan = layout.blockSize / 4;
  let logical = 12;
  for (let depth = 1; depth <= 3; depth++) {
    const block = u32(view, (11 + depth) * 4);
    if (block !== 0) readIndirect(layout, block, depth, logical, add, tell, visited);
    logical += fan ** depth;
  }
}

const addPointer = (block: number, logical: number, add: Add): void => {
  if (block !== 0) add(logical, block, 1);
};

/** Recursion is at most three deep: `depth` falls. */
function readIndirect(layout: Layout, block: number, depth: number, start: number, add: Add, tell: Tell, visited: Set<number>): void {
  const bytes = readNode(layout, block, visited, tell);
  if (bytes === null) return;
  const view = viewOf(bytes);
  const fan = layout.blockSize / 4;
  for (let index = 0; index < fan; index++) {
    const pointer = u32(view, index * 4);
    if (pointer === 0) continue;
    const logical = start + index * fan ** (depth - 1);
    if (depth === 1) add(logical, pointer, 1);
    else readIndirect(layout, pointer, depth - 1, logical, add, tell, visited);
  }
}

/** The content as extents, holes between, up to `size`. */
export function extentsOf(runs: readonly Run[], blockSize: number, size: number): Extent[] {
  const extents: Extent[] = [];
  let end = 0;
  for (const { logical, block, count } of runs) {
    const start = logical * blockSize;
    if (start >= size) break;
    if (start > end) extents.push({ offset: null, length: start - end });
    const length = Math.min(count * blockSize, size - start);
    extents.push({ offset: block === null ? null : block * blockSize, length });
    end = start + length;
  }
  if (end < size) extents.push({ offset: null, length: size - end });
  return extents;
}
