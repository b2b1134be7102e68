/** Metadata of images, against ExifTool on real files and against what was put into our own. */
import { describe, expect, it } from 'vitest';
import { makeSource, memorySource } from '../../src/bytes/source.ts';
import { ReadError } from '../../src/evidence/errors.ts';
import { exif } from '../../src/extractors/exif.ts';
import { corpusBytes, corpusExpected, hasCorpus } from '../support/corpus.ts';
import { failingSource } from '../support/failing-source.ts';
import { fixture, fixtureExpected } from '../support/fixture.ts';
import { mutants } from '../support/mutants.ts';
import { keepProblems } from '../support/problems.ts';

async function extracted(bytes: Uint8Array) {
  const problems = keepProblems();
  const facts = await exif.extract(memorySource(bytes), problems);
  return { facts: facts ?? {}, problems };
}

const camera = () => {
  const source = fixture('exif-camera');
  return Buffer.from(source.read(0, source.size));
};

describe('a picture with EXIF, GPS and IPTC', () => {
  it('gives every fact that was put in, and nothing else', async () => {
    const { facts, problems } = await extracted(camera());
    expect(facts).toEqual(fixtureExpected('exif-camera').facts);
    expect(problems.codes()).toEqual([]);
  });

  it('gives the same as a TIFF file', async () => {
    const jpeg = camera();
    const tiff = jpeg.subarray(jpeg.indexOf('II*\0', 0, 'latin1'), jpeg.indexOf('\xff\xfe', 0, 'latin1')); // up to the comment segment
    const { facts, problems } = await extracted(tiff);
    const expected = Object.entries(fixtureExpected('exif-camera').facts).filter(([name]) => name.startsWith('exif.'));
    expect(facts).toEqual(Object.fromEntries(expected));
    expect(problems.codes()).toEqual([]);
  });

  it('takes pictures only', () => {
    expect(['image/jpeg', 'image/png', 'image/tiff', 'image/heic'].every(exif.accepts)).toBe(true);
    expect(['text/plain', 'application/zip', 'image/gif'].some(exif.accepts)).toBe(false);
  });

  it('a bad sector is a problem', async () => {
    const problems = keepProblems();
    expect(await exif.extract(failingSource(memorySource(camera()), 0), problems)).toBeNull();
    expect(problems.codes()).toEqual(['read.bad-sector']);
  });

  it('a JPEG without metadata has none, and is not read beyond the place where its picture begins', async () => {
    const bytes = Buffer.concat([Buffer.from('\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0', 'latin1'), Buffer.alloc(200_000)]);
    const source = makeSource(bytes.length, (target, offset) => {
      if (offset + target.length > 65_536) throw new ReadError('read.refused', 'too far', offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
      return target.length;
    });
    expect(await exif.extract(source, keepProblems())).toBeNull();
  });
});

describe('structures that are wrong', () => {
  /** TIFF 6.0, section 2: header, then directories of 12-byte fields. */
  const tiff = (first: number, ...fields: readonly (readonly [tag: number, type: number, count: number, value: number])[]) => {
    const bytes = Buffer.alloc(8 + 2 + fields.length * 12 + 4);
    bytes.write('II*\0', 'latin1');
    bytes.writeUInt32LE(first, 4);
    bytes.writeUInt16LE(fields.length, 8);
    fields.forEach(([tag, type, count, value], index) => {
      bytes.writeUInt16LE(tag, 10 + index * 12);
      bytes.writeUInt16LE(type, 12 + index * 12);
      bytes.writeUInt32LE(count, 14 + index * 12);
      bytes.writeUInt32LE(value, 18 + index * 12);
    });
    return bytes;
  };
  const next = (bytes: Buffer, offset: number) => {
    bytes.writeUInt32LE(offset, bytes.length - 4);
    return bytes;
  };

  it.each([
    ['the first directory outside', tiff(5000, [0x112, 3, 1, 6]), /first directory should be at byte 5000, the structure has 26 bytes/],
    ['the next directory is the same', next(tiff(8, [0x112, 3, 1, 6]), 8), /next directory should be at byte 8, .*: a loop/],
    ['the EXIF directory is the first', tiff(8, [0x8769, 4, 1, 8]), /EXIF directory should be at byte 8, .*: a loop/],
    ['a text outside', tiff(8, [0x10f, 2, 400, 3000]), /field 0x010f claims 400 bytes at byte 3000, the structure has 26 bytes/],
    ['more than 2^32 bytes of fractions', tiff(8, [0x829a, 5, 0xffff_ffff, 8]), /field 0x829a claims 34359738360 bytes/],
    ['a header only', Buffer.from('II*\0', 'latin1'), /header has 4 bytes, expected 8/],
  ])('%s: told, with place, found and expected', async (_, bytes, message) => {
    const { problems } = await extracted(bytes);
    expect(problems.all[0]).toMatchObject({ code: 'exif.damaged', message: expect.stringMatching(message) });
  });

  it('65,535 fields that point outside are told of ten times at most', async () => {
    const { problems } = await extracted(tiff(8, ...Array.from({ length: 3000 }, () => [0x10f, 2, 400, 0xffff_0000] as const)));
    expect(problems.all.length).toBeGreaterThan(0);
    expect(problems.all.length).toBeLessThanOrEqual(12);
  });

  it('thousands of fields that all claim the same megabytes are told of and not read', async () => {
    const fields = Array.from({ length: 2000 }, (_, index) => [0x9000 + index, 3, 2_000_000, 8] as const);
    const { facts, problems } = await extracted(Buffer.concat([tiff(8, ...fields), Buffer.alloc(4 * 1024 * 1024)]));
    expect(facts).toEqual({});
    expect(problems.codes()).toEqual(['exif.overlap']);
  });

  it('the same within the segment of a JPEG file', async () => {
    const fields = Array.from({ length: 5000 }, (_, index) => [0x9000 + index, 1, 60_000, 8] as const);
    const block = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff(8, ...fields)]);
    const segment = Buffer.concat([
      Buffer.from([0xff, 0xd8, 0xff, 0xe1, (block.length + 2) >> 8, (block.length + 2) & 0xff]),
      block,
      Buffer.from([0xff, 0xd9]),
    ]);
    expect((await extracted(segment)).problems.codes()).toEqual(['exif.overlap']);
  });

  it('a bomb behind a thousand decoys is not read either', async () => {
    const decoys = Array.from({ length: 1500 }, (_, index) => [0x8769, 4, 1, 40_000 + index * 6] as const);
    expect((await extracted(Buffer.concat([tiff(8, ...decoys), Buffer.alloc(100_000)]))).problems.codes()).toEqual(['exif.overlap']);
  });

  it('a chain of 100,000 directories ends', async () => {
    const bytes = Buffer.alloc(8 + 100_000 * 6);
    bytes.write('II*\0\x08', 'latin1');
    for (let index = 0; index < 100_000; index++) bytes.writeUInt32LE(8 + (index + 1) * 6, 8 + index * 6 + 2); // none has a field
    await extracted(bytes);
  });

  it('a text chunk of PNG with a name like ours stays text of PNG', async () => {
    const { facts } = await extracted(png(['tEXt', 'Make\0Spoofed'], ['tEXt', 'errors\0x']));
    expect(facts).not.toHaveProperty(['exif.Make']);
    expect(facts['png.Make']).toBe('Spoofed');
  });

  it('facts beyond two hundred are counted', async () => {
    const { facts, problems } = await extracted(png(...Array.from({ length: 300 }, (_, index) => ['tEXt', `key${index}\0value`] as const)));
    expect(Object.keys(facts)).toHaveLength(200);
    expect(problems.codes()).toEqual(['exif.many']);
  });
});

/** PNG specification, 5: signature, chunks with length and CRC (which readers of metadata leave alone). */
function png(...chunks: readonly (readonly [type: string, data: string])[]): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(type, 'latin1'), data, Buffer.alloc(4)]);
  };
  const header = Buffer.from([0, 0, 0, 4, 0, 0, 0, 3, 8, 2, 0, 0, 0]);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...chunks.map(([type, data]) => chunk(type, Buffer.from(data, 'latin1'))),
    chunk('IDAT', Buffer.alloc(70_000)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

it('PNG: dimensions, and text behind the picture', async () => {
  const bytes = png(['tEXt', 'Author\0somebody']);
  const { facts } = await extracted(bytes);
  expect(facts).toMatchObject({ 'png.ImageWidth': 4, 'png.ImageHeight': 3, 'png.Author': 'somebody' });
});

describe('a TIFF file whose directory stands behind its picture', () => {
  const behind = (size: number) => {
    const bytes = Buffer.alloc(size + 18);
    bytes.write('II*\0', 'latin1');
    bytes.writeUInt32LE(size, 4);
    Buffer.from([1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]).copy(bytes, size); // one field: orientation 6
    return bytes;
  };

  it('is found there', async () => {
    expect((await extracted(behind(9_000_000))).facts).toEqual({ 'exif.Orientation': 6 });
  });

  it('is told of where it is too far', async () => {
    const { facts, problems } = await extracted(behind(67_108_864));
    expect(facts).toEqual({});
    expect(problems.all[0]).toMatchObject({ code: 'exif.far', hidesEvidence: true });
  });
});

describe('HEIC', () => {
  const u32 = (value: number) => Buffer.from([value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]);
  const box = (type: string, ...parts: Buffer[]) =>
    Buffer.concat([u32(8 + Buffer.concat(parts).length), Buffer.from(type, 'latin1'), ...parts]);
  const full = (type: string, version: number, ...parts: Buffer[]) => box(type, Buffer.from([version, 0, 0, 0]), ...parts);

  /** ISO/IEC 14496-12 (8.11: meta, iinf, iloc) and 23008-12 (annex A: an item of type Exif begins with the offset of its TIFF header). */
  function heic(tiff: Buffer): Buffer {
    const item = Buffer.concat([u32(6), Buffer.from('Exif\0\0', 'latin1'), tiff]);
    const type = box('ftyp', Buffer.from('heic\0\0\0\0mif1heic', 'latin1'));
    const handler = full('hdlr', 0, Buffer.from('\0\0\0\0pict', 'latin1'), Buffer.alloc(13));
    const info = full('iinf', 0, Buffer.from([0, 1]), full('infe', 2, Buffer.from([0, 1, 0, 0]), Buffer.from('Exif\0', 'latin1')));
    const location = (offset: number) =>
      full('iloc', 1, Buffer.from([0x44, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1]), u32(offset), u32(item.length));
    const meta = (offset: number) => full('meta', 0, handler, info, location(offset));
    return Buffer.concat([type, meta(type.length + meta(0).length + 8), box('mdat', item)]);
  }

  it('gives the EXIF of its item', async () => {
    const jpeg = camera();
    const tiff = jpeg.subarray(jpeg.indexOf('II*\0', 0, 'latin1'), jpeg.indexOf('\xff\xfe', 0, 'latin1'));
    const { facts, problems } = await extracted(heic(tiff));
    const expected = Object.entries(fixtureExpected('exif-camera').facts).filter(([name]) => name.startsWith('exif.'));
    expect(facts).toEqual(Object.fromEntries(expected));
    expect(problems.codes()).toEqual([]);
  });

  it.each([
    ['a box before it that claims no bytes, to the end of the file', (bytes: Buffer) => bytes.fill(0, 24, 28), []], // 14496-12, 4.2: size 0
    ['a box that claims three', (bytes: Buffer) => bytes.writeUInt32BE(3, 24), ['exif.damaged']],
    ['an item beyond the file', (bytes: Buffer) => bytes.writeUInt32BE(0x7fff_ffff, bytes.indexOf('mdat') - 12), ['exif.damaged']],
    [
      'thousands of items, none of them the wanted one',
      (bytes: Buffer) => {
        bytes.writeUInt16BE(9, bytes.indexOf('Exif') - 4);
        bytes.fill(0x7f, bytes.indexOf('iloc') + 10, bytes.indexOf('iloc') + 12);
      },
      ['exif.damaged'],
    ],
  ])('%s', async (_, damage, codes) => {
    const bytes = heic(Buffer.from('II*\0\x08\0\0\0\0\0\0\0\0\0', 'latin1'));
    damage(bytes);
    expect((await extracted(bytes)).problems.codes()).toEqual(codes);
  });

  it('damaged copies end', async () => {
    const whole = heic(camera().subarray(12, 700));
    for (const { mutant } of mutants(whole, 300)) await extracted(mutant);
  });
});

describe('damaged copies', () => {
  const samples: [string, Uint8Array, number][] = [
    ['exif-camera', camera(), 150],
    [
      'png',
      png(['tEXt', 'a\0b'], ['iTXt', 'k\0\0\0\0\0v'], ['eXIf', 'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0']),
      200,
    ],
  ];
  if (hasCorpus) {
    for (const name of [
      'img_1771.jpg',
      'iptc-agency.jpg',
      'issue-exif-js-124.tiff',
      'heic-single.heic',
      'png_with_exif_and_gps.png',
      'testCR2.cr2',
      'Irvine_CA.avif',
    ]) {
      samples.push([name, corpusBytes(`metadata/ext/img/${name}`).subarray(0, 100_000), 100]);
    }
  }
  it.each(samples)('%s: nothing is thrown, nothing hangs, facts are plain and bounded', async (_, bytes, count) => {
    const head = bytes.subarray(0, 8192); // where the metadata is: damage to the picture would teach nothing
    for (const { mutant, seed } of mutants(head, count)) {
      const { facts } = await extracted(Buffer.concat([mutant, bytes.subarray(8192)]));
      expect(JSON.stringify(facts).length, `seed ${seed}`).toBeLessThan(500_000);
      expect(
        Object.values(facts).every((value) =>
          (Array.isArray(value) ? value : [value]).every((item) => typeof item !== 'number' || Number.isFinite(item)),
        ),
      ).toBe(true);
    }
  });
});

describe.skipIf(!hasCorpus)('ExifTool 12.57', () => {
  const files = hasCorpus
    ? (corpusExpected('metadata').files as Record<string, { exiftool: Record<string, unknown>; file_mime: string }>)
    : {};
  const names = Object.keys(files).filter((name) => /\/img\/.*\.(jpg|tif|tiff|png|cr2|heic|heif|avif)$/.test(name));
  const said = [
    'IFD0:Make',
    'IFD0:Model',
    'IFD0:Orientation',
    'IFD0:ModifyDate',
    'IFD0:Software',
    'IFD0:Artist',
    'ExifIFD:DateTimeOriginal',
    'ExifIFD:CreateDate',
    'ExifIFD:ExposureTime',
    'ExifIFD:FNumber',
    'ExifIFD:ISO',
    'ExifIFD:ExifImageWidth',
    'ExifIFD:ExifImageHeight',
    'ExifIFD:FocalLength',
    'ExifIFD:LensModel',
    'GPS:GPSLatitudeRef',
    'GPS:GPSLongitudeRef',
    'GPS:GPSDateStamp',
    'IPTC:City',
    'IPTC:Headline',
    'IPTC:Credit',
    'IPTC:ObjectName',
    'IPTC:CopyrightNotice',
  ];

  it.each(names)('%s: maker, model, dates, exposure, orientation, place and captions', async (name) => {
    const { facts, problems } = await extracted(corpusBytes(`metadata/${name}`));
    const { exiftool } = files[name]!;
    for (const field of said.filter((field) => field in exiftool)) {
      const [group, tag] = field.split(':') as [string, string];
      const value = facts[`${group === 'IPTC' ? 'iptc' : 'exif'}.${tag}`];
      expect({ [field]: value === undefined ? value : String(value).trim() }).toEqual({ [field]: String(exiftool[field]).trim() });
    }
    for (const axis of ['Latitude', 'Longitude']) {
      const [found, expected] = [facts[`exif.${axis.toLowerCase()}`], exiftool[`GPS:GPS${axis}`]];
      if (expected !== undefined) expect(Math.abs(found as number)).toBeCloseTo(Number(expected), 9); // ExifTool's has no sign
    }
    expect(problems.codes()).toEqual([]);
  });
});

describe.skipIf(!hasCorpus)('hostile pictures of the corpus', () => {
  it.each([
    'ext/exifr-broken1.jpg',
    'ext/exifr-offset-outside-bounds.jpg',
    'gen/huge-dims.png',
    'gen/ztxt-bomb.png',
    'gen/tiff-next-loop.tif',
  ])('%s', async (name) => {
    const before = process.memoryUsage().rss;
    const { facts, problems } = await extracted(corpusBytes(`hostile/${name}`));
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    if (name.includes('loop')) expect(problems.codes()).toEqual(['exif.damaged']);
    else expect(Object.keys(facts).length).toBeGreaterThan(0);
  });
});
