/** GPT: sound ones by mmls, damaged and lying ones by hand. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { gpt } from '../../src/volumes/gpt.ts';
import { mbr } from '../../src/volumes/mbr.ts';
import { expectTiling, isBeside, placesOf, tryVolumes, volumeSystemContract } from '../contracts/volume-system.ts';
import { fixture, fixtureExpected } from '../support/fixture.ts';
import { openDisk, putTable, sealHeader } from './surgery.ts';

const places = (name: string) =>
  fixtureExpected(name).volumes.map(({ number, offset, length }: Record<string, number>) => ({ number, offset, length }));

volumeSystemContract(gpt, 'gpt-three', () => fixture('gpt-three'), places('gpt-three'));
volumeSystemContract(gpt, 'gpt-4k', () => fixture('gpt-4k'), places('gpt-4k'), 4096);

const good = (): Buffer => Buffer.from(fixture('gpt-three').read(0, fixture('gpt-three').size));
const last = 4095;
const primaryEntries = 2 * 512;
const backupEntries = (last - 32) * 512;

/** Changes the disk of three partitions; both CRCs of both tables fit afterwards. */
function changed(change: (disk: Buffer) => void): Buffer {
  const disk = good();
  change(disk);
  sealHeader(disk, 1);
  sealHeader(disk, last);
  return disk;
}

/** A field of entry `index`, in both tables. */
const inBoth = (disk: Buffer, index: number, at: number, value: bigint): void => {
  for (const entries of [primaryEntries, backupEntries]) disk.writeBigUInt64LE(value, entries + index * 128 + at);
};

describe('a sound GPT', () => {
  it('tells names, types, GUIDs and flags', () => {
    // as fixtures/make/volumes.sh wrote them; names by mmls 4.11.1
    const { ranges, facts, problems } = openDisk(gpt, good());
    const volumes = ranges.filter(({ kind }) => kind === 'volume');
    expect(problems.all).toEqual([]);
    expect(volumes.map(({ name }) => name)).toEqual(fixtureExpected('gpt-three').volumes.map(({ label }: { label: string }) => label));
    expect(volumes.map(({ type }) => type)).toEqual([
      'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
      '0fc63daf-8483-4772-8e79-3d69d8477de4',
      'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7',
    ]);
    expect(volumes.map(({ label }) => label)).toEqual(['EFI System', 'Linux filesystem', 'Microsoft basic data']);
    expect(volumes[2]!.guid).toBe('11112222-3333-4444-5555-666677770005');
    expect(volumes.map(({ flags }) => flags)).toEqual([['required'], undefined, ['read-only', 'hidden']]);
    expect(facts).toEqual({ diskGuid: 'aaaabbbb-cccc-4ddd-8eee-ffff00001111', sectorSize: 512, usedTable: 'primary', revision: '0x10000' });
  });

  it('leaves its place to each table, gaps where nothing is', () => {
    // by hand: MBR 0, header 1, entries 2-33, gap 34-63, volumes 64-1087 and 1088-2047, gap 2048-2303, volume 2304-4000, gap 4001-4062, entries 4063-4094, header 4095
    const { ranges } = openDisk(gpt, good());
    expect(ranges.map(({ kind, offset, length }) => [kind, offset / 512, length / 512])).toEqual([
      ['table', 0, 1],
      ['table', 1, 1],
      ['table', 2, 32],
      ['gap', 34, 30],
      ['volume', 64, 1024],
      ['volume', 1088, 960],
      ['gap', 2048, 256],
      ['volume', 2304, 1697],
      ['gap', 4001, 62],
      ['table', 4063, 32],
      ['table', 4095, 1],
    ]);
  });

  it('of sectors of 4096 bytes is read from a raw image, which does not tell their size', () => {
    const found = tryVolumes(gpt, fixture('gpt-4k'), 512)!;
    expect(placesOf(found.ranges)).toEqual(places('gpt-4k'));
    expect(found.facts.sectorSize).toBe(4096);
  });

  it('of a disk that was written to a larger one has its backup where the header says', () => {
    const { ranges, problems } = openDisk(gpt, Buffer.concat([good(), Buffer.alloc(1024 * 512)]));
    expect(placesOf(ranges)).toEqual(places('gpt-three'));
    expect(problems.all).toEqual([]);
    expectTiling(ranges, (4096 + 1024) * 512);
  });
});

describe('a GPT of which one table is damaged', () => {
  const damage: [string, 'primary' | 'backup', (disk: Buffer) => void][] = [
    ['the first header overwritten', 'primary', (disk) => disk.fill(0xaa, 512, 1024)],
    ['a bit of the first header', 'primary', (disk) => disk.writeUInt8(disk[512 + 48]! ^ 4, 512 + 48)],
    ['a bit of the first entries', 'primary', (disk) => disk.writeUInt8(disk[primaryEntries + 33]! ^ 4, primaryEntries + 33)],
    ['first header and entries overwritten', 'primary', (disk) => disk.fill(0, 512, 34 * 512)],
    ['the last header overwritten', 'backup', (disk) => disk.fill(0xaa, last * 512)],
    ['a bit of the last header', 'backup', (disk) => disk.writeUInt8(disk[last * 512 + 40]! ^ 1, last * 512 + 40)],
    ['a bit of the last entries', 'backup', (disk) => disk.writeUInt8(disk[backupEntries + 56]! ^ 1, backupEntries + 56)],
  ];

  it.each(damage)('%s: the other one serves, and the damage is told', (_, which, change) => {
    const disk = good();
    change(disk);
    const found = tryVolumes(gpt, memorySource(disk))!;
    expect(placesOf(found.ranges)).toEqual(places('gpt-three'));
    expect(found.problems.codes()).toEqual([`gpt.${which}-damaged`]);
    expect(found.facts.usedTable).toBe(which === 'primary' ? 'backup' : 'primary');
    expectTiling(found.ranges, disk.length);
  });

  it('both: the first is used as it stands, and that is told of both', () => {
    const disk = good();
    disk[primaryEntries + 128 + 56]! ^= 1;
    disk[backupEntries + 128 + 56]! ^= 1;
    const { ranges, problems } = openDisk(gpt, disk);
    expect(placesOf(ranges)).toEqual(places('gpt-three'));
    expect(problems.codes()).toEqual(['gpt.backup-damaged', 'gpt.primary-damaged']);
  });

  it('both headers gone: the MBR says that a GPT is missing', () => {
    const disk = good();
    disk.fill(0, 512, 1024);
    disk.fill(0, last * 512);
    expect(gpt.recognises(memorySource(disk), 512)).toBe(false);
    expect(openDisk(mbr, disk).problems.codes()).toEqual(['mbr.gpt-missing']);
  });
});

describe('a lying GPT, with CRCs that fit', () => {
  it('two sound tables that differ: the first is used, the entry is named', () => {
    const disk = good();
    disk.writeBigUInt64LE(3000n, backupEntries + 4 * 128 + 40);
    sealHeader(disk, last);
    const { ranges, problems } = openDisk(gpt, disk);
    expect(placesOf(ranges)).toEqual(places('gpt-three'));
    expect(problems.all).toMatchObject([{ code: 'gpt.tables-differ', hidesEvidence: true }]);
    expect(problems.all[0]!.message).toContain('entries 5');
  });

  it.each([0xffff_ffff, 1_000_000, 4097])('%i entries: no more are read than any table has', (count) => {
    const disk = changed((changing) => {
      for (const lba of [1, last]) changing.writeUInt32LE(count, lba * 512 + 80);
    });
    const { ranges, problems } = openDisk(gpt, disk);
    expect(problems.codes()).toEqual(expect.arrayContaining(['gpt.primary-damaged']));
    expect(placesOf(ranges).filter(({ number }) => number <= 5)).toEqual(places('gpt-three'));
    expectTiling(ranges, disk.length);
  });

  it.each([0, 127, 0xffff_ffff, 2 ** 20])('entries of %i bytes', (size) => {
    const disk = good();
    for (const lba of [1, last]) {
      disk.writeUInt32LE(size, lba * 512 + 84);
      sealHeader(disk, lba);
    }
    const { ranges, problems } = openDisk(gpt, disk);
    expect(placesOf(ranges)).toEqual([]);
    expect(problems.codes()).toEqual(['gpt.backup-damaged', 'gpt.primary-damaged']);
    expectTiling(ranges, disk.length);
  });

  it('entries that lie behind the medium', () => {
    const disk = good();
    disk.writeBigUInt64LE(1n << 60n, 512 + 72);
    sealHeader(disk, 1);
    const { ranges, problems } = openDisk(gpt, disk);
    expect(placesOf(ranges)).toEqual(places('gpt-three'));
    expect(problems.codes()).toEqual(['gpt.primary-damaged']);
  });

  it('a partition that overlaps, one that ends before it begins, one behind the medium, one of 2^63 sectors', () => {
    const overlapping = openDisk(
      gpt,
      changed((disk) => inBoth(disk, 1, 32, 1000n)),
    );
    expect(overlapping.problems.codes()).toEqual(['gpt.overlap']);
    expect(overlapping.ranges.filter(isBeside).map(({ number }) => number)).toEqual([2]);
    expectTiling(overlapping.ranges, 4096 * 512);

    const backwards = openDisk(
      gpt,
      changed((disk) => inBoth(disk, 1, 40, 10n)),
    );
    expect(backwards.problems.all).toMatchObject([{ code: 'gpt.partition-range', at: 1088 * 512, hidesEvidence: true }]);
    expectTiling(backwards.ranges, 4096 * 512);

    for (const end of [5000n, (1n << 63n) + 5n]) {
      const long = openDisk(
        gpt,
        changed((disk) => inBoth(disk, 4, 40, end)),
      );
      expect(long.problems.all).toMatchObject([{ code: 'gpt.past-end', hidesEvidence: true }]);
      expect(long.ranges.find(({ number }) => number === 5)).toMatchObject({ offset: 2304 * 512, length: (4096 - 2304) * 512 });
      expectTiling(long.ranges, 4096 * 512);
    }
  });

  it('a name without an end, with lone surrogates', () => {
    const disk = changed((changing) => {
      for (const entries of [primaryEntries, backupEntries]) changing.fill(Buffer.from([0x00, 0xd8]), entries + 56, entries + 128);
    });
    const { ranges } = openDisk(gpt, disk);
    const { name } = ranges.find(({ number }) => number === 1)!;
    expect(name!.isWellFormed()).toBe(true);
    expect(name!.length).toBe(36);
  });
});

describe('who owns a disk with both tables', () => {
  it('the GPT where a protective partition stands, also beside others (hybrid), or where the MBR is blank or broken', () => {
    for (const change of [
      (disk: Buffer) =>
        putTable(disk, 0, [
          { type: 0xee, first: 1, count: 63 },
          { type: 7, first: 2304, count: 100 },
        ]),
      (disk: Buffer) => putTable(disk, 0, []),
      (disk: Buffer) => void disk.fill(0, 0, 512),
    ]) {
      const disk = good();
      change(disk);
      expect(gpt.recognises(memorySource(disk), 512)).toBe(true);
    }
  });

  it('neither where a file system has overwritten the start: the backup is left from before', () => {
    // what `mkfs.fat -F 32`, `mkfs.ext4` (e2fsprogs zeroes the first two sectors) and `mkfs.ntfs` leave of the start of a whole disk
    for (const [at, bytes] of [
      [82, 'FAT32   '],
      [1080, '\x53\xef'],
      [3, 'NTFS    '],
    ] as const) {
      const disk = good();
      disk.fill(0, 0, 34 * 512);
      expect(gpt.recognises(memorySource(disk), 512)).toBe(true); // wiped, and nothing new
      disk.write(bytes, at, 'latin1');
      disk.writeUInt16BE(0x55aa, 510);
      expect([gpt.recognises(memorySource(disk), 512), mbr.recognises(memorySource(disk), 512)]).toEqual([false, false]);
    }
  });

  it('the GPT where the MBR holds only entries that make no sense', () => {
    const disk = good();
    disk.fill(0x66, 0, 510); // boot code up to 55 aa
    expect(gpt.recognises(memorySource(disk), 512)).toBe(true);
  });

  it('the MBR where it has partitions and none of them protects (UEFI 2.10 section 5.2.3), and it tells of the GPT', () => {
    const disk = good();
    putTable(disk, 0, [{ type: 0x83, first: 64, count: 100 }]);
    expect(gpt.recognises(memorySource(disk), 512)).toBe(false);
    expect(mbr.recognises(memorySource(disk), 512)).toBe(true);
    expect(openDisk(mbr, disk).problems.codes()).toEqual(['mbr.gpt-beside']);
  });
});
