/** Ranges that the block bitmaps call free. Spec: Linux Documentation/filesystems/ext4/bitmaps.rst. */
import { type Extent } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type Group, groupFlag, type Layout } from './layout.ts';
import { readOnlyFeature } from './superblock.ts';

export function* freeRanges(layout: Layout, problems: ProblemLog): Iterable<Extent> {
  const { superblock, blockSize, groupCount, volume } = layout;
  const { blockCount, firstDataBlock, blocksPerGroup, readOnlyCompatible, logClusterSize, logBlockSize } = superblock;
  // with bigalloc a bit stands for a cluster of blocks
  const perBit = readOnlyCompatible & readOnlyFeature.bigAlloc ? 2 ** Math.max(0, Math.min(16, logClusterSize - logBlockSize)) : 1;
  let start = -1;
  const uninitialised = metadataRanges(layout);
  for (let index = 0; index < groupCount; index++) {
    const first = firstDataBlock + index * blocksPerGroup;
    const count = Math.min(blocksPerGroup, blockCount - first, Math.floor(volume.size / blockSize) - first);
    if (count <= 0) break;
    const isFree = groupMap(layout, index, count, perBit, uninitialised, problems);
    for (let block = 0; block < count; block++) {
      const free = isFree(block);
      if (free && start < 0) start = first + block;
      else if (!free && start >= 0) {
        yield { offset: start * blockSize, length: (first + block - start) * blockSize };
        start = -1;
      }
    }
  }
  if (start >= 0) {
    const end = Math.min(blockCount, Math.floor(volume.size / blockSize));
    if (end > start) yield { offset: start * blockSize, length: (end - start) * blockSize };
  }
}

type IsFree = (block: number) => boolean;
const noneFree: IsFree = () => false;

function groupMap(layout: Layout, index: number, count: number, perBit: number, metadata: readonly Range[], problems: ProblemLog): IsFree {
  const group = layout.group(index);
  if (group === null) return noneFree;
  const { volume, blockSize, superblock } = layout;
  if (group.flags & groupFlag.blocksUnused) {
    const first = superblock.firstDataBlock + index * superblock.blocksPerGroup;
    const inside = metadata.filter(({ block, count: length }) => block < first + count && block + length > first);
    const head = layout.headBlocks(index);
    return (block) => block >= head && !inside.some(({ block: at, count: length }) => first + block >= at && first + block < at + length);
  }
  try {
    const bitmap = volume.read(group.blockBitmap * blockSize, Math.ceil(count / perBit / 8));
    return (block) => {
      const bit = Math.floor(block / perBit);
      return ((bitmap[bit >> 3] ?? 0xff) & (1 << (bit & 7))) === 0;
    };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `bitmap of the blocks of group ${index}: ${error.message}`, at: error.offset });
    return noneFree;
  }
}

interface Range {
  readonly block: number;
  readonly count: number;
}

/** Bitmaps and inode tables of groups whose bitmaps lie elsewhere (flex_bg): they may stand in a group without a bitmap of its own. */
function metadataRanges(layout: Layout): Range[] {
  const { superblock, blockSize, groupCount } = layout;
  const tableBlocks = Math.ceil((superblock.inodesPerGroup * superblock.inodeSize) / blockSize);
  const ranges: Range[] = [];
  const add = (block: number, count: number) => {
    const last = ranges.at(-1);
    if (last !== undefined && last.block + last.count === block)
      ranges[ranges.length - 1] = { block: last.block, count: last.count + count };
    else ranges.push({ block, count });
  };
  const groups: Group[] = [];
  for (let index = 0; index < groupCount; index++) {
    const group = layout.group(index);
    if (group !== null) groups.push(group);
  }
  for (const { blockBitmap } of groups) add(blockBitmap, 1);
  for (const { inodeBitmap } of groups) add(inodeBitmap, 1);
  for (const { inodeTable } of groups) add(inodeTable, tableBlocks);
  return ranges;
}
