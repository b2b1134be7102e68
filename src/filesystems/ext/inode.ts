/** Inodes. Spec: Linux Documentation/filesystems/ext4/inodes.rst. */
import { type ExactTime } from '../../bytes/exact-time.ts';
import { i32, u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { FormatError } from '../../evidence/errors.ts';
import { type EntryTime, type EntryType } from '../../evidence/file-system.ts';
import { type Layout } from './layout.ts';

export type Inode = ReturnType<typeof decodeInode>;

export const inodeFlag = { encrypted: 0x800, indexed: 0x1000, extents: 0x8_0000, eaInode: 0x20_0000, inlineData: 0x1000_0000 } as const;

const decodeInode = (bytes: Uint8Array, number: number) => {
  const view = viewOf(bytes);
  const extraSize = bytes.length > 128 ? u16(view, 0x80) : 0;
  const extra = (at: number) => (extraSize + 128 >= at + 4 ? u32(view, at) : null);
  return {
    number,
    view,
    bytes, // the whole record: block map, extended attributes
    mode: u16(view, 0x00),
    uid: u16(view, 0x02) + u16(view, 0x78) * 0x1_0000,
    size: u32(view, 0x04) + u32(view, 0x6c) * 0x1_0000_0000,
    accessed: i32(view, 0x08),
    changed: i32(view, 0x0c),
    modified: i32(view, 0x10),
    deleted: u32(view, 0x14),
    gid: u16(view, 0x18) + u16(view, 0x7a) * 0x1_0000,
    linkCount: u16(view, 0x1a),
    flags: u32(view, 0x20),
    attributeBlock: u32(view, 0x68) + u16(view, 0x76) * 0x1_0000_0000,
    extraSize,
    changedExtra: extra(0x84),
    modifiedExtra: extra(0x88),
    accessedExtra: extra(0x8c),
    created: extraSize + 128 >= 0x94 ? i32(view, 0x90) : null,
    createdExtra: extra(0x94),
  };
};

export const blockAreaAt = 0x28;

/** The 60 bytes that hold a block map, an extent tree, a short link's target or inline data. */
export const blockArea = ({ bytes }: Inode): Uint8Array => bytes.subarray(blockAreaAt, blockAreaAt + 60);

const types: Readonly<Record<number, EntryType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

export const typeOf = ({ mode }: Inode): EntryType => types[mode >> 12] ?? 'unknown';
export const hasFlag = ({ flags }: Inode, flag: number): boolean => (flags & flag) !== 0;

const windowSize = 64 * 1024;
const keptWindows = 64;

export interface InodeTable {
  /** Throws FormatError for a number that is none, ReadError where it cannot be read. */
  read(number: number): Inode;
  isAllocated(number: number): boolean;
  /** True when it is known to hold nothing: neither mode nor time of change. Cheaper than reading it. */
  isBlank(number: number): boolean;
}

/** Reads through windows of the inode tables: neighbours are mostly wanted next. */
export function openInodeTable(layout: Layout, tellsUnused: boolean): InodeTable {
  const { volume, superblock, blockSize } = layout;
  const { inodeSize, inodesPerGroup, inodeCount } = superblock;
  const windows = new Map<number, Uint8Array>();
  const bitmaps = new Map<number, Uint8Array | null>();
  const window = (start: number): Uint8Array => {
    const known = windows.get(start);
    if (known !== undefined) return known;
    const bytes = volume.read(start, windowSize);
    if (windows.size >= keptWindows) windows.delete(windows.keys().next().value as number);
    windows.set(start, bytes);
    return bytes;
  };
  const bitmapOf = (group: number): Uint8Array | null => {
    const known = bitmaps.get(group);
    if (known !== undefined) return known;
    const descriptor = layout.group(group);
    const unused = descriptor === null || (tellsUnused && (descriptor.flags & 1) !== 0);
    const bytes = unused ? null : volume.read(descriptor.inodeBitmap * blockSize, Math.ceil(inodesPerGroup / 8));
    if (bitmaps.size >= keptWindows) bitmaps.delete(bitmaps.keys().next().value as number);
    bitmaps.set(group, bytes);
    return bytes;
  };
  return {
    read(number) {
      if (number < 1 || number > inodeCount) throw new FormatError('ext.inode-number', `inode ${number}, expected 1 to ${inodeCount}`);
      const group = layout.group(Math.floor((number - 1) / inodesPerGroup));
      if (group === null) throw new FormatError('ext.group', `inode ${number}: its group cannot be read`);
      const offset = group.inodeTable * blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
      const start = offset - (offset % windowSize); // inode sizes divide the window's size, tables begin at blocks
      const bytes = window(start).subarray(offset - start, offset - start + inodeSize);
      if (bytes.length < inodeSize) throw new FormatError('ext.truncated', `inode ${number} at byte ${offset}: the volume ends within it`);
      return decodeInode(bytes, number);
    },
    isAllocated(number) {
      const bitmap = bitmapOf(Math.floor((number - 1) / inodesPerGroup));
      const bit = (number - 1) % inodesPerGroup;
      return bitmap !== null && (((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
    },
    isBlank(number) {
      const group = layout.group(Math.floor((number - 1) / inodesPerGroup));
      if (group === null) return false;
      const offset = group.inodeTable * blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
      const start = offset - (offset % windowSize);
      const bytes = windows.get(start); // not read for this alone: that it cannot be read is told by `read`
      const at = offset - start;
      return (
        bytes !== undefined &&
        at + 16 <= bytes.length &&
        (bytes[at]! | bytes[at + 1]!) === 0 &&
        bytes[at + 12]! + bytes[at + 13]! + bytes[at + 14]! + bytes[at + 15]! === 0
      );
    },
  };
}

const perSecond = 1_000_000_000n;

/** Seconds since 1970, signed; the extra field's low two bits extend them, the others count nanoseconds. */
function timeOf(seconds: number, extra: number | null): ExactTime {
  if (extra === null) return { ns: BigInt(seconds) * perSecond, resolutionNs: 1_000_000_000, zone: 'utc' };
  const ns = Math.min(extra >>> 2, 999_999_999);
  return { ns: BigInt(seconds + (extra & 3) * 0x1_0000_0000) * perSecond + BigInt(ns), resolutionNs: 1, zone: 'utc' };
}

/** A deletion time of zero is none; for inodes on the orphan list the field holds a number of an inode instead, as small as those are. */
export function timesOf(inode: Inode, inodeCount: number): EntryTime[] {
  const times: EntryTime[] = [
    { kind: 'modified', time: timeOf(inode.modified, inode.modifiedExtra) },
    { kind: 'accessed', time: timeOf(inode.accessed, inode.accessedExtra) },
    { kind: 'changed', time: timeOf(inode.changed, inode.changedExtra) },
  ];
  if (inode.created !== null) times.push({ kind: 'created', time: timeOf(inode.created, inode.createdExtra) });
  if (inode.deleted > inodeCount) times.push({ kind: 'deleted', time: timeOf(inode.deleted, null) });
  return times;
}

/** Where attributes may begin in the inode; its end where there is no room for them. */
export const attributeAreaAt = ({ bytes, extraSize }: Inode): number => Math.min(bytes.length, 128 + extraSize);
