import { describe, expect, it } from 'vitest';
import { type Entry } from '../../src/evidence/file-system.ts';
import { ext } from '../../src/filesystems/ext.ts';
import { findBootSector, geometryOf } from '../../src/filesystems/fat/boot-sector.ts';
import { orphanClusters } from '../../src/filesystems/fat/orphans.ts';
import { openTable } from '../../src/filesystems/fat/table.ts';
import { fat } from '../../src/filesystems/fat.ts';
import { fileSystemContract } from '../contracts/file-system.ts';
import { fixture, fixtureExpected } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { differences, open, otherContents, seconds, type Witnessed } from './witness.ts';

const fatFixtures = ['fat-fat12-deleted', 'fat-fat16-fragmented', 'fat-fat32-orphans'];
const extFixtures = ['ext-ext2-indirect', 'ext-ext3-journal', 'ext-ext4-inline', 'ext-ext4-groups'];
const all = [...fatFixtures, ...extFixtures];

for (const name of fatFixtures) fileSystemContract(fat, name, () => fixture(name));
for (const name of extFixtures) fileSystemContract(ext, name, () => fixture(name));

const isLiveFile = ({ type, nameAllocated }: Entry): boolean => type === 'file' && nameAllocated;

describe.each(all)('%s', (name) => {
  const expected = fixtureExpected(name);

  it('has the content of every file of the source tree', () => {
    // SHA-256 by python3's hashlib of the files that were copied in
    const { fileSystem, entries, problems } = open(fixture(name));
    const live = entries.filter(isLiveFile);
    expect(otherContents(fileSystem, live, ({ path }) => expected.source[path])).toEqual([]);
    const deleted = ['to-be-deleted.txt', 'deleted-large.bin', 'gone/first.log', 'gone/deeper/second.log', 'many/file-150.txt'];
    const found = new Set(live.map(({ path }) => path));
    const missing = Object.keys(expected.source).filter((path) => !found.has(path));
    const gone = (path: string) =>
      name !== 'ext-ext4-groups' && (deleted.includes(path) || path.startsWith('Documents/A name') || path.startsWith('many/file-10'));
    expect(missing.filter((path) => !gone(path))).toEqual([]);
    expect(problems.all).toEqual([]);
  });

  it('says of itself what fsstat or dumpe2fs says', () => {
    const { fileSystem } = open(fixture(name));
    const { label, uuid, type, clusterSize, freeBytes } = expected.facts;
    expect(fileSystem.facts.label).toBe(label);
    if (uuid !== undefined) expect(fileSystem.facts.uuid).toBe(uuid);
    if (type !== undefined) expect(fileSystem.facts.type).toBe(type);
    expect(fileSystem.clusterSize).toBe(clusterSize);
    let free = 0;
    for (const { length } of fileSystem.unallocated()) free += length;
    expect(free).toBe(freeBytes);
  });

  if (expected.entries.length === 0) return; // bigalloc: sleuthkit 4.11.1 does not know it
  it('has the list of the Sleuth Kit, and the content that icat gives', () => {
    const { fileSystem, entries, problems } = open(fixture(name));
    const witnessed: Witnessed[] = expected.entries;
    const isLabel = ({ path }: Witnessed) => path.trimEnd() === expected.facts.label;
    expect(
      differences(
        entries.filter(({ type }) => type !== 'volume-label'),
        witnessed.filter((entry) => !isLabel(entry)),
        fileSystem,
      ),
    ).toEqual([]);
    const digests = new Map(witnessed.map((entry) => [`${entry.address} ${entry.deleted === true}`, entry.sha256]));
    const files = entries.filter(({ type }) => type === 'file');
    const wrong = otherContents(fileSystem, files, (entry) => digests.get(`${entry.address} ${!entry.nameAllocated}`));
    expect(
      wrong.filter(
        (line) => !problems.all.some(({ code, address }) => code === 'fat.deleted-overwritten' && line.includes(`@${address}:`)),
      ),
    ).toEqual([]);
  });
});

describe('FAT', () => {
  const entryAt = (name: string, path: string) => open(fixture(name)).entries.find((entry) => entry.path === path)!;

  it('shows attributes, short names and local times', () => {
    // `mattrib +r +h +s`, `touch -d 2001-02-03T04:05:06`, `mcopy -m` of fixtures/make/filesystems.sh: 981173106 is that time, counted as if it were UTC
    const hello = entryAt('fat-fat12-deleted', 'hello.txt');
    expect(hello.facts?.attributes).toBe('readOnly hidden system archive');
    expect(hello.times.find(({ kind }) => kind === 'modified')?.time).toEqual({
      ns: 981_173_106_000_000_000n,
      resolutionNs: 2_000_000_000,
      zone: 'local-unknown',
    });
    expect(entryAt('fat-fat12-deleted', 'Documents/smörgås 漢字.txt').facts?.shortName).toMatch(/^SM.*~1\.TXT$/);
  });

  it('lists a deleted directory by its content when its name is gone, with what lies below it', () => {
    const { entries } = open(fixture('fat-fat32-orphans'));
    const orphans = entries.filter(({ path }) => path.startsWith('$OrphanFiles/')).map(({ path, type }) => `${type} ${path}`);
    // the directory `gone` of the source tree: first.log and deeper/second.log. mdeltree has overwritten the first letters
    expect(orphans).toEqual(['file $OrphanFiles/_irst.log', 'directory $OrphanFiles/_eeper', 'file $OrphanFiles/_eeper/_econd.log']);
  });
});

describe('the search in free clusters', () => {
  it('ends at its limit, and says where', () => {
    const volume = fixture('fat-fat32-orphans');
    const problems = keepProblems();
    const geometry = geometryOf(findBootSector(volume)!.boot);
    const table = openTable(volume, geometry, problems);
    const search = { volume, geometry, table, problems, isListed: () => false };
    expect([...orphanClusters({ ...search, mostBytes: volume.size })].length).toBeGreaterThan(0);
    expect(problems.all).toEqual([]);
    expect([...orphanClusters({ ...search, mostBytes: 100 })]).toEqual([]);
    // fsck.fat 4.2: clusters in use are the first ones; the first free one is where the search begins and ends
    const { offset } = [...fat.open(volume, keepProblems()).unallocated()][0]!;
    expect(problems.all).toMatchObject([{ code: 'fat.free-not-searched', at: offset }]);
  });
});

describe('ext', () => {
  const statOf = (name: string, path: string): string => fixtureExpected(name).debugfs[path];

  it('lists what stood in a deleted directory below it', () => {
    const { entries } = open(fixture('ext-ext2-indirect'));
    const gone = entries
      .filter(({ path, nameAllocated }) => path.startsWith('gone') && !nameAllocated)
      .map(({ path, type }) => `${type} ${path}`);
    expect(gone.sort()).toEqual(['directory gone', 'directory gone/deeper', 'file gone/deeper/second.log', 'file gone/first.log']);
  });

  it('gives back deleted files whose block pointers stayed', () => {
    const { fileSystem, entries } = open(fixture('ext-ext2-indirect'));
    const deleted = entries.filter(({ nameAllocated, type }) => !nameAllocated && type === 'file');
    const { source } = fixtureExpected('ext-ext2-indirect');
    expect(deleted.map(({ path }) => path)).toContain('deleted-large.bin');
    expect(otherContents(fileSystem, deleted, ({ path }) => source[path])).toEqual([]);
  });

  it.each(extFixtures)('%s: times as debugfs shows them', (name) => {
    const { entries } = open(fixture(name));
    for (const path of ['hello.txt', 'empty.dat', 'Documents/numbers.txt']) {
      const entry = entries.find((candidate) => candidate.path === path)!;
      const stat = statOf(name, path);
      const [kinds, labels] = [
        ['changed', 'accessed', 'modified', 'created'],
        ['ctime', 'atime', 'mtime', 'crtime'],
      ];
      for (const [index, label] of labels.entries()) {
        const date = new RegExp(`${label}: 0x[0-9a-f]+(?::[0-9a-f]+)? -- (.*)`).exec(stat)?.[1];
        expect(seconds(entry, kinds[index]!), `${path} ${label}`).toBe(date === undefined ? 0 : Date.parse(`${date} UTC`) / 1000);
      }
    }
  });

  it('reads nanoseconds and the two bits of the epoch', () => {
    const { entries } = open(fixture('ext-ext4-inline'));
    const time = (path: string, kind: string) =>
      entries.find((entry) => entry.path === path)!.times.find((found) => found.kind === kind)!.time;
    // debugfs: `sif hello.txt mtime @0x10`, extra field 1: one turn of 2^32 seconds and 16
    expect(time('hello.txt', 'modified')).toEqual({ ns: 4_294_967_312_000_000_000n, resolutionNs: 1, zone: 'utc' });
    // extra field 0xee6b27fc: 0xee6b27fc >> 2 = 999,999,999 (by hand: 0x3b9ac9ff)
    expect(time('empty.dat', 'changed').ns % 1_000_000_000n).toBe(999_999_999n);
  });

  it('reads attributes from the inode and from a block', () => {
    const { entries } = open(fixture('ext-ext4-inline'));
    const attribute = (path: string) => entries.find((entry) => entry.path === path)!.attributes!;
    const numbers = Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join('');
    // `ea_set` of debugfs 1.47.0 in fixtures/make/filesystems.sh
    expect(attribute('hello.txt')).toEqual([{ name: 'user.origin', value: new Uint8Array(Buffer.from('made for tests')) }]);
    expect(attribute('Documents/numbers.txt')).toEqual([{ name: 'user.large', value: new Uint8Array(Buffer.from(numbers.slice(0, 700))) }]);
    expect(attribute('empty.dat')).toEqual([{ name: 'user.bin', value: new Uint8Array(Buffer.from(numbers.slice(0, 200))) }]);
  });

  it.each(extFixtures)('%s: links, rights, owners, devices', (name) => {
    const { entries } = open(fixture(name));
    const at = (path: string) => entries.find((entry) => entry.path === path)!;
    expect(at('link-short')).toMatchObject({ type: 'symlink', size: 21, target: { text: 'Documents/numbers.txt' } });
    expect(at('link-long').target?.text).toBe(`Documents/${'x'.repeat(120)}`);
    expect(at('hello.txt')).toMatchObject({ mode: 0o4750, linkCount: 2 });
    expect(at('hello-again.txt').linkCount).toBe(2);
    expect(at('Documents/notes').mode).toBe(0o700);
    if (name === 'ext-ext4-groups') return;
    expect(at('hello.txt')).toMatchObject({ uid: 70_000, gid: 1000 });
    expect(at('null')).toMatchObject({ type: 'character-device', facts: { device: '1:3' } });
    expect(at('block')).toMatchObject({ type: 'block-device', facts: { device: '8:300' } });
    expect(at('pipe').type).toBe('fifo');
  });
});
