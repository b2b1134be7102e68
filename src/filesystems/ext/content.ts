/** Contents: of files, directories, links; by extents, by block map, or inline. */
import { u16, u32 } from '../../bytes/little-endian.ts';
import { type ByteSource, extentSource, memorySource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type EntryAttribute } from '../../evidence/file-system.ts';
import { readAttributes } from './attributes.ts';
import { extentsOf, type Run, runsOf } from './block-map.ts';
import { blockArea, blockAreaAt, hasFlag, type Inode, type InodeTable, inodeFlag, typeOf } from './inode.ts';
import { type Layout } from './layout.ts';
import { type Tell } from './tell.ts';

export interface Reader {
  readonly layout: Layout;
  readonly inodes: InodeTable;
  content(inode: Inode, attributes: readonly EntryAttribute[] | null, tell: Tell): ByteSource;
  attributes(inode: Inode, tell: Tell): EntryAttribute[];
  /** Blocks of a directory in order (`only`: those that start at these bytes of it), those that cannot be read left out with a problem. */
  directoryBlocks(inode: Inode, tell: Tell, only?: ReadonlySet<number>): Iterable<{ bytes: Uint8Array; start: number; hasIndex: boolean }>;
  firstOffset(inode: Inode): number | null;
}

/** Holes are given out as zeros up to so many times the size of the volume, and up to so many bytes in any case: no file claims more in earnest. */
const sparseTimes = 8;
const sparseBytes = 1024 ** 3;

export function createReader(layout: Layout, inodes: InodeTable): Reader {
  const { volume, blockSize } = layout;
  const quiet: Tell = () => undefined;

  const readValueInode = (number: number, size: number): Uint8Array => {
    const inode = inodes.read(number);
    return extentSource(volume, extentsOf(runsOf(layout, inode, quiet), blockSize, size), size).read(0, size);
  };
  const attributes = (inode: Inode, tell: Tell) => readAttributes(layout, inode, readValueInode, tell);

  function inlineContent(inode: Inode, known: readonly EntryAttribute[] | null, tell: Tell): ByteSource {
    const rest = (known ?? attributes(inode, tell)).find(({ name }) => name === 'system.data')?.value ?? new Uint8Array(0);
    const bytes = Buffer.concat([blockArea(inode), rest]);
    if (bytes.length < inode.size) tell('ext.inline-size', `${inode.size} bytes claimed, ${bytes.length} lie in the inode`);
    return memorySource(bytes.subarray(0, Math.min(bytes.length, inode.size)));
  }

  /** What is mapped, cut where the claim is beyond all reason. */
  function mappedSize(inode: Inode, runs: readonly Run[], tell: Tell): number {
    const last = runs.at(-1);
    const mapped = last === undefined ? 0 : (last.logical + last.count) * blockSize;
    const most = Math.max(volume.size * sparseTimes, sparseBytes);
    if (inode.size <= most) return inode.size;
    const size = Math.min(mapped, most);
    tell(
      'ext.size',
      `${inode.size} bytes claimed, the last mapped block ends at ${mapped} and the volume has ${volume.size}; content ends at ${size}`,
    );
    return size;
  }

  return {
    layout,
    inodes,
    attributes,
    content(inode, known, tell) {
      if (hasFlag(inode, inodeFlag.encrypted)) tell('ext.encrypted', 'its content is encrypted: given as it is stored');
      if (hasFlag(inode, inodeFlag.inlineData)) return inlineContent(inode, known, tell);
      if (typeOf(inode) === 'symlink' && isShortLink(inode)) return memorySource(blockArea(inode).slice(0, inode.size));
      const runs = runsOf(layout, inode, tell);
      const size = mappedSize(inode, runs, tell);
      return extentSource(volume, extentsOf(runs, blockSize, size), size);
    },
    *directoryBlocks(inode, tell, only) {
      if (hasFlag(inode, inodeFlag.inlineData)) {
        // the first four bytes are the parent's inode; entries follow, and go on in the attribute
        const content = inlineContent(inode, null, tell);
        if (only?.has(4) !== false) yield { bytes: content.read(4, 56), start: 4, hasIndex: false };
        if (content.size > 60 && only?.has(60) !== false) yield { bytes: content.read(60, content.size - 60), start: 60, hasIndex: false };
        return;
      }
      const indexed = hasFlag(inode, inodeFlag.indexed);
      for (const { logical, block, count } of runsOf(layout, inode, tell)) {
        for (let index = 0; block !== null && index < count; index++) {
          const start = (logical + index) * blockSize;
          if (start >= inode.size) break;
          if (only?.has(start) === false) continue;
          const bytes = readBlock(volume, (block + index) * blockSize, blockSize, tell);
          if (bytes !== null) yield { bytes, start, hasIndex: indexed };
        }
      }
    },
    firstOffset(inode) {
      if (hasFlag(inode, inodeFlag.inlineData) || inode.size === 0) return null;
      const first = firstBlock(inode);
      return first === null || first >= layout.superblock.blockCount ? null : first * blockSize;
    },
  };
}

/** Links shorter than the area of the block map stand in it, unless blocks are mapped there. */
const isShortLink = (inode: Inode): boolean => inode.size < 60 && !hasFlag(inode, inodeFlag.extents);

/** Of the first mapped block, for reading in disk order: right for a leaf in the inode, near enough for deeper trees. */
function firstBlock(inode: Inode): number | null {
  const { view } = inode;
  if (hasFlag(inode, inodeFlag.extents)) {
    if (u16(view, blockAreaAt + 2) === 0) return null;
    const isDeep = u16(view, blockAreaAt + 6) > 0;
    const [low, high] = isDeep ? [16, 20] : [20, 18];
    return u16(view, blockAreaAt + high) * 0x1_0000_0000 + u32(view, blockAreaAt + low);
  }
  for (let at = 0; at < 60; at += 4) if (u32(view, blockAreaAt + at) !== 0) return u32(view, blockAreaAt + at);
  return null;
}

function readBlock(volume: ByteSource, offset: number, length: number, tell: Tell): Uint8Array | null {
  try {
    const bytes = volume.read(offset, length);
    if (bytes.length === length) return bytes;
    tell('ext.truncated', `directory block at byte ${offset}: the volume ends before it`, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    tell('read.bad-sector', `directory block: ${error.message}`, offset);
  }
  return null;
}
