/** Extended attributes, and the inline data that is kept as one. Spec: Linux Documentation/filesystems/ext4/attributes.rst. */
import { u8, u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { latin1 } from '../../bytes/text.ts';
import { FormatError, ReadError } from '../../evidence/errors.ts';
import { type EntryAttribute } from '../../evidence/file-system.ts';
import { attributeAreaAt, type Inode } from './inode.ts';
import { type Layout } from './layout.ts';
import { type Tell } from './tell.ts';

const magic = 0xea02_0000;
const entryHeaderSize = 16;
const largestValue = 64 * 1024;
/** All values of one inode that lie in inodes of their own. */
const largestOutside = 256 * 1024;

const prefixes: Readonly<Record<number, string>> = {
  0: '',
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
};

/** Content of an inode that holds one large value. */
export type ReadValueInode = (number: number, size: number) => Uint8Array;

/** From the inode and from its attribute block. `system.data` (inline content) is among them. */
export function readAttributes(layout: Layout, inode: Inode, readValueInode: ReadValueInode, tell: Tell): EntryAttribute[] {
  const found: EntryAttribute[] = [];
  const { attributeBlock, bytes, view } = inode;
  const at = attributeAreaAt(inode);
  if (at + 4 <= bytes.length && u32(view, at) === magic) {
    const area = bytes.subarray(at + 4);
    found.push(...decode(area, 0, area, readValueInode, tell));
  }
  if (attributeBlock === 0) return found;
  if (attributeBlock >= layout.superblock.blockCount) {
    tell('ext.attribute-block', `attribute block ${attributeBlock}, the volume has ${layout.superblock.blockCount}`);
    return found;
  }
  try {
    const block = layout.volume.read(attributeBlock * layout.blockSize, layout.blockSize);
    if (block.length < 32 || u32(viewOf(block), 0) !== magic)
      tell('ext.attribute-block', `attribute block ${attributeBlock}: its signature is not ea020000`);
    else found.push(...decode(block, 32, block, readValueInode, tell));
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    tell('read.bad-sector', `attribute block ${attributeBlock}: ${error.message}`);
  }
  return found;
}

/** Entries from `start` on, until four zero bytes; values lie at offsets counted from `base`. Every entry takes at least 16 bytes. */
function decode(area: Uint8Array, start: number, base: Uint8Array, readValueInode: ReadValueInode, tell: Tell): EntryAttribute[] {
  const found: EntryAttribute[] = [];
  const view = viewOf(area);
  let room = base.length; // values do not overlap: together they are no larger than where they lie
  let roomOutside = largestOutside;
  for (let at = start; at + 4 <= area.length && u32(view, at) !== 0; ) {
    if (at + entryHeaderSize > area.length) break;
    const nameLength = u8(view, at);
    const [valueOffset, valueInode, valueSize] = [u16(view, at + 2), u32(view, at + 4), u32(view, at + 8)];
    if (at + entryHeaderSize + nameLength > area.length) {
      tell('ext.attribute', `attribute at byte ${at}: its name runs past the end`);
      break;
    }
    const index = u8(view, at + 1);
    const name = (prefixes[index] ?? `${index}.`) + latin1(area.subarray(at + entryHeaderSize, at + entryHeaderSize + nameLength));
    if (valueInode === 0) room -= valueSize;
    else roomOutside -= valueSize;
    const value = room >= 0 && roomOutside >= 0 ? valueAt(base, valueOffset, valueInode, valueSize, readValueInode) : null;
    if (value === null) tell('ext.attribute', `attribute ${name}: ${valueSize} bytes at ${valueOffset} do not lie within its area`);
    else found.push({ name, value });
    at += (entryHeaderSize + nameLength + 3) & ~3;
  }
  return found;
}

function valueAt(base: Uint8Array, offset: number, inode: number, size: number, readValueInode: ReadValueInode): Uint8Array | null {
  if (inode === 0) return offset + size <= base.length ? base.slice(offset, offset + size) : null;
  try {
    return size <= largestValue ? readValueInode(inode, size) : null;
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof ReadError)) throw error;
    return null;
  }
}
