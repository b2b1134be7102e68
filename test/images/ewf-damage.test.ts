/** Damaged and lying EWF files: what can be read is read, the rest is zeros and told with its place, nothing hangs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { type Segment } from '../../src/evidence/image.ts';
import { ewf } from '../../src/images/ewf.ts';
import { readMedia, sha256 } from '../contracts/image.ts';
import { fixtureExpected, fixtureFolder } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { hasTool, toolOutput } from '../support/tools.ts';
import {
  adler,
  changed,
  flipped,
  type Place,
  sealData,
  sealDescriptor,
  sealTable,
  sectionOf,
  sectionsOf,
  withSection,
} from './ewf-surgery.ts';
import { fixtureSegments, segmentOf } from './segments.ts';

const single = ['ewf-encase6', 'ewf-encase1', 'ewf-ftk', 'ewf-smart', 'ewf-ewfx', 'ewf-chunk16'];
const allowed = ['FormatError', 'ReadError', 'LimitError'];

function load(name: string): { file: string; bytes: Buffer } {
  const file = readdirSync(fixtureFolder(name)).find((entry) => entry.startsWith('image.'))!;
  return { file, bytes: readFileSync(join(fixtureFolder(name), file)) };
}

/** Opens and reads all; a refusal gives its code instead of a medium. */
function read(segments: readonly Segment[]) {
  const problems = keepProblems();
  try {
    const image = ewf.open(segments, problems);
    return { media: readMedia(image.media, 1 << 20), damaged: image.damage.bytes, problems, image, refused: null };
  } catch (error) {
    const { name, code } = error as { name: string; code: string };
    if (!allowed.includes(name)) throw error;
    return { media: Buffer.alloc(0), damaged: 0, problems, image: null, refused: code };
  }
}

const readOne = (file: string, bytes: Uint8Array) => read([segmentOf(file, bytes)]);

function differing(media: Buffer, good: Buffer): number {
  let count = Math.abs(media.length - good.length);
  for (let at = 0; at < Math.min(media.length, good.length); at++) if (media[at] !== good[at]) count++;
  return count;
}

const goodMedium = (name: string): Buffer => read(fixtureSegments(name)).media;

describe.each(single)('%s', (name) => {
  const { file, bytes } = load(name);
  const places = sectionsOf(bytes);
  const good = goodMedium(name);

  it('is the medium of its witness', () => {
    expect(sha256(good)).toBe(fixtureExpected(name).sha256);
  });

  it('cut off before, in and behind every structure gives what is left of it', () => {
    for (const place of places) {
      for (const cut of [place.offset, place.offset + 40, place.dataOffset, place.dataOffset + 12, place.end - 1]) {
        if (cut >= bytes.length) continue; // the last section has no data
        const { media, damaged, problems, refused } = readOne(file, bytes.subarray(0, cut));
        if (refused !== null) continue;
        expect(problems.all.some(({ hidesEvidence }) => hidesEvidence)).toBe(true);
        expect(differing(media, good)).toBeLessThanOrEqual(damaged);
      }
    }
  });

  it('cut off behind its chunks loses none of them', () => {
    const sectors = places.find(({ type }) => type === 'sectors');
    if (sectors === undefined) return; // EnCase 1 and SMART keep them in the table
    const { media, problems } = readOne(file, bytes.subarray(0, sectors.end));
    expect(media.equals(good)).toBe(true);
    expect(problems.codes()).toContain('ewf.table-missing');
  });

  it('a wrong bit in any structure is told, and never gives bytes that are wrong without a word', () => {
    for (const [at, bit] of structureBits(bytes, places)) {
      const { media, damaged, problems, refused } = readOne(file, flipped(bytes, at, bit));
      if (refused !== null) continue;
      const wrong = differing(media, good);
      if (problems.all.length === 0) {
        // only what changes nothing at all: the bits behind the last code of a deflate stream (RFC 1951 section 3.2.3)
        expect([at, wrong]).toEqual([at, 0]);
        expect(places.findLast(({ offset }) => offset <= at)!.type).toMatch(/^x?header/);
      } else if (media.length === good.length) expect([at, wrong <= damaged]).toEqual([at, true]);
      else expect(problems.all.some(({ hidesEvidence }) => hidesEvidence)).toBe(true);
    }
  });
});

/** Every field of file header and descriptors, every 13th byte of the data of small sections, every 499th of the chunks; the bit goes round. */
function structureBits(bytes: Uint8Array, places: readonly Place[]): [number, number][] {
  const at: number[] = Array.from({ length: 13 }, (_, index) => index);
  for (const { offset, dataOffset, end } of places) {
    for (const field of [0, 1, 3, 15, 16, 17, 23, 24, 25, 31, 40, 71, 72, 75]) at.push(offset + field);
    for (let data = dataOffset; data < end; data += end - dataOffset > 4096 ? 499 : 13) at.push(data);
  }
  return at.filter((index) => index < bytes.length).map((index) => [index, 1 << (index % 8)]);
}

describe('a set of segments', () => {
  const segments = () => fixtureSegments('ewf-split');
  const good = goodMedium('ewf-split');
  const without = (index: number) => read(segments().filter((_, at) => at !== index));

  it('without its middle one tells of the same hole, in whatever order the medium is read', () => {
    const told = (pieces: readonly number[]) => {
      const problems = keepProblems();
      const { media } = ewf.open(
        segments().filter((_, at) => at !== 1),
        problems,
      );
      for (const piece of pieces) media.read(piece * 65_536, 65_536); // two chunks
      return problems.all.filter(({ code }) => code === 'ewf.chunk-missing');
    };
    const pieces = Array.from({ length: Math.ceil(good.length / 65_536) }, (_, index) => index);
    const inOrder = told(pieces);
    expect(inOrder).toHaveLength(1);
    expect(told([...pieces].reverse())).toEqual(inOrder);
    const everyOther = pieces.filter((piece) => piece % 2 === 1);
    expect(told(everyOther)).toEqual(inOrder); // as one of two threads reads them
  });

  it('without its middle one has zeros there, the rest in its place', () => {
    const { media, damaged, problems } = without(1);
    expect(problems.codes()).toEqual(['ewf.chunk-missing', 'ewf.chunks-missing', 'ewf.segment-missing']);
    expect(problems.all.map(({ message }) => message).join()).toContain('image.E02');
    expect(media.length).toBe(good.length);
    expect(differing(media, good)).toBeLessThanOrEqual(damaged);
    expect(media.subarray(0, 900_000).equals(good.subarray(0, 900_000))).toBe(true);
    expect(media.subarray(-32_768).equals(good.subarray(-32_768))).toBe(true);
  });

  it('without its last one has zeros at the end', () => {
    const { media, damaged, problems } = without(2);
    expect(problems.codes()).toContain('ewf.segment-missing');
    expect(media.length).toBe(good.length);
    expect(differing(media, good)).toBeLessThanOrEqual(damaged);
    expect(media.subarray(0, 1_800_000).equals(good.subarray(0, 1_800_000))).toBe(true);
  });

  it('without its first one: the size stands in the second, too', () => {
    const { media, damaged, problems } = without(0);
    expect(problems.codes()).toContain('ewf.segment-missing');
    expect(media.length).toBe(good.length);
    expect(differing(media, good)).toBeLessThanOrEqual(damaged);
    expect(media.subarray(-900_000).equals(good.subarray(-900_000))).toBe(true);
  });

  it('is put in order by what the segments say of themselves', () => {
    const { media, problems } = read(segments().reverse());
    expect(media.equals(good)).toBe(true);
    expect(problems.all).toEqual([]);
  });

  it('with one segment twice reads it once', () => {
    const [first, second, third] = segments() as [Segment, Segment, Segment];
    const { media, problems } = read([first, second, { ...second, name: 'copy.E02' }, third]);
    expect(media.equals(good)).toBe(true);
    expect(problems.codes()).toEqual(['ewf.segment-twice']);
  });

  it('with a segment of another set does not take its bytes for this medium', () => {
    const [first, , third] = segments() as [Segment, Segment, Segment];
    const foreign = changed(load('ewf-encase6').bytes, (copy) => copy.writeUInt16LE(2, 9));
    const { problems, media, damaged } = read([first, segmentOf('image.E02', foreign), third]);
    expect(problems.codes()).toEqual(['ewf.chunk-missing', 'ewf.chunks-missing', 'ewf.segment-foreign', 'ewf.segment-missing']);
    expect(problems.all.find(({ code }) => code === 'ewf.segment-foreign')!.hidesEvidence).toBe(true);
    expect(differing(media, good)).toBeLessThanOrEqual(damaged);
    expect(media.subarray(-32_768).equals(good.subarray(-32_768))).toBe(true);
  });

  it('with a segment whose tables are lost keeps what stands behind them in its place', () => {
    const [first, second, third] = segments() as [Segment, Segment, Segment];
    const bytes = Buffer.from(second.source.read(0, second.source.size));
    const { offset } = sectionOf(bytes, 'sectors');
    bytes.fill(0, offset, bytes.length - 200);
    const { problems, media, damaged } = read([first, segmentOf(second.name, bytes), third]);
    expect(problems.codes()).toContain('ewf.section-chain');
    expect(media.length).toBe(good.length);
    expect(differing(media, good)).toBeLessThanOrEqual(damaged);
    expect(media.subarray(-32_768).equals(good.subarray(-32_768))).toBe(true);
  });

  it('with a file that is no segment leaves it out', () => {
    const [first, , third] = segments() as [Segment, Segment, Segment];
    const { problems, media } = read([first, segmentOf('image.E02', Buffer.alloc(5000, 7)), third]);
    expect(problems.codes()).toEqual(['ewf.chunk-missing', 'ewf.chunks-missing', 'ewf.segment-missing', 'ewf.signature']);
    expect(media.subarray(-32_768).equals(good.subarray(-32_768))).toBe(true);
  });
});

describe('an EWF file that lies, with checksums that fit', () => {
  const { file, bytes } = load('ewf-encase6');
  const good = goodMedium('ewf-encase6');
  const table = sectionOf(bytes, 'table');
  const table2 = sectionOf(bytes, 'table2');
  const entryAt = (place: Place, index: number): number => place.dataOffset + 24 + index * 4;
  const inBoth = (change: (copy: Buffer, place: Place) => void) =>
    changed(bytes, (copy) => {
      for (const place of [table, table2]) {
        change(copy, place);
        sealTable(copy, place);
      }
    });

  it('table entries past the end of the file: those chunks are zeros, told one by one', () => {
    const lying = inBoth((copy, place) => copy.writeUInt32LE(0xfff0_0000, entryAt(place, 1)));
    const { media, damaged, problems } = readOne(file, lying);
    expect(problems.codes()).toContain('ewf.chunk-offset');
    expect(problems.all.find(({ code }) => code === 'ewf.chunk-offset')).toMatchObject({ at: 32_768, hidesEvidence: true });
    expect(damaged).toBe(32_768);
    expect(media.subarray(0, 32_768).equals(good.subarray(0, 32_768))).toBe(true);
    expect(media.subarray(65_536).equals(good.subarray(65_536))).toBe(true);
  });

  it('a base offset of 2^62', () => {
    const { media, damaged, problems } = readOne(
      file,
      inBoth((copy, place) => copy.writeBigUInt64LE(1n << 62n, place.dataOffset + 8)),
    );
    expect(problems.codes()).toContain('ewf.chunk-offset');
    expect(damaged).toBe(good.length);
    expect(media.every((byte) => byte === 0)).toBe(true);
  });

  it.each([0xffff_ffff, 0x4000_0000, 100_000, 5, 3, 0])('%s entries: as many are taken as there is room for', (count) => {
    const lying = changed(bytes, (copy) => {
      for (const { dataOffset } of [table, table2]) {
        copy.writeUInt32LE(count, dataOffset);
        sealData(copy, dataOffset, 24);
      }
    });
    const { media, damaged, problems, refused } = readOne(file, lying);
    if (refused !== null) expect(refused).toBe('ewf.no-chunks');
    else {
      expect(problems.all.some(({ hidesEvidence }) => hidesEvidence)).toBe(count < 4 || count > 5); // room for four and their checksum
      expect(problems.all).not.toEqual([]);
      expect(differing(media, good)).toBeLessThanOrEqual(damaged);
    }
  });

  it('a table and a copy that list different places', () => {
    const lying = changed(bytes, (copy) => {
      copy.writeUInt32LE(copy.readUInt32LE(entryAt(table2, 2)) + 1, entryAt(table2, 2));
      sealTable(copy, table2);
    });
    const { media, problems } = readOne(file, lying);
    expect(media.equals(good)).toBe(true);
    expect(problems.all).toMatchObject([{ code: 'ewf.tables-differ', hidesEvidence: true }]);
  });

  it('a table whose checksum does not fit: its copy is used', () => {
    const lying = flipped(bytes, entryAt(table, 1), 4);
    const { media, problems } = readOne(file, lying);
    expect(media.equals(good)).toBe(true);
    expect(problems.codes()).toEqual(['ewf.table-checksum']);
  });

  it('a section that leads back to itself or to an earlier one: the chain is found again', () => {
    for (const target of [table.offset, 13, sectionOf(bytes, 'volume').offset, 0]) {
      const lying = changed(bytes, (copy) => {
        copy.writeBigUInt64LE(BigInt(target), table.offset + 16);
        sealDescriptor(copy, table.offset);
      });
      const { media, problems } = readOne(file, lying);
      expect(media.equals(good)).toBe(true);
      expect(problems.codes()).toContain('ewf.section-chain');
    }
  });

  it('a next section beyond 2^53', () => {
    const lying = changed(bytes, (copy) => {
      copy.writeBigUInt64LE(0xffff_ffff_ffff_fff0n, table.offset + 16);
      sealDescriptor(copy, table.offset);
    });
    const { media, problems } = readOne(file, lying);
    expect(media.equals(good)).toBe(true);
    expect(problems.codes()).toContain('ewf.section-chain');
  });

  it('a section type that is not known is passed over, and told', () => {
    const lying = changed(bytes, (copy) => {
      const { offset } = sectionOf(bytes, 'header');
      copy.write('mystery\0', offset, 'latin1');
      sealDescriptor(copy, offset);
    });
    const { media, problems } = readOne(file, lying);
    expect(media.equals(good)).toBe(true);
    expect(problems.all).toMatchObject([{ code: 'ewf.section-type', hidesEvidence: true }]);
  });

  const volumes = sectionsOf(bytes).filter(({ type }) => type === 'volume' || type === 'data');
  const withVolume = (change: (copy: Buffer, at: number) => void) =>
    changed(bytes, (copy) => {
      for (const { dataOffset } of volumes) {
        change(copy, dataOffset);
        sealData(copy, dataOffset, 1052);
      }
    });

  it('a chunk size of 2^23 sectors, of 0, sectors of 0 or 2^31 bytes: refused before anything is set aside', () => {
    expect(
      readOne(
        file,
        withVolume((copy, at) => copy.writeUInt32LE(2 ** 23, at + 8)),
      ).refused,
    ).toBe('ewf.chunk-size');
    expect(
      readOne(
        file,
        withVolume((copy, at) => copy.writeUInt32LE(0, at + 8)),
      ).refused,
    ).toBe('ewf.chunk-size');
    expect(
      readOne(
        file,
        withVolume((copy, at) => copy.writeUInt32LE(0, at + 12)),
      ).refused,
    ).toBe('ewf.sector-size');
    expect(
      readOne(
        file,
        withVolume((copy, at) => copy.writeUInt32LE(2 ** 31, at + 12)),
      ).refused,
    ).toBe('ewf.sector-size');
  });

  it('a medium of 2^60 sectors is refused; one of 2^40 is cut to what is listed', () => {
    expect(
      readOne(
        file,
        withVolume((copy, at) => copy.writeBigUInt64LE(1n << 60n, at + 16)),
      ).refused,
    ).toBe('ewf.media-size');
    const problems = keepProblems();
    const lying = withVolume((copy, at) => copy.writeBigUInt64LE(1n << 40n, at + 16));
    const image = ewf.open([{ name: file, source: memorySource(lying) }], problems);
    expect(image.media.size).toBe(4 * 32_768);
    expect(problems.all.find(({ code }) => code === 'ewf.media-claim')).toMatchObject({ hidesEvidence: true });
  });

  it('a header that unpacks to 200 MiB is refused at 1 MiB', () => {
    const bomb = deflateSync(Buffer.alloc(200 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    const { media, problems } = readOne(file, withSection(bytes, 'digest', 'xheader', bomb));
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    expect(media.equals(good)).toBe(true);
    expect(problems.codes()).toEqual(['ewf.header-damaged']);
  });
});

describe('sectors that the acquiring tool could not read', () => {
  // libewf documentation, section "Error2 section": count, 512 bytes, checksum, then pairs of first sector and number, and their checksum
  const { file, bytes } = load('ewf-encase6');
  const listed = [
    [10, 2],
    [64, 64],
    [197, 1],
  ] as const;
  const errorData = (count: number) => {
    const data = Buffer.alloc(520 + listed.length * 8 + 4);
    data.writeUInt32LE(count, 0);
    listed.forEach(([first, sectors], index) => {
      data.writeUInt32LE(first, 520 + index * 8);
      data.writeUInt32LE(sectors, 524 + index * 8);
    });
    sealData(data, 0, 520);
    data.writeUInt32LE(adler(data.subarray(520, data.length - 4)), data.length - 4);
    return data;
  };
  const expected = listed.map(([firstSector, sectorCount]) => ({ firstSector, sectorCount }));

  it('are listed as they stand', () => {
    const { image, problems } = readOne(file, withSection(bytes, 'digest', 'error2', errorData(listed.length)));
    expect(problems.all).toEqual([]);
    expect(image!.acquisition.errorSectors).toEqual(expected);
  });

  it('are not more than there is room for', () => {
    const { image, problems } = readOne(file, withSection(bytes, 'digest', 'error2', errorData(0xffff_ffff)));
    expect(problems.codes()).toContain('ewf.error-list');
    expect(image!.acquisition.errorSectors).toEqual(expected);
  });

  it.skipIf(!hasTool('ewfinfo'))('are those that ewfinfo 20140813 shows', () => {
    const folder = mkdtempSync(join(tmpdir(), 'custodia-error2-'));
    try {
      const path = join(folder, 'errors.E01');
      writeFileSync(path, withSection(bytes, 'digest', 'error2', errorData(listed.length)));
      const shown = [...toolOutput('ewfinfo', [path]).matchAll(/at sector\(s\): (\d+) - (\d+) number: (\d+)/g)];
      expect(shown.map(([, first, last, count]) => [Number(first), Number(last), Number(count)])).toEqual(
        listed.map(([first, count]) => [first, first + count - 1, count]),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
