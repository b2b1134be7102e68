/** Raw and split raw images: which files make up a medium, and what is said where some are missing. */
import { describe, expect, it } from 'vitest';
import { ReadError } from '../../src/bytes/read-error.ts';
import { makeSource } from '../../src/bytes/source.ts';
import { numberOfPart } from '../../src/images/raw/part-names.ts';
import { raw, splitRaw } from '../../src/images/raw.ts';
import { imageContract, readMedia, sha256 } from '../contracts/image.ts';
import { keepProblems } from '../support/problems.ts';
import { namesOf } from './folder.ts';
import { segmentOf } from './segments.ts';

/** 300 sectors, each full of its own number modulo 251. */
const medium = Buffer.concat(Array.from({ length: 300 }, (_, sector) => Buffer.alloc(512, sector % 251)));
/** python3 -c "import hashlib;print(hashlib.sha256(b''.join(bytes([i%251])*512 for i in range(300))).hexdigest())" (Python 3.11) */
const witness = { mediaSize: 153_600, sha256: '89d445b2f8aa081ed7a0cfb31069f2ad05eb19b7d1c2f35b45d234ac226651c4' };

const parts = (names: readonly string[], size = 40_000) =>
  names.map((name, index) => segmentOf(name, medium.subarray(index * size, (index + 1) * size)));

imageContract(raw, 'a raw medium', () => [segmentOf('disk.dd', medium)], witness);
imageContract(splitRaw, 'a medium in .001 to .004', () => parts(['disk.001', 'disk.002', 'disk.003', 'disk.004']), witness);
imageContract(splitRaw, 'a medium in .aa to .ad', () => parts(['disk.aa', 'disk.ab', 'disk.ac', 'disk.ad']), witness);

describe('parts of a split image', () => {
  const found = namesOf(splitRaw);
  const digits = ['disk.001', 'disk.002', 'disk.003'];

  it('are found from any one of them, in order', () => {
    for (const given of digits) expect(found(given, ['disk.003', 'disk.001', 'disk.002'])).toEqual(digits);
    expect(found('disk.ab', ['disk.ab', 'disk.aa', 'disk.ac'])).toEqual(['disk.aa', 'disk.ab', 'disk.ac']);
    expect(found('d.000', ['d.000', 'd.001'])).toEqual(['d.000', 'd.001']);
    expect(found('d.01', ['d.01', 'd.02'])).toEqual(['d.01', 'd.02']);
    expect(found('d.AA', ['d.AA', 'd.AB'])).toEqual(['d.AA', 'd.AB']);
    expect(found('d.aaa', ['d.aaa', 'd.aab'])).toEqual(['d.aaa', 'd.aab']);
    expect(found('d.raw.001', ['d.raw.001', 'd.raw.002', 'd.001'])).toEqual(['d.raw.001', 'd.raw.002']);
  });

  it('go on where the numbers grow wider', () => {
    const names = ['d.998', 'd.999', 'd.1000', 'd.1001'];
    expect(found('d.999', names)).toEqual(names);
    expect(found('d.1000', names)).toEqual(names);
    expect(found('d.01', ['d.01', 'd.001', 'd.002', 'd.02'])).toEqual(['d.01', 'd.02']);
  });

  it('go on as GNU split names them when two signs no longer do', () => {
    // coreutils 9.1, of 1,000 parts: `split -d` gives .88 .89 .9000 to .9899 .990000 to .990009; `split` gives .yy .yz .zaaa to .zanl
    const digitsGrown = ['d.88', 'd.89', 'd.9000', 'd.9001', 'd.9899', 'd.990000'];
    expect(digitsGrown.map(numberOfPart)).toEqual([88, 89, 90, 91, 989, 990]);
    const first = Array.from({ length: 90 }, (_, number) => `d.${String(number).padStart(2, '0')}`);
    expect(found('d.00', [...first, 'd.9000', 'd.9001'])).toEqual([...first, 'd.9000', 'd.9001']);
    expect(found('d.9001', [...first, 'd.9000', 'd.9001'])).toEqual([...first, 'd.9000', 'd.9001']);
    expect(['d.yy', 'd.yz', 'd.zaaa', 'd.zaab', 'd.zanl'].map(numberOfPart)).toEqual([648, 649, 650, 651, 999]);
    expect(found('d.001', ['d.001', 'd.002', 'd.9000'])).toEqual(['d.001', 'd.002']);
  });

  it('are found beyond a gap, which `open` reports', () => {
    expect(found('d.001', ['d.001', 'd.005', 'd.250'])).toEqual(['d.001', 'd.005', 'd.250']);
    expect(found('d.aa', ['d.aa', 'd.ab', 'd.ae'])).toEqual(['d.aa', 'd.ab', 'd.ae']);
  });

  it('are not what only looks like them', () => {
    expect(found('disk.001', [...digits, 'disk.txt', 'disk.001.txt', 'disk.md5', 'other.004', 'disk.004/', 'disk.2026'])).toEqual(digits);
    expect(found('disk.aa', ['disk.aa', 'disk.ab', 'disk.db', 'disk.gz', 'disk.dd', 'disk.AC', 'disk.01'])).toEqual(['disk.aa', 'disk.ab']);
    expect(found('disk.dd', ['disk.dd', 'disk.de'])).toEqual([]);
    expect(found('disk.img', ['disk.img', 'disk.txt', 'disk.log'])).toEqual([]);
    expect(found('disk.gz', ['disk.aa', 'disk.ab', 'disk.gz'])).toEqual([]);
    expect(found('backup.2025', ['backup.2025', 'backup.2026'])).toEqual([]);
    expect(found('disk.001', ['disk.001'])).toEqual([]);
    expect(found('disk', ['disk', 'disk.001', 'disk.002'])).toEqual([]);
  });
});

describe('a split image with a missing part', () => {
  const whole = ['d.001', 'd.002', 'd.003', 'd.004'];
  const open = (present: readonly string[], names = whole) => {
    const problems = keepProblems();
    const image = splitRaw.open(
      parts(names).filter(({ name }) => present.includes(name)),
      problems,
    );
    return { image, problems, media: readMedia(image.media, 30_000) };
  };

  it('keeps every byte in its place and has zeros for the missing', () => {
    for (const missing of ['d.002', 'd.003']) {
      const { image, problems, media } = open(whole.filter((name) => name !== missing));
      const at = whole.indexOf(missing) * 40_000;
      const expected = Buffer.from(medium);
      expected.fill(0, at, at + 40_000);
      expect(media.equals(expected)).toBe(true);
      expect(problems.all).toMatchObject([{ code: 'split-raw.part-missing', hidesEvidence: true }]);
      expect(image.damage.bytes).toBe(40_000);
    }
  });

  it('knows that the first is missing, with digits and with letters', () => {
    const expected = Buffer.from(medium);
    expected.fill(0, 0, 40_000);
    expect(open(['d.002', 'd.003', 'd.004']).media.equals(expected)).toBe(true);
    const letters = open(['d.ab', 'd.ac', 'd.ad'], ['d.aa', 'd.ab', 'd.ac', 'd.ad']);
    expect(letters.problems.codes()).toEqual(['split-raw.part-missing']);
    expect(letters.media.equals(expected)).toBe(true);
  });

  it('of a set that begins with .000 misses nothing', () => {
    expect(open(['d.000', 'd.001'], ['d.000', 'd.001']).problems.codes()).not.toContain('split-raw.part-missing');
  });

  it('says which part has another size than the first', () => {
    const problems = keepProblems();
    const segments = [
      segmentOf('d.001', medium.subarray(0, 1024)),
      segmentOf('d.002', medium.subarray(0, 512)),
      segmentOf('d.003', medium),
    ];
    splitRaw.open(segments, problems);
    expect(problems.all).toMatchObject([{ code: 'split-raw.part-size', hidesEvidence: true }]);
    expect(problems.all[0]!.message).toContain('d.002: 512 bytes, expected 1024');
  });
});

describe('a raw image', () => {
  const open = (name: string, bytes: Uint8Array) => {
    const problems = keepProblems();
    return { image: raw.open([segmentOf(name, bytes)], problems), problems };
  };

  it('that is empty is refused', () => {
    expect(() => open('disk.dd', new Uint8Array(0))).toThrow(expect.objectContaining({ code: 'image.empty' }));
    expect(() => splitRaw.open([segmentOf('a.001', new Uint8Array(0))], keepProblems())).toThrow(
      expect.objectContaining({ code: 'image.empty' }),
    );
  });

  it('that ends within a sector says so and gives every byte', () => {
    const { image, problems } = open('disk.dd', medium.subarray(0, 1000));
    expect(image.media.size).toBe(1000);
    expect(problems.all).toMatchObject([{ code: 'raw.partial-sector', at: 512 }]);
  });

  it('that has the name of a later part says so', () => {
    expect(open('disk.003', medium).problems.codes()).toEqual(['raw.lone-part']);
    expect(open('disk.001', medium).problems.all).toEqual([]);
    expect(open('disk.dd', medium).problems.all).toEqual([]);
  });

  it('that is another container is named', () => {
    // signatures: QEMU docs/interop/qcow2.txt; VMware Virtual Disk Format 5.0; Microsoft VHD 1.0 and VHDX 1.0; libewf EWF2; UDIF trailer "koly"
    const samples: [string, number, string][] = [
      ['QCOW', 0, 'QFI\xfb'],
      ['VMDK', 0, 'KDMV'],
      ['VHD', medium.length - 512, 'conectix'],
      ['VHDX', 0, 'vhdxfile'],
      ['VDI', 64, '\x7f\x10\xda\xbe'],
      ['UDIF', medium.length - 512, 'koly'],
      ['Ex01', 0, 'EVF2\r\n\x81\0'],
      ['gzip', 0, '\x1f\x8b\x08'],
    ];
    for (const [label, at, bytes] of samples) {
      const disguised = Buffer.from(medium);
      disguised.write(bytes, at, 'latin1');
      const { problems } = open('disk.dd', disguised);
      expect(problems.all).toMatchObject([{ code: 'raw.other-container', hidesEvidence: true }]);
      expect(problems.all[0]!.message).toContain(label);
    }
    expect(open('disk.E01', medium).problems.codes()).toEqual(['raw.other-container']);
  });

  it('reads around bad sectors: 4 KiB of zeros each, told once, counted each time', () => {
    const bad = [8192, 100_000];
    const source = makeSource(medium.length, (target, offset) => {
      const hit = bad.find((at) => at >= offset && at < offset + target.length);
      if (hit !== undefined) throw new ReadError('read.refused', `byte ${hit}: EIO (test)`, offset, target.length);
      const part = medium.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    });
    const problems = keepProblems();
    const image = raw.open([{ name: 'disk.dd', source }], problems);
    const expected = Buffer.from(medium);
    expected.fill(0, 8192, 12_288);
    expected.fill(0, 98_304, 102_400); // 100,000 lies in the piece from 24 * 4096 on
    expect(sha256(readMedia(image.media, 65_536))).toBe(sha256(expected));
    expect(problems.all).toMatchObject([
      { code: 'read.bad-sector', at: 8192, hidesEvidence: true },
      { code: 'read.bad-sector', at: 98_304, hidesEvidence: true },
    ]);
    expect(image.damage.bytes).toBe(8192);
    readMedia(image.media, 65_536);
    expect(image.damage.bytes).toBe(16_384);
    expect(problems.all.length).toBe(2);
  });
});
