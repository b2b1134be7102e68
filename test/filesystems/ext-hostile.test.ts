import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { FormatError } from '../../src/evidence/errors.ts';
import { ext } from '../../src/filesystems/ext.ts';
import { keepProblems } from '../support/problems.ts';
import { cpuMilliseconds, examine, extImage } from './damage.ts';
import { open } from './witness.ts';

const extents = () => extImage('ext-ext4-inline');
const pointers = () => extImage('ext-ext2-indirect');

function contentOf(bytes: Uint8Array, path: string) {
  const { fileSystem, problems, at } = examine(bytes);
  const begun = cpuMilliseconds();
  const content = fileSystem.content(at(path)!.address);
  const head = content.read(0, 1 << 16);
  expect(cpuMilliseconds() - begun).toBeLessThan(1000);
  return { content, head, problems };
}

describe('ext4 extent trees (ifork.rst)', () => {
  // comb.bin has two leaves below the inode: header at 0x28, index entries from 0x34, each with the leaf's block at +4
  const leafBlock = (image: ReturnType<typeof extents>) => image.view.getUint32(image.inodeOf('comb.bin') + 0x34 + 4, true);

  it('reads no node twice', () => {
    const image = extents();
    const inode = image.inodeOf('comb.bin');
    image.view.setUint32(inode + 0x34 + 12 + 4, leafBlock(image), true);
    expect(contentOf(image.bytes, 'comb.bin').problems.codes()).toEqual(['ext.map-cycle']);
  });

  it('does not follow a node that leads to itself', () => {
    const image = extents();
    const node = leafBlock(image) * image.blockSize;
    image.view.setUint16(node + 6, 1, true);
    image.view.setUint32(node + 12 + 4, node / image.blockSize, true);
    const { problems } = contentOf(image.bytes, 'comb.bin');
    expect(problems.codes()).toEqual(['ext.extent-depth']);
  });

  it.each([
    ['a depth of 6', 6, 6, 'ext.extent-depth'],
    ['a depth of 65535', 6, 0xffff, 'ext.extent-depth'],
    ['another signature', 0, 0x1234, 'ext.extent-magic'],
    ['more entries than there is room for', 2, 0xffff, 'ext.extent-count'],
  ])('tells of %s', (_, at, value, code) => {
    const image = extents();
    image.view.setUint16(image.inodeOf('comb.bin') + 0x28 + at, value, true);
    expect(contentOf(image.bytes, 'comb.bin').problems.codes()).toContain(code);
  });

  it.each([
    ['behind the volume', 0x00ff_ffff],
    ['of block 0', 0],
  ])('leaves out an extent %s', (_, block) => {
    const image = extents();
    image.view.setUint32(image.inodeOf('Documents/numbers.txt') + 0x28 + 12 + 8, block, true);
    const { content, head, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(300_001);
    expect(head.every((byte) => byte === 0)).toBe(true);
    expect(problems.all).toMatchObject([{ code: 'ext.block-range', hidesEvidence: true }]);
  });

  it('takes extents in ascending order only', () => {
    const image = extents();
    const node = leafBlock(image) * image.blockSize;
    image.view.setUint32(node + 12 + 12, 0, true); // the second extent begins at logical block 0 as the first
    expect(contentOf(image.bytes, 'comb.bin').problems.codes()).toEqual(['ext.map-order']);
  });
});

describe('ext2 block maps (blockmap.rst)', () => {
  it('ends an indirect block that leads to itself', () => {
    const image = pointers();
    const inode = image.inodeOf('Documents/numbers.txt');
    const double = image.view.getUint32(inode + 0x28 + 13 * 4, true);
    image.view.setUint32(double * image.blockSize, double, true);
    expect(contentOf(image.bytes, 'Documents/numbers.txt').problems.codes()).toContain('ext.map-cycle');
  });

  it.each([12, 13, 14])('tells of pointer %i behind the volume', (pointer) => {
    const image = pointers();
    image.view.setUint32(image.inodeOf('Documents/numbers.txt') + 0x28 + pointer * 4, 0xffff_fff0, true);
    expect(contentOf(image.bytes, 'Documents/numbers.txt').problems.codes()).toEqual(['ext.block-range']);
  });

  it('gives a file that claims 2^62 bytes up to a limit, and says so', () => {
    const image = pointers();
    image.view.setUint32(image.inodeOf('Documents/numbers.txt') + 0x6c, 0x4000_0000, true);
    const { content, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(293 * 1024); // 300,001 bytes lie in 293 blocks of 1 KiB
    expect(problems.codes()).toEqual(['ext.size']);
  });
});

describe('ext directories (directory.rst)', () => {
  it.each([
    ['its parent', ''],
    ['itself', 'Documents'],
  ])('lists a directory once that stands below itself: %s', (_, above) => {
    const image = pointers();
    image.view.setUint32(image.recordOf('Documents', 'notes'), image.numberOf(above), true);
    const { problems, entries } = examine(image.bytes);
    expect(problems.codes()).toContain('ext.directory-cycle');
    expect(entries.filter(({ path }) => path.endsWith('numbers.txt')).length).toBe(1);
  });

  it.each([
    ['0', 0],
    ['7', 7],
    ['more than the block', 0x4000],
  ])('ends a block at a record of length %s', (_, length) => {
    const image = pointers();
    image.view.setUint16(image.recordOf('many', 'file-120.txt') + 4, length, true);
    const { problems, entries } = examine(image.bytes);
    expect(problems.codes()).toContain('ext.directory-record');
    expect(entries.some(({ path }) => path === 'many/file-119.txt')).toBe(true);
    expect(entries.some(({ path }) => path === 'many/file-219.txt')).toBe(true); // in another block
  });

  it('tells of an inode that the volume has not, and of a name that does not fit', () => {
    const image = pointers();
    image.view.setUint32(image.recordOf('many', 'file-120.txt'), 0xffff_ffff, true);
    image.bytes[image.recordOf('many', 'file-121.txt') + 6] = 255;
    const { problems } = examine(image.bytes);
    expect(problems.all.filter(({ code }) => code === 'ext.directory-record').length).toBe(2);
  });

  it('lists a name `..` that stands in the midst', () => {
    const image = pointers();
    const record = image.recordOf('many', 'file-120.txt');
    image.bytes[record + 6] = 2;
    image.bytes.set(Buffer.from('..'), record + 8);
    expect(examine(image.bytes).at('many/\u2024\u2024')?.name.raw).toBe('2e2e');
  });

  it.each([
    ['NUL', 'file\x00120.txt', 'file\u2400120.txt'],
    ['a slash', 'file/120.txt', 'file\u2215120.txt'],
    ['bytes that are no UTF-8', 'file\xff120.txt', 'file\ufffd120.txt'],
  ])('shows %s in a name, with its bytes', (_, name, text) => {
    const image = pointers();
    const bytes = Buffer.from(name, 'latin1');
    image.bytes.set(bytes, image.recordOf('many', 'file-120.txt') + 8);
    expect(examine(image.bytes).at(`many/${text}`)?.name).toEqual({ text, raw: bytes.toString('hex') });
  });

  it('keeps a right-to-left override, and replaces an encoded surrogate', () => {
    const image = pointers();
    const record = image.recordOf('many', 'file-120.txt');
    image.bytes.set(Buffer.from('a\u202egpjs.exe', 'utf8'), record + 8); // 12 bytes
    expect(examine(image.bytes).at('many/a\u202egpjs.exe')?.name).toEqual({ text: 'a\u202egpjs.exe' });
    image.bytes.set(Buffer.from('ab\xed\xa0\x80cdefghi', 'latin1'), record + 8); // UTF-8 of U+D800: three bytes that are none
    expect(examine(image.bytes).at('many/ab\ufffd\ufffd\ufffdcdefghi')?.name.raw).toBe('6162eda080636465666768 69'.replace(' ', ''));
  });

  it('does not need the hash tree', () => {
    // dx_root: its entries are block numbers, count and limit at 0x20; all lead back to block 0
    const image = extents();
    const block = image.view.getUint32(image.inodeOf('many') + 0x28 + 12 + 8, true) * image.blockSize;
    const before = examine(image.bytes.slice()).entries.map(({ path }) => path);
    for (let entry = 0; entry < 8; entry++) image.view.setUint32(block + 0x20 + 4 + entry * 8, 0, true);
    expect(examine(image.bytes).entries.map(({ path }) => path)).toEqual(before);
  });

  it('stops where all directories together have more blocks than the volume', () => {
    const image = extents();
    // the extent of `many` made as long as an extent can be, again and again over the same blocks: 4 x 8000 of 8192 blocks
    const inode = image.inodeOf('many');
    image.view.setUint16(inode + 0x28 + 2, 4, true);
    for (let extent = 0; extent < 4; extent++) {
      image.view.setUint32(inode + 0x34 + extent * 12, extent * 8000, true);
      image.view.setUint16(inode + 0x34 + extent * 12 + 4, 8000, true);
      image.view.setUint32(inode + 0x34 + extent * 12 + 8, 100, true);
    }
    image.view.setUint32(inode + 4, 0x7fff_ffff, true);
    expect(examine(image.bytes).problems.codes()).toContain('ext.directory-blocks');
  });
});

/** What a small volume may give at most: a name takes 12 bytes, an inode 128 (directory.rst, inodes.rst). */
function entriesOf(bytes: Uint8Array, most: number) {
  const problems = keepProblems();
  let count = 0;
  for (const _ of ext.open(memorySource(bytes), problems).entries()) if (++count > most) break;
  return { count, problems };
}

it('lists no block of a directory more often than the volume has blocks, whatever it claims to have', () => {
  const image = pointers();
  const blocks = image.bytes.length / image.blockSize;
  image.view.setUint32(image.superblock + 0x04, 0xff_ffff, true);
  // the map of `many`: a double indirect block, 64 indirect ones, all their pointers to its first block
  const inode = image.inodeOf('many');
  const first = image.view.getUint32(inode + 0x28, true);
  const outer = blocks - 65;
  image.view.setUint32(inode + 4, 0x7fff_ffff, true);
  image.view.setUint32(inode + 0x28 + 13 * 4, outer, true);
  for (let index = 0; index < 64; index++) {
    image.view.setUint32(outer * image.blockSize + index * 4, outer + 1 + index, true);
    for (let at = 0; at < 256; at++) image.view.setUint32((outer + 1 + index) * image.blockSize + at * 4, first, true);
  }
  const { count, problems } = entriesOf(image.bytes, image.bytes.length / 12);
  expect(problems.codes()).toContain('ext.directory-blocks');
  expect(count).toBeLessThan(image.bytes.length / 12);
});

it('lists no more inodes than the volume has room for where the tables of many groups are one and the same', () => {
  const image = pointers();
  const perGroup = image.view.getUint32(image.superblock + 0x28, true);
  const groups = 1025;
  const table = image.bytes.length / image.blockSize - 2048; // out of the way of the descriptors
  image.bytes[image.superblock + 0x174] = 10; // flexible groups of 1,024: those behind the end of the volume count
  image.view.setUint32(image.superblock + 0x00, perGroup * groups, true);
  image.view.setUint32(image.superblock + 0x04, image.view.getUint32(image.superblock + 0x20, true) * groups + 1, true);
  for (let group = 0; group < groups; group++) {
    for (const [field, block] of [table - 1, table - 1, table].entries()) image.view.setUint32(2048 + group * 32 + field * 4, block, true);
  }
  const inodeSize = image.view.getUint16(image.superblock + 0x58, true);
  for (let index = 0; index < perGroup; index++) {
    image.view.setUint16(table * image.blockSize + index * inodeSize, 0o100644, true);
    image.view.setUint32(table * image.blockSize + index * inodeSize + 0x0c, 1_700_000_000, true);
  }
  const room = image.bytes.length / inodeSize;
  const { count, problems } = entriesOf(image.bytes, room + 1);
  expect(problems.all.some(({ message }) => message.includes(`room for ${room}`))).toBe(true);
  expect(count).toBeLessThanOrEqual(room);
});

describe('ext inodes (inodes.rst)', () => {
  it('lists a named inode of zeros, and its name', () => {
    const image = pointers();
    const inode = image.inodeOf('hello.txt');
    image.bytes.fill(0, inode, inode + 128);
    const { at, fileSystem } = examine(image.bytes);
    expect(at('hello.txt')).toMatchObject({ type: 'unknown', size: 0, nameAllocated: true });
    expect(fileSystem.content(at('hello.txt')!.address).size).toBe(0);
  });

  it('tells of a name whose inode is free', () => {
    const image = pointers();
    const number = image.numberOf('hello.txt');
    // group descriptor of group 0 at block 2, byte 4: block of the bitmap of inodes
    image.view.setUint8(image.view.getUint32(2048 + 4, true) * 1024 + ((number - 1) >> 3), 0);
    const { problems, at } = examine(image.bytes);
    expect(problems.codes()).toContain('ext.unallocated-inode');
    expect(at('hello.txt')).toMatchObject({ nameAllocated: true, metadataAllocated: false });
  });

  it('survives inodes of nothing but ones', () => {
    for (const make of [pointers, extents]) {
      const image = make();
      const inode = image.inodeOf('Documents/numbers.txt');
      image.bytes.fill(0xff, inode, inode + 128);
      const { fileSystem, at } = examine(image.bytes);
      expect(at('Documents/numbers.txt')?.type).toBe('unknown');
      fileSystem.content(at('Documents/numbers.txt')!.address).read(0, 4096);
    }
  });

  it('does not take values of attributes that together are larger than their block', () => {
    const image = extents();
    const block = image.view.getUint32(image.inodeOf('Documents/numbers.txt') + 0x68, true) * image.blockSize;
    // attributes.rst: 32 bytes of header, then entries: length of the name, index 1 (user.), offset, inode, size, hash
    image.bytes.fill(0, block + 32, block + 1024);
    for (let entry = 0; entry < 8; entry++) {
      const at = block + 32 + entry * 20;
      image.bytes.set([1, 1], at);
      image.view.setUint16(at + 2, 24, true);
      image.view.setUint32(at + 8, 900, true);
      image.bytes.set(Buffer.from(String.fromCharCode(97 + entry)), at + 16);
    }
    const { at, problems } = examine(image.bytes);
    expect(at('Documents/numbers.txt')?.attributes?.map(({ name }) => name)).toEqual(['user.a']);
    expect(problems.codes()).toEqual(['ext.attribute']);
  });
});

describe('ext superblocks (super.rst)', () => {
  it.each([
    ['blocks of 1 KiB << 7', 0x18, 7],
    ['blocks of 1 KiB << 4294967295', 0x18, 0xffff_ffff],
    ['groups of no blocks', 0x20, 0],
    ['groups of no inodes', 0x28, 0],
    ['no inodes', 0x00, 0],
    ['no blocks', 0x04, 0],
    ['more inodes than its groups have', 0x00, 0xffff_ffff],
  ])('uses the copy in group 1 where the first has %s', (_, at, value) => {
    // blocks of 1 KiB: group 1 begins at block 8193 (blockgroup.rst); 12 MiB are needed for two groups, the fixture has one
    const image = pointers();
    image.view.setUint32(image.superblock + at, value, true);
    expect(ext.recognises(memorySource(image.bytes))).toBe(false);
    expect(() => ext.open(memorySource(image.bytes), keepProblems())).toThrow(FormatError);
  });

  it('lists what is there where the superblock claims a volume of 4 PiB with all the inodes that there can be', () => {
    const image = pointers();
    image.view.setUint32(image.superblock + 0x00, 0xffff_ffff, true);
    image.view.setUint32(image.superblock + 0x04, 0xffff_ffff, true);
    image.view.setUint32(image.superblock + 0x28, 8192, true); // 524,288 groups of 8,192 blocks and inodes
    const { problems, entries } = examine(image.bytes);
    expect(problems.codes()).toContain('ext.truncated');
    expect(problems.all.length).toBeLessThan(300);
    expect(entries.some(({ path }) => path === 'hello.txt')).toBe(true);
    let free = 0;
    for (const { length } of open(memorySource(image.bytes)).fileSystem.unallocated()) free += length;
    expect(free).toBeLessThan(image.bytes.length);
  });

  it('tells of features that it does not know, and of a journal that was not replayed', () => {
    const image = pointers();
    image.view.setUint32(image.superblock + 0x60, 0x4000_0006 | 0, true); // recover, and one that is none today
    expect(examine(image.bytes).problems.codes()).toEqual(expect.arrayContaining(['ext.journal', 'ext.unknown-feature']));
  });

  it('tells of a checksum that does not fit', () => {
    const image = extents();
    image.bytes[image.superblock + 0x78] = 0x58; // a letter of the label
    const { problems, fileSystem } = examine(image.bytes);
    expect(problems.codes()).toEqual(['ext.superblock-checksum']);
    expect(fileSystem.facts.label).toBe('Xourth');
  });

  it('tells of a group whose descriptor points outside the volume', () => {
    const image = pointers();
    image.view.setUint32(2048 + 8, 0xffff_ff00, true);
    // the group, and the root directory in it
    expect(examine(image.bytes).problems.all).toMatchObject([
      { code: 'ext.group', hidesEvidence: true, at: 2048 },
      { code: 'ext.group', hidesEvidence: true, address: '2', message: 'inode 2: its group cannot be read' },
    ]);
  });
});
