/** MBR and extended partitions: sound ones by mmls, damaged and lying ones by hand. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { mbr } from '../../src/volumes/mbr.ts';
import { expectTiling, isBeside, placesOf, volumeSystemContract } from '../contracts/volume-system.ts';
import { fixture, fixtureExpected } from '../support/fixture.ts';
import { mbrDisk, openDisk, putTable } from './surgery.ts';

for (const name of ['mbr-primary', 'mbr-logical']) {
  const places = fixtureExpected(name).volumes.map(({ number, offset, length }: Record<string, number>) => ({ number, offset, length }));
  volumeSystemContract(mbr, name, () => fixture(name), places);
}

const bytesOf = (name: string): Buffer => Buffer.from(fixture(name).read(0, fixture(name).size));

describe('a sound MBR', () => {
  it('tells type, activity and signature of the disk', () => {
    // fixtures/make/volumes.sh; type names by mmls, see fixtures/mbr-primary/expected.json
    const { ranges, facts } = openDisk(mbr, bytesOf('mbr-primary'));
    const volumes = ranges.filter(({ kind }) => kind === 'volume');
    expect(volumes.map(({ type }) => type)).toEqual(['0x0c', '0x83', '0x07', '0x82']);
    expect(volumes.map(({ flags }) => flags)).toEqual([['active'], undefined, undefined, undefined]);
    expect(facts.diskSignature).toBe('0xc0ffee01');
    for (const { label } of volumes) expect(label).toMatch(/\(0x[0-9a-f]{2}\)$/);
  });

  it('leaves the first sector to the table, gaps where nothing is', () => {
    // by hand from fixtures/make/volumes.sh: table 0, gap 1-62, volume 63-999 and 1000-1999, gap 2000-2499, volume 2500-2999, volume 3000-4095
    const { ranges } = openDisk(mbr, bytesOf('mbr-primary'));
    expect(ranges.map(({ kind, offset, length }) => [kind, offset / 512, length / 512])).toEqual([
      ['table', 0, 1],
      ['gap', 1, 62],
      ['volume', 63, 937],
      ['volume', 1000, 1000],
      ['gap', 2000, 500],
      ['volume', 2500, 500],
      ['volume', 3000, 1096],
    ]);
  });

  it('shows each table of a chain as such', () => {
    const { ranges } = openDisk(mbr, bytesOf('mbr-logical'));
    expect(ranges.filter(({ kind }) => kind === 'table').map(({ offset }) => offset / 512)).toEqual([0, 1024, 2048, 4096]);
  });

  it('lists a partition whose type was set to zero, as mmls does', () => {
    const disk = mbrDisk(1000, [
      { type: 0x83, first: 10, count: 90 },
      { type: 0, first: 200, count: 300 },
    ]);
    expect(placesOf(openDisk(mbr, disk).ranges)).toEqual([
      { number: 1, offset: 5120, length: 46_080 },
      { number: 2, offset: 102_400, length: 153_600 },
    ]);
  });
});

describe('what is taken for an MBR', () => {
  const takes = (disk: Buffer): boolean => mbr.recognises(memorySource(disk), 512);
  const good = { type: 0x83, first: 10, count: 90 };

  it('a table with one sound entry, and one beside a damaged one', () => {
    expect(takes(mbrDisk(1000, [good]))).toBe(true);
    const half = mbrDisk(1000, [good, { type: 7, first: 100, count: 100, status: 0x41 }]);
    expect(takes(half)).toBe(true);
    expect(openDisk(mbr, half).problems.all).toMatchObject([{ code: 'mbr.status', at: 446 + 16 }]);
  });

  it('nothing without 55 aa, without partitions, or where no partition lies on the medium', () => {
    const unsigned = mbrDisk(1000, [good]);
    unsigned[511] = 0;
    expect(takes(unsigned)).toBe(false);
    expect(takes(mbrDisk(1000, []))).toBe(false);
    expect(takes(mbrDisk(1000, [{ type: 0x83, first: 2000, count: 10 }]))).toBe(false);
    expect(takes(Buffer.alloc(100))).toBe(false);
    expect(takes(Buffer.alloc(0))).toBe(false);
  });

  it('no boot sector of FAT, NTFS or exFAT, and no boot code', () => {
    for (const [name, at, label] of [
      ['MSDOS5.0', 54, 'FAT16   '],
      ['NTFS    ', 54, ''],
      ['EXFAT   ', 54, ''],
    ] as const) {
      const disk = mbrDisk(1000, [good]);
      disk.set([0xeb, 0x3c, 0x90], 0);
      disk.write(name, 3, 'latin1');
      disk.writeUInt16LE(512, 11);
      disk[13] = 8;
      disk.write(label, at, 'latin1');
      expect(takes(disk)).toBe(false);
    }
    const code = mbrDisk(1000, [good, { ...good, status: 0x41 }, { ...good, status: 0x13 }, { ...good, status: 0x99 }]);
    expect(takes(code)).toBe(false);
  });
});

describe('a lying MBR', () => {
  it('a chain that comes back to itself ends where it does', () => {
    const disk = bytesOf('mbr-logical');
    putTable(disk, 4096, [
      { type: 0x83, first: 64, count: 2000 },
      { type: 5, first: 1024, count: 2048 },
    ]); // 1024 + 1024: the second table
    const { ranges, problems } = openDisk(mbr, disk);
    expect(placesOf(ranges)).toEqual(placesOf(openDisk(mbr, bytesOf('mbr-logical')).ranges));
    expect(problems.all).toMatchObject([{ code: 'mbr.chain-cycle', hidesEvidence: true }]);
    expectTiling(ranges, disk.length);
  });

  it('a chain that leads nowhere: behind the medium, to a sector without 55 aa', () => {
    for (const next of [0xffff_0000, 500]) {
      const disk = bytesOf('mbr-logical');
      putTable(disk, 2048, [
        { type: 0x0b, first: 1, count: 1000 },
        { type: 5, first: next, count: 100 },
      ]);
      const { ranges, problems } = openDisk(mbr, disk);
      expect(ranges.filter(({ number }) => number === 5 || number === 6).length).toBe(2);
      expect(problems.all).toMatchObject([{ code: 'mbr.chain-damaged', hidesEvidence: true }]);
      expectTiling(ranges, disk.length);
    }
  });

  it('a chain of 1,000 tables is followed for 128', () => {
    const disk = mbrDisk(3000, [{ type: 5, first: 1, count: 2999 }]);
    for (let table = 0; table < 1000; table++) {
      putTable(disk, 1 + table * 2, [
        { type: 0x83, first: 1, count: 1 },
        { type: 5, first: (table + 1) * 2, count: 2 },
      ]);
    }
    const { ranges, problems } = openDisk(mbr, disk);
    expect(ranges.filter(({ kind }) => kind === 'volume').length).toBe(128);
    expect(problems.all).toMatchObject([{ code: 'mbr.chain-long', hidesEvidence: true }]);
    expectTiling(ranges, disk.length);
  });

  it('a table that leads to two others says so', () => {
    const disk = mbrDisk(1000, [{ type: 5, first: 100, count: 800 }]);
    putTable(disk, 100, [
      { type: 5, first: 100, count: 100 },
      { type: 5, first: 300, count: 100 },
    ]);
    putTable(disk, 200, [{ type: 0x83, first: 1, count: 50 }]);
    putTable(disk, 400, [{ type: 0x83, first: 1, count: 50 }]);
    const { ranges, problems } = openDisk(mbr, disk);
    expect(placesOf(ranges)).toEqual([{ number: 5, offset: 201 * 512, length: 50 * 512 }]);
    expect(problems.all).toMatchObject([{ code: 'mbr.chain-forked', hidesEvidence: true }]);
  });

  it('partitions that overlap: the later one stands beside, and both are listed', () => {
    const disk = mbrDisk(1000, [
      { type: 0x83, first: 10, count: 500 },
      { type: 0x07, first: 100, count: 100 },
      { type: 0x0b, first: 505, count: 100 },
    ]);
    const { ranges, problems } = openDisk(mbr, disk);
    expect(placesOf(ranges).length).toBe(3);
    expect(ranges.filter(isBeside).map(({ number }) => number)).toEqual([2, 3]);
    expect(problems.codes()).toEqual(['mbr.overlap']);
    expectTiling(ranges, disk.length);
  });

  it('partitions past the end of the medium, in part and as a whole', () => {
    const disk = mbrDisk(1000, [
      { type: 0x83, first: 900, count: 500 },
      { type: 0x07, first: 0xffff_ffff, count: 0xffff_ffff },
    ]);
    const { ranges, problems } = openDisk(mbr, disk);
    expect(ranges.find(({ number }) => number === 1)).toMatchObject({ offset: 460_800, length: 51_200, flags: ['runs past the medium'] });
    expect(ranges.find(({ number }) => number === 2)).toMatchObject({ length: 0 });
    expect(problems.all.map(({ code, hidesEvidence }) => [code, hidesEvidence])).toEqual([
      ['mbr.past-end', true],
      ['mbr.past-end', true],
    ]);
    expectTiling(ranges, disk.length);
  });

  it('a protective partition without a GPT, and a GPT that is not protected', () => {
    const orphan = openDisk(mbr, mbrDisk(1000, [{ type: 0xee, first: 1, count: 999 }]));
    expect(orphan.problems.all).toMatchObject([{ code: 'mbr.gpt-missing', hidesEvidence: true }]);
    const stale = mbrDisk(1000, [{ type: 0x83, first: 40, count: 500 }]);
    stale.write('EFI PART', 999 * 512, 'latin1');
    expect(openDisk(mbr, stale).problems.all).toMatchObject([{ code: 'mbr.gpt-beside', at: 999 * 512, hidesEvidence: true }]);
  });
});
