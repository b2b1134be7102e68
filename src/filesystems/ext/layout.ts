/** Where the groups and their inodes lie. Spec: Linux Documentation/filesystems/ext4/group_descr.rst, blockgroup.rst. */
import { u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { blockSizeOf, type FoundSuperblock, feature, readOnlyFeature, type Superblock } from './superblock.ts';
import { tellSome } from './tell.ts';

export interface Group {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly flags: number;
}

export const groupFlag = { inodesUnused: 1, blocksUnused: 2 } as const;

export interface Layout {
  readonly volume: ByteSource;
  readonly superblock: Superblock;
  readonly blockSize: number;
  readonly groupCount: number;
  /** Null where the descriptor cannot be read or points outside the volume. */
  group(index: number): Group | null;
  hasSuperblock(group: number): boolean;
  /** Blocks of superblock copy and descriptors at the start of a group. */
  headBlocks(group: number): number;
}

const readDescriptor = (view: DataView, at: number, wide: boolean) => {
  const pair = (low: number, high: number) => u32(view, at + low) + (wide ? u32(view, at + high) * 0x1_0000_0000 : 0);
  return {
    blockBitmap: pair(0x00, 0x20),
    inodeBitmap: pair(0x04, 0x24),
    inodeTable: pair(0x08, 0x28),
    flags: u16(view, at + 0x12),
  };
};

export function openLayout(volume: ByteSource, { superblock, offset }: FoundSuperblock, problems: ProblemLog): Layout {
  const blockSize = blockSizeOf(superblock);
  const { blockCount, firstDataBlock, blocksPerGroup, descriptorSize, incompatible, firstMetaGroup, reservedTableBlocks } = superblock;
  const claimedGroups = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  const groupCount = Math.min(claimedGroups, groupsWithin(volume, superblock, blockSize));
  if (groupCount < claimedGroups) {
    const message = `the superblock claims ${claimedGroups} groups, those from ${groupCount} on lie behind the end of the volume`;
    problems.add({ code: 'ext.truncated', message, at: offset, hidesEvidence: true });
  }
  const perBlock = Math.floor(blockSize / descriptorSize);
  const wide = (incompatible & feature.wide) !== 0 && descriptorSize >= 64;
  const metaGroups = (incompatible & feature.metaGroups) !== 0;
  const hasSuperblock = (group: number) =>
    !(superblock.readOnlyCompatible & readOnlyFeature.sparseSuper) || group <= 1 || [3, 5, 7].some((base) => isPower(group, base));
  const tableBlocks = Math.ceil(claimedGroups / perBlock);
  // where the primary superblock is gone its descriptors beside it may be too: those behind the copy are read
  const firstTable = offset === 1024 ? firstDataBlock + 1 : Math.floor(offset / blockSize) + 1;
  const blockOf = (index: number): number => {
    const block = Math.floor(index / perBlock);
    if (!metaGroups || block < firstMetaGroup) return firstTable + block;
    const group = block * perBlock;
    return firstDataBlock + group * blocksPerGroup + (hasSuperblock(group) ? 1 : 0);
  };
  const tell = tellSome((code, message, at) => problems.add({ code, message, at: at!, hidesEvidence: true }), 100);
  const usable = ({ blockBitmap, inodeBitmap, inodeTable }: Group) =>
    [blockBitmap, inodeBitmap, inodeTable].every((block) => block > 0 && block < blockCount);
  const readGroup = (index: number): Group | null => {
    const at = blockOf(index) * blockSize + (index % perBlock) * descriptorSize;
    try {
      const bytes = volume.read(at, descriptorSize);
      const group = bytes.length === descriptorSize ? readDescriptor(viewOf(bytes), 0, wide) : null;
      if (group !== null && usable(group)) return group;
      const what = group === null ? 'the volume ends before it' : 'it points outside the volume';
      tell('ext.group', `descriptor of group ${index} at byte ${at}: ${what}`, at);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      tell('read.bad-sector', `descriptor of group ${index}: ${error.message}`, at);
    }
    return null;
  };
  const groups = new Map<number, Group | null>();
  return {
    volume,
    superblock,
    blockSize,
    groupCount,
    group(index) {
      const known = groups.get(index);
      if (known !== undefined) return known;
      const group = readGroup(index);
      groups.set(index, group);
      return group;
    },
    hasSuperblock,
    headBlocks(group) {
      if (metaGroups && group >= firstMetaGroup * perBlock)
        return (hasSuperblock(group) ? 1 : 0) + ([0, 1, perBlock - 1].includes(group % perBlock) ? 1 : 0);
      return hasSuperblock(group) ? 1 + (metaGroups ? firstMetaGroup : tableBlocks) + reservedTableBlocks : 0;
    },
  };
}

/** Groups that begin in the volume, and as many behind as may have their inodes with the last of them (flex_bg). */
function groupsWithin(volume: ByteSource, { blocksPerGroup, logGroupsPerFlex }: Superblock, blockSize: number): number {
  return Math.ceil(volume.size / (blocksPerGroup * blockSize)) + 2 ** Math.min(16, logGroupsPerFlex);
}

function isPower(value: number, base: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}
