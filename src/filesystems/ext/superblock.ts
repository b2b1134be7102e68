/** The ext2/3/4 superblock, at byte 1024 of the volume. Spec: Linux Documentation/filesystems/ext4/super.rst. */
import { i32, u8, u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { cString, hex } from '../../bytes/text.ts';
import { FormatError } from '../../evidence/errors.ts';
import { crc32c } from './crc32c.ts';

export type Superblock = ReturnType<typeof readSuperblock>;

export const superblockSize = 1024;

const readSuperblock = (bytes: Uint8Array) => {
  const view = viewOf(bytes);
  const revision = u32(view, 0x4c);
  const incompatible = u32(view, 0x60);
  return {
    inodeCount: u32(view, 0x00),
    blockCount: u32(view, 0x04) + (incompatible & feature.wide ? u32(view, 0x150) * 0x1_0000_0000 : 0),
    firstDataBlock: u32(view, 0x14), // 1 when blocks are 1 KiB, else 0
    logBlockSize: u32(view, 0x18), // see blockSizeOf()
    logClusterSize: u32(view, 0x1c),
    blocksPerGroup: u32(view, 0x20),
    clustersPerGroup: u32(view, 0x24),
    inodesPerGroup: u32(view, 0x28),
    mountedAt: i32(view, 0x2c),
    writtenAt: i32(view, 0x30),
    magic: u16(view, 0x38), // 0xef53
    state: u16(view, 0x3a),
    groupNumber: u16(view, 0x5a),
    firstInode: revision === 0 ? 11 : u32(view, 0x54),
    inodeSize: revision === 0 ? 128 : u16(view, 0x58),
    compatible: u32(view, 0x5c),
    incompatible,
    readOnlyCompatible: u32(view, 0x64),
    uuid: hex(bytes.subarray(0x68, 0x78)),
    label: cString(bytes.subarray(0x78, 0x88)),
    lastMountedOn: cString(bytes.subarray(0x88, 0xc8)),
    reservedTableBlocks: u16(view, 0xce),
    journalInode: u32(view, 0xe0),
    descriptorSize: incompatible & feature.wide ? Math.max(32, u16(view, 0xfe)) : 32,
    firstMetaGroup: u32(view, 0x104),
    madeAt: i32(view, 0x108),
    logGroupsPerFlex: u8(view, 0x174),
    checksumType: u8(view, 0x175),
    orphanFileInode: u32(view, 0x280),
    checksum: u32(view, 0x3fc),
  };
};

/** Incompatible features that change how the volume is read. */
export const feature = {
  recover: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  extents: 0x40,
  wide: 0x80,
  inlineData: 0x8000,
  encrypted: 0x1_0000,
} as const;

export const readOnlyFeature = { sparseSuper: 0x1, groupChecksum: 0x10, bigAlloc: 0x200, metadataChecksum: 0x400 } as const;

const known = 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;

/** In bytes. Checked first: a shift by 22 or more would wrap around silently. */
export function blockSizeOf({ logBlockSize }: Superblock): number {
  if (logBlockSize > 6) throw new FormatError('ext.block-size', `superblock: log block size ${logBlockSize}, expected 0 to 6`);
  return 1024 << logBlockSize;
}

export interface FoundSuperblock {
  readonly superblock: Superblock;
  /** Byte offset in the volume where it was found. */
  readonly offset: number;
  readonly checksumFits: boolean;
}

/** The first of the places where one lies: byte 1024, then the copies in group 1 for block sizes of 1 to 64 KiB (groups of 8 blocks a byte of bitmap). */
export function findSuperblock(volume: ByteSource): FoundSuperblock | null {
  const primary = superblockAt(volume, 1024);
  if (primary !== null) return primary;
  for (let log = 0; log <= 6; log++) {
    const size = 1024 << log;
    const copy = superblockAt(volume, size * (size * 8 + (log === 0 ? 1 : 0)));
    if (copy !== null && copy.superblock.logBlockSize === log && copy.superblock.groupNumber === 1) return copy;
  }
  return null;
}

function superblockAt(volume: ByteSource, offset: number): FoundSuperblock | null {
  if (offset + superblockSize > volume.size) return null;
  const bytes = volume.read(offset, superblockSize);
  const superblock = readSuperblock(bytes);
  if (superblock.magic !== 0xef53 || !isSane(superblock)) return null;
  const hasChecksum = (superblock.readOnlyCompatible & readOnlyFeature.metadataChecksum) !== 0 && superblock.checksumType === 1;
  return { superblock, offset, checksumFits: !hasChecksum || crc32c(0xffff_ffff, bytes.subarray(0, 0x3fc)) === superblock.checksum };
}

/** What everything else is computed from. */
function isSane(superblock: Superblock): boolean {
  const { logBlockSize, blocksPerGroup, inodesPerGroup, inodeCount, blockCount, inodeSize, descriptorSize, firstDataBlock } = superblock;
  if (logBlockSize > 6) return false;
  const blockSize = 1024 << logBlockSize;
  const counts = blocksPerGroup > 0 && inodesPerGroup > 0 && inodeCount > 0 && blockCount > firstDataBlock;
  const bitmaps = inodesPerGroup <= blockSize * 8 && blocksPerGroup <= blockSize * 8 * 0x1_0000;
  const inodes = inodeSize >= 128 && inodeSize <= blockSize && (inodeSize & (inodeSize - 1)) === 0;
  const groups = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  return counts && bitmaps && inodes && descriptorSize <= 1024 && inodeCount <= groups * inodesPerGroup;
}

/** Features that this reader does not know and that may change where things lie; 0 for none. */
export const unknownFeatures = ({ incompatible }: Superblock): number => (incompatible & ~known) >>> 0;
