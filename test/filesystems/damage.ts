/** Good volumes of the fixtures, to be damaged on purpose: where things lie is read by the offsets of the specifications. */
import { expect } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { fixture } from '../support/fixture.ts';
import { open } from './witness.ts';

/** Processor time of this process so far: a busy machine does not lengthen it. */
export function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Lists the damaged volume; a second of processor time is far more than it may take. */
export function examine(bytes: Uint8Array) {
  const begun = cpuMilliseconds();
  const listed = open(memorySource(bytes));
  expect(cpuMilliseconds() - begun).toBeLessThan(1000);
  return { ...listed, at: (path: string) => listed.entries.find((entry) => entry.path === path) };
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const bytesOf = (name: string): Uint8Array => {
  const source = fixture(name);
  return source.read(0, source.size);
};

/** FAT16 only. Offsets: fatgen103, "Boot Sector and BPB". */
export function fat16Image(name: string) {
  const bytes = bytesOf(name);
  const view = viewOf(bytes);
  const sector = view.getUint16(11, true);
  const table = view.getUint16(14, true) * sector;
  const root = table + bytes[16]! * view.getUint16(22, true) * sector;
  const data = root + view.getUint16(17, true) * 32;
  const clusterSize = bytes[13]! * sector;
  const image = {
    bytes,
    view,
    root,
    clusterSize,
    clusterAt: (cluster: number) => data + (cluster - 2) * clusterSize,
    /** Where the slot of an entry lies: its address is a count of slots from the root on, from 3. */
    slotAt: (path: string): number => root + (Number(addressOf(bytes, path)) - 3) * 32,
    firstCluster: (path: string): number => view.getUint16(image.slotAt(path) + 26, true),
    next: (cluster: number): number => view.getUint16(table + cluster * 2, true),
    setNext: (cluster: number, value: number) => view.setUint16(table + cluster * 2, value, true),
    setFirstCluster: (path: string, cluster: number) => view.setUint16(image.slotAt(path) + 26, cluster, true),
  };
  return image;
}

const addressOf = (bytes: Uint8Array, path: string): string => {
  const found = open(memorySource(bytes)).entries.find((entry) => entry.path === path);
  if (found === undefined) throw new Error(`no entry ${path}`);
  return found.address;
};

/** Offsets: Linux Documentation/filesystems/ext4: super.rst, group_descr.rst, inodes.rst. Only volumes of one group or of 32-bit descriptors. */
export function extImage(name: string) {
  const bytes = bytesOf(name);
  const view = viewOf(bytes);
  const superblock = 1024;
  const blockSize = 1024 << view.getUint32(superblock + 0x18, true);
  const perGroup = view.getUint32(superblock + 0x28, true);
  const inodeSize = view.getUint16(superblock + 0x58, true);
  const wide = (view.getUint32(superblock + 0x60, true) & 0x80) !== 0;
  const descriptorSize = wide ? view.getUint16(superblock + 0xfe, true) : 32;
  const descriptors = (view.getUint32(superblock + 0x14, true) + 1) * blockSize;
  const image = {
    bytes,
    view,
    superblock,
    blockSize,
    inodeAt(number: number): number {
      const descriptor = descriptors + Math.floor((number - 1) / perGroup) * descriptorSize;
      return view.getUint32(descriptor + 8, true) * blockSize + ((number - 1) % perGroup) * inodeSize;
    },
    numberOf: (path: string): number => (path === '' ? 2 : Number(addressOf(bytes, path).split('-')[0])),
    inodeOf: (path: string): number => image.inodeAt(image.numberOf(path)),
    /** Byte of the directory record with this name, searched in the first block of the directory (ext2: direct block 0; ext4: first extent). */
    recordOf(directory: string, child: string): number {
      const inode = image.inodeOf(directory);
      const extents = (view.getUint32(inode + 0x20, true) & 0x8_0000) !== 0;
      const block = view.getUint32(inode + (extents ? 0x28 + 12 + 8 : 0x28), true) * blockSize;
      for (let at = block; at < block + blockSize; at += view.getUint16(at + 4, true)) {
        if (Buffer.from(bytes.subarray(at + 8, at + 8 + bytes[at + 6]!)).toString('utf8') === child) return at;
      }
      throw new Error(`no record ${child}`);
    },
  };
  return image;
}
