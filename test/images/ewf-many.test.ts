/** EWF files of very many small sections: what is done for each is bounded, so that none of them takes minutes. */
import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { ewf } from '../../src/images/ewf.ts';
import { readMedia, sha256 } from '../contracts/image.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { sealDescriptor, sectionOf } from './ewf-surgery.ts';
import { segmentOf } from './segments.ts';

const good = readFileSync(fixturePath('ewf-encase6'));

/** `count` sections of `type` with `data` in front of the section `done`; `next` tells what each says of the next one. */
function withMany(type: string, count: number, data: (index: number) => Uint8Array, next: (at: number) => number): Buffer {
  const done = sectionOf(good, 'done');
  const parts: Buffer[] = [good.subarray(0, done.offset)];
  let at = done.offset;
  for (let index = 0; index < count; index++) {
    const bytes = data(index);
    const descriptor = Buffer.alloc(76);
    descriptor.write(type, 'latin1');
    descriptor.writeBigUInt64LE(BigInt(next(at + 76 + bytes.length)), 16);
    descriptor.writeBigUInt64LE(BigInt(76 + bytes.length), 24);
    sealDescriptor(descriptor, 0);
    parts.push(descriptor, Buffer.from(bytes));
    at += 76 + bytes.length;
  }
  const end = Buffer.from(good.subarray(done.offset));
  end.writeBigUInt64LE(BigInt(at), 16);
  sealDescriptor(end, 0);
  return Buffer.concat([...parts, end]);
}

function read(bytes: Buffer) {
  const problems = keepProblems();
  const image = ewf.open([segmentOf('image.E01', bytes)], problems);
  expect(sha256(readMedia(image.media, 1 << 20))).toBe(fixtureExpected('ewf-encase6').sha256);
  return { image, problems };
}

const nothing = new Uint8Array(0);

it('a chain that breaks at each of 20,000 sections is given up after 1,000', () => {
  const problems = keepProblems(); // each leads to the end of the file: a place that is looked for, and holds no section
  const lying = withMany(
    'session',
    20_000,
    () => nothing,
    () => good.length + 20_000 * 76,
  );
  const image = ewf.open([segmentOf('image.E01', lying)], problems);
  expect(sha256(readMedia(image.media, 1 << 20))).toBe(fixtureExpected('ewf-encase6').sha256); // its chunks stand in front of all that
  expect(problems.all.filter(({ code }) => code === 'ewf.section-chain').length).toBe(1001);
});

it('100,000 sections that are sound and of no use are passed over', () => {
  expect(
    read(
      withMany(
        'session',
        100_000,
        () => nothing,
        (end) => end,
      ),
    ).problems.all,
  ).toEqual([]);
});

it('20,000 stored digests that all differ: the first 64 are read, and that is said', () => {
  const { image, problems } = read(
    withMany(
      'hash',
      20_000,
      (index) => Buffer.alloc(36, 1 + (index % 250)),
      (end) => end,
    ),
  );
  expect(image.storedHashes.length).toBeLessThanOrEqual(2 + 64);
  expect(problems.all.filter(({ code }) => code === 'ewf.section-count')).toMatchObject([{ hidesEvidence: true }]);
});

it('2,000 headers that each unpack to 1 MiB: the first 64 are read', () => {
  const packed = deflateSync(Buffer.alloc(1024 * 1024 - 1, 0x20));
  const { image, problems } = read(
    withMany(
      'header',
      2000,
      () => packed,
      (end) => end,
    ),
  );
  expect(image.acquisition.caseNumber).toBe('case-7');
  expect(problems.codes()).toEqual(['ewf.headers-differ', 'ewf.section-count']);
});
