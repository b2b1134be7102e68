/** Directory entries, live ones and those left in the slack behind them. Spec: Linux Documentation/filesystems/ext4/directory.rst. */

import { entryName } from '../../bytes/entry-name.ts';
import { u8, u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { type FoundName, nameFromUtf8 } from '../../bytes/text.ts';
import { type EntryType } from '../../evidence/file-system.ts';
import { type Tell } from './tell.ts';

export interface Name {
  readonly inode: number;
  readonly name: FoundName;
  readonly type: EntryType;
  readonly live: boolean;
  /** Byte offset in the directory's content. */
  readonly offset: number;
}

const types: readonly EntryType[] = ['unknown', 'file', 'directory', 'character-device', 'block-device', 'fifo', 'socket', 'symlink'];
const headerSize = 8;

/** Name as bytes: equal names need not be decoded twice. */
const isDot = (name: Uint8Array): boolean => name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));

export interface BlockOptions {
  /** Offset of the block in the directory's content. */
  readonly start: number;
  readonly inodeCount: number;
  /** The first block of a hash-tree directory keeps its index in the slack behind `..`. */
  readonly hasIndex: boolean;
}

/** The names in one block. Each record takes at least 8 bytes; one that does not fit ends the block, with a problem. */
export function* namesIn(bytes: Uint8Array, options: BlockOptions, tell: Tell): Iterable<Name> {
  const { start, inodeCount, hasIndex } = options;
  const view = viewOf(bytes);
  let dots = start === 0 ? 2 : 0; // `.` and `..` stand first; elsewhere they are names like others, and hide something
  for (let at = 0; at + headerSize <= bytes.length; dots--) {
    const inode = u32(view, at);
    const length = recordLength(u16(view, at + 4), bytes.length);
    const nameLength = u8(view, at + 6);
    if (length < headerSize || length % 4 !== 0 || at + length > bytes.length) {
      tell(
        'ext.directory-record',
        `record at byte ${start + at}: length ${length}, expected 8 to ${bytes.length - at}; the rest of the block is not read`,
      );
      return;
    }
    if (inode !== 0 && headerSize + nameLength > length) {
      tell('ext.directory-record', `record at byte ${start + at}: a name of ${nameLength} bytes in a record of ${length}`);
    } else if (inode > inodeCount) {
      tell('ext.directory-record', `record at byte ${start + at}: inode ${inode}, the volume has ${inodeCount}`);
    } else if (inode !== 0) {
      const name = bytes.subarray(at + headerSize, at + headerSize + nameLength);
      if (dots <= 0 || !isDot(name)) yield nameOf(view, at, name, true, start);
    }
    const used = inode === 0 ? 0 : headerSize + ((nameLength + 3) & ~3);
    const isTail = inode === 0 && length === 12 && u8(view, at + 7) === 0xde; // the checksum at the end of a block
    const isTreeNode = inode === 0 && at === 0 && length === bytes.length && hasTreeNode(view);
    const isIndex = hasIndex && start === 0 && used < length && at > 0 && at + length === bytes.length;
    if (!isTail && !isTreeNode && !isIndex) yield* deletedNames(bytes, view, at + used, at + length, options);
    at += length;
  }
}

/** Does the block begin with `.`, of this inode? */
export function namesItself(bytes: Uint8Array, inode: number): boolean {
  if (bytes.length < headerSize + 4) return false;
  return u32(viewOf(bytes), 0) === inode && bytes[6] === 1 && bytes[headerSize] === 0x2e;
}

/** 64 KiB does not fit into 16 bits: blocks of that size write 65,535 or 0 for it. */
const recordLength = (stored: number, blockSize: number): number =>
  blockSize === 65_536 && (stored === 65_535 || stored === 0) ? 65_536 : stored;

/** `struct dx_node`: behind the empty record stand limit and count of the index entries. */
const hasTreeNode = (view: DataView): boolean => {
  const [limit, count] = [u16(view, 8), u16(view, 10)];
  const most = Math.floor((view.byteLength - 8) / 8);
  return count > 0 && count <= limit && (limit === most || limit === most - 1);
};

const nameOf = (view: DataView, at: number, name: Uint8Array, live: boolean, start: number): Name => ({
  inode: u32(view, at),
  name: entryName(nameFromUtf8(name), name),
  type: types[u8(view, at + 7) & 7] ?? 'unknown',
  live,
  offset: start + at,
});

/** What looks like a record between `from` and `to`: names that were deleted. Steps are of 4 bytes, as records lie. */
function* deletedNames(bytes: Uint8Array, view: DataView, from: number, to: number, { start, inodeCount }: BlockOptions): Iterable<Name> {
  for (let at = from; at + headerSize + 1 <= to; ) {
    const nameLength = u8(view, at + 6);
    const end = at + headerSize + nameLength;
    if (nameLength === 0 || end > to || !isPlausible(view, at, nameLength, to, inodeCount)) {
      at += 4;
      continue;
    }
    const name = bytes.subarray(at + headerSize, end);
    if (name.some((byte) => byte === 0 || byte === 0x2f || byte < 0x20) || isDot(name)) {
      at += 4;
      continue;
    }
    yield nameOf(view, at, name, false, start);
    at += (headerSize + nameLength + 3) & ~3;
  }
}

function isPlausible(view: DataView, at: number, nameLength: number, to: number, inodeCount: number): boolean {
  const [inode, length, type] = [u32(view, at), u16(view, at + 4), u8(view, at + 7)];
  return inode <= inodeCount && length >= headerSize + nameLength && length % 4 === 0 && at + length <= to + 12 && type <= 7 && type > 0;
}
