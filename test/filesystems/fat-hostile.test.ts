import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { FormatError } from '../../src/evidence/errors.ts';
import { fat } from '../../src/filesystems/fat.ts';
import { fixture } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { cpuMilliseconds, examine, fat16Image } from './damage.ts';
import { open } from './witness.ts';

const good = () => fat16Image('fat-fat16-fragmented');

function contentOf(bytes: Uint8Array, path: string) {
  const { fileSystem, problems, at } = examine(bytes);
  const begun = cpuMilliseconds();
  const content = fileSystem.content(at(path)!.address);
  const read = content.read(0, content.size);
  expect(cpuMilliseconds() - begun).toBeLessThan(1000);
  expect(read.length).toBe(content.size);
  return { content, problems };
}

describe('FAT chains', () => {
  it('cuts a chain that comes back to itself before it repeats', () => {
    const image = good();
    const first = image.firstCluster('Documents/numbers.txt');
    let eleventh = first;
    for (let step = 0; step < 10; step++) eleventh = image.next(eleventh);
    image.setNext(eleventh, image.next(first)); // lead of one cluster, circle of ten
    const { content, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(11 * image.clusterSize);
    expect(problems.codes()).toEqual(['fat.chain-cycle']);
  });

  it('cuts a chain of a cluster that follows itself', () => {
    const image = good();
    const first = image.firstCluster('Documents/numbers.txt');
    image.setNext(first, first);
    const { content, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(image.clusterSize);
    expect(problems.codes()).toEqual(['fat.chain-cycle']);
  });

  it('gives what the chain holds of a file that claims 4 GiB', () => {
    const image = good();
    image.view.setUint32(image.slotAt('Documents/numbers.txt') + 28, 0xffff_ffff, true);
    const { content, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(Math.ceil(300_001 / image.clusterSize) * image.clusterSize);
    expect(problems.codes()).toEqual(['fat.chain-short']);
  });

  it.each([
    ['into a free cluster', 0],
    ['to cluster 1', 1],
    ['behind the volume', 0xfff0],
    ['to a bad cluster', 0xfff7],
  ])('ends a chain that leads %s', (_, next) => {
    const image = good();
    image.setNext(image.firstCluster('Documents/numbers.txt'), next);
    const { content, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(image.clusterSize);
    expect(problems.codes()).toEqual(['fat.chain-broken']);
  });

  it.each([
    ['no cluster', 0, 'fat.no-cluster'],
    ['cluster 1', 1, 'fat.cluster-range'],
    ['a cluster behind the volume', 0xffef, 'fat.cluster-range'],
  ])('gives nothing of a file that begins in %s', (_, cluster, code) => {
    const image = good();
    const { slotAt, view } = image;
    view.setUint16(slotAt('Documents/numbers.txt') + 26, cluster, true);
    const { content, problems } = contentOf(image.bytes, 'Documents/numbers.txt');
    expect(content.size).toBe(0);
    expect(problems.codes()).toEqual([code]);
  });

  it('reads files whose chains run together', () => {
    const image = good();
    image.setFirstCluster('Documents/exact4096.bin', image.firstCluster('Documents/numbers.txt'));
    const { fileSystem, at, problems } = examine(image.bytes);
    const [one, other] = ['Documents/exact4096.bin', 'Documents/numbers.txt'].map((path) => fileSystem.content(at(path)!.address));
    expect(Buffer.from(one!.read(0, 3000)).equals(other!.read(0, 3000))).toBe(true);
    expect(problems.all).toEqual([]);
  });
});

describe('FAT directories', () => {
  it('lists a directory once that lies below itself', () => {
    const image = good();
    image.setFirstCluster('Documents/notes', image.firstCluster('Documents'));
    const { problems, entries } = examine(image.bytes);
    expect(problems.codes()).toEqual(['fat.directory-cycle']);
    expect(entries.filter(({ path }) => path.endsWith('numbers.txt')).length).toBe(1);
  });

  it('ends a directory whose own chain is a circle', () => {
    const image = good();
    const first = image.firstCluster('many');
    image.setNext(image.next(first), first);
    expect(examine(image.bytes).problems.codes()).toContain('fat.directory-cycle');
  });

  it('lists two directories with the same cluster once', () => {
    const image = good();
    image.setFirstCluster('many', image.firstCluster('Documents'));
    expect(examine(image.bytes).problems.codes()).toContain('fat.directory-cycle');
  });

  it('tells of a directory whose first cluster is none', () => {
    const image = good();
    image.setFirstCluster('Documents', 0xffef);
    const { problems } = examine(image.bytes);
    expect(problems.all).toMatchObject([{ code: 'fat.cluster-range', hidesEvidence: true }]);
  });

  it('lists what hides behind a second `..`, and tells when `.` leads elsewhere', () => {
    const image = good();
    const slot = image.slotAt('Documents/notes');
    image.bytes.set(Buffer.from('..         '), slot); // its long name is no longer its own; a directory named `..` in the midst
    const { problems, entries } = examine(image.bytes);
    expect(entries.map(({ path }) => path)).toContain('Documents/\u2024\u2024/todo.txt');
    image.view.setUint16(image.clusterAt(image.firstCluster('Documents')) + 26, image.firstCluster('many'), true);
    expect(examine(image.bytes).problems.codes()).toContain('fat.dot-entry');
    expect(problems.codes()).not.toContain('fat.dot-entry');
  });

  it('goes no deeper than a thousand directories', () => {
    const image = good();
    // each free cluster from 5000 on becomes a directory whose only entry is the next one
    for (let depth = 0; depth < 1500; depth++) {
      const at = image.clusterAt(5000 + depth);
      image.bytes.set(Buffer.from('D          \x10'), at);
      image.view.setUint16(at + 26, 5001 + depth, true);
      image.setNext(5000 + depth, 0xffff);
    }
    image.setFirstCluster('Documents', 5000);
    const { problems, entries } = examine(image.bytes);
    expect(problems.codes()).toContain('fat.depth');
    expect(Math.max(...entries.map(({ path }) => path.split('/').length))).toBeLessThanOrEqual(1002);
  });
});

describe('FAT names', () => {
  /** A long name of 13 units in front of the short name that stands at `slot`. fatgen103, "Long Directory Entries" and "ChkSum()". */
  function withLongName(units: readonly number[]) {
    const image = good();
    const slot = image.slotAt('fragmented.txt'); // the last of the root: behind it is room
    const short = image.bytes.slice(slot, slot + 32);
    let sum = 0;
    for (const byte of short.subarray(0, 11)) sum = ((sum >> 1) + ((sum & 1) << 7) + byte) & 0xff;
    let at = slot + 32;
    while (image.bytes[at] !== 0) at += 32;
    const padded = [...units, 0, ...Array(13).fill(0xffff)].slice(0, 13);
    const places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
    image.bytes.set([0x41], at);
    image.bytes[at + 11] = 0x0f;
    image.bytes[at + 13] = sum;
    for (const [index, place] of places.entries()) image.view.setUint16(at + place, padded[index]!, true);
    image.bytes.set(short, at + 32);
    const address = String((at + 32 - image.root) / 32 + 3);
    return examine(image.bytes).entries.find((entry) => entry.address === address)!.name;
  }
  const unitsOf = (text: string) => [...Array(text.length).keys()].map((at) => text.charCodeAt(at));

  it('keeps a right-to-left override', () => {
    expect(withLongName(unitsOf('a\u202efdp.exe'))).toEqual({ text: 'a\u202efdp.exe' });
  });

  it('keeps characters beyond 16 bits', () => {
    expect(withLongName(unitsOf('x\u{1f600}y'))).toEqual({ text: 'x\u{1f600}y' });
  });

  it('replaces a lone surrogate and keeps its units', () => {
    expect(withLongName([0x61, 0xd800, 0x62])).toEqual({ text: 'a\ufffdb', raw: '610000d86200' });
  });

  it('shows a slash as what it is not, and never `..`', () => {
    expect(withLongName(unitsOf('../etc'))).toEqual({ text: '..\u2215etc', raw: Buffer.from('../etc', 'utf16le').toString('hex') });
    expect(withLongName(unitsOf('..'))).toEqual({ text: '\u2024\u2024', raw: '2e002e00' });
  });

  it('uses the short name where the long one is empty', () => {
    expect(withLongName([0]).text).toMatch(/^FRAGME~1\.TXT$/i);
  });

  it('shows NUL and spaces of a short name', () => {
    const image = good();
    const slot = image.slotAt('fragmented.txt');
    image.bytes.set(Buffer.from('A\0B     TXT'), slot);
    expect(examine(image.bytes).entries.find(({ path }) => path.startsWith('A\u2400B'))?.name).toEqual({
      text: 'A\u2400B.TXT',
      raw: Buffer.from('A\0B     TXT').toString('hex'),
    });
    image.bytes.set(Buffer.from('           '), slot);
    expect(examine(image.bytes).entries.find(({ path }) => path === '\u2420')?.name.raw).toBe('20'.repeat(11));
  });

  it('tells of a long name whose short name has another checksum, and what it was', () => {
    const image = good();
    image.bytes[image.slotAt('Documents/smörgås 漢字.txt')] = 0x58;
    const { problems } = examine(image.bytes);
    expect(problems.codes()).toEqual(['fat.long-name-orphan']);
    expect(problems.all[0]?.message).toContain("'smörgås 漢字.txt'");
  });
});

describe('FAT boot sectors', () => {
  it.each([
    ['sectors of 0 bytes', 11, [0, 0]],
    ['sectors of 3 bytes', 11, [3, 0]],
    ['sectors of 64 KiB', 11, [0, 0x80]],
    ['clusters of 0 sectors', 13, [0]],
    ['clusters of 3 sectors', 13, [3]],
    ['no reserved sectors', 14, [0, 0]],
    ['no table', 16, [0]],
    ['a table of 0 sectors and no wide one', 22, [0, 0]],
    ['an odd medium', 21, [0x12]],
  ])('refuses %s', (_, at, value) => {
    const image = good();
    image.bytes.set(value, at);
    expect(fat.recognises(memorySource(image.bytes))).toBe(false);
    expect(() => fat.open(memorySource(image.bytes), keepProblems())).toThrow(FormatError);
  });

  it('tells when the volume is smaller than it claims', () => {
    const image = good();
    image.view.setUint16(19, 0, true);
    image.view.setUint32(32, 0xffff_ffff, true);
    const { problems } = examine(image.bytes);
    expect(problems.codes()).toContain('fat.truncated');
  });

  it('reads FAT32 by the backup in sector 6', () => {
    // fatgen103: BPB_BkBootSec is 6. Compared with the same volume undamaged
    const source = fixture('fat-fat32-orphans');
    const bytes = source.read(0, source.size);
    const before = open(memorySource(bytes)).entries;
    bytes.fill(0, 0, 512);
    const { entries, problems } = open(memorySource(bytes));
    expect(entries).toEqual(before);
    expect(problems.codes()).toEqual(['fat.boot-sector']);
  });

  it('lists a FAT32 volume that claims more clusters than their numbers have bits', () => {
    // fatgen103, "FAT Data Structure": 28 bits for a cluster. 0x90000000 sectors of one cluster each, a table of 0x1300000 sectors for them
    const source = fixture('fat-fat32-orphans');
    const bytes = source.read(0, source.size);
    const view = new DataView(bytes.buffer);
    bytes[16] = 1; // one table, whose claimed size moves the root directory far behind the end of the volume
    view.setUint16(19, 0, true);
    view.setUint32(32, 0x9000_0000, true);
    view.setUint32(36, 0x130_0000, true);
    bytes[13] = 1;
    const { fileSystem, problems } = open(memorySource(bytes));
    expect(fileSystem.facts.clusterCount).toBeLessThan(2 ** 28);
    expect([...fileSystem.unallocated()]).toEqual([]);
    expect(problems.codes()).toContain('fat.truncated');
  });

  it('ends on a FAT32 root directory that is a circle', () => {
    const source = fixture('fat-fat32-orphans');
    const bytes = source.read(0, source.size);
    const view = new DataView(bytes.buffer);
    const table = view.getUint16(14, true) * 512;
    const root = view.getUint32(44, true);
    view.setUint32(table + root * 4, root, true);
    expect(examine(bytes).problems.codes()).toContain('fat.directory-cycle');
  });
});
