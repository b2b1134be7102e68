/** Every image of the corpus, against what ewf-tools, 7-Zip and the corpus' own unpacked media say. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { type ImageFormat, type Segment } from '../../src/evidence/image.ts';
import { ewf } from '../../src/images/ewf.ts';
import { raw, splitRaw } from '../../src/images/raw.ts';
import { readMedia, sha256 } from '../contracts/image.ts';
import { corpusBytes, corpusExpected, corpusFolder, hasCorpus } from '../support/corpus.ts';
import { keepProblems } from '../support/problems.ts';
import { expectFacts, type InfoFields } from './ewf-info.ts';
import { segmentsAt } from './segments.ts';

const expected = hasCorpus ? corpusExpected('images') : { files: {}, media: {} };
const hostile = hasCorpus ? corpusExpected('hostile') : { files: {} };
// biome-ignore lint/suspicious/noExplicitAny: the corpus' own JSON
const filesOf = (format: string): [string, any][] =>
  Object.entries(expected.files).filter(([, file]) => (file as { format?: string }).format === format);

function open(format: ImageFormat, segments: readonly Segment[]) {
  const problems = keepProblems();
  const image = format.open(segments, problems);
  const digest = sha256(readMedia(image.media, 1 << 20));
  return { image, digest, problems };
}

const folderOf = (path: string): string => join(corpusFolder, 'images', path);
const segmentsOf = (format: ImageFormat, path: string): Segment[] => segmentsAt(format.segmentPaths(folderOf(path)));
/** Unpacked where the corpus stores it packed with zstd; everything else as it stands. */
const oneSegment = (path: string): Segment[] => {
  const bytes = path.endsWith('.zst') ? corpusBytes(path) : readFileSync(join(corpusFolder, path));
  return [{ name: basename(path).replace(/\.zst$/, ''), source: memorySource(bytes) }];
};

describe.skipIf(!hasCorpus)('images of the corpus', () => {
  const ewfFiles = filesOf('EWF').filter(([path]) => !path.endsWith('.Ex01'));

  it('has the images it should have', () => {
    expect(ewfFiles.length).toBeGreaterThanOrEqual(13);
  });

  it.each(ewfFiles)('%s: medium, facts and stored hashes as ewfinfo, ewfverify and the raw medium give them', (path, file) => {
    const { image, digest, problems } = open(ewf, segmentsOf(ewf, path));
    expect(digest).toBe(file.media);
    expect(problems.all).toEqual([]);
    expect(image.damage.bytes).toBe(0);
    expectFacts(image, file.ewfinfo as InfoFields);
    expect(file.ewfverify.md5).toBe(file.ewfverify.md5_stored);
  });

  it('finds all segments of a set, whichever is given', () => {
    for (const [path, file] of Object.entries(expected.files) as [string, { part_of?: string }][]) {
      if (file.part_of === undefined || !/\.(E\d\d|\d{3})$/.test(path)) continue;
      const format = path.includes('.E') ? ewf : splitRaw;
      const names = format.segmentPaths(folderOf(path)).map((found) => basename(found));
      const stem = basename(path).replace(/\.[^.]+$/, '');
      const beside = readdirSync(dirname(folderOf(path))).filter((name) => name.startsWith(`${stem}.`));
      expect(names).toEqual(beside.sort());
    }
  });

  it.each(filesOf('raw'))('%s: a raw image gives its own bytes', (path, file) => {
    const { digest, problems } = open(raw, oneSegment(`images/${path}`));
    expect(digest).toBe(file.media);
    expect(problems.all).toEqual([]);
  });

  it.each(filesOf('split raw'))('%s: the parts make up the medium', (path, file) => {
    const { digest, problems } = open(splitRaw, segmentsOf(splitRaw, path));
    expect(digest).toBe(file.media);
    expect(problems.all).toEqual([]);
  });

  it('names every container that it would take for a raw image', () => {
    const others = (Object.entries(expected.files) as [string, { format?: string; part_of?: string }][]).filter(
      ([path, { format }]) => !path.endsWith('.json') && !['raw', 'split raw', 'EWF'].includes(format ?? ''),
    );
    expect(others.length).toBeGreaterThan(15);
    const silent = others.filter(([path, { part_of }]) => {
      if (part_of !== undefined && !path.endsWith('.vmdk')) return false; // part of a set that another name stands for
      const { problems } = open(raw, oneSegment(`images/${path}`));
      return !problems.codes().includes('raw.other-container');
    });
    expect(silent).toEqual([]);
    expect(open(raw, oneSegment('images/ext/zeros_128s_compressed.Ex01')).problems.codes()).toContain('raw.other-container');
  });
});

describe.skipIf(!hasCorpus)('damaged EWF images of the corpus', () => {
  const path = (name: string): string => join(corpusFolder, 'hostile', name);
  const base = (name: string): Buffer => readMedia(open(ewf, segmentsOf(ewf, name)).image.media, 1 << 20);

  it('a wrong byte in a chunk: said with its place, counted, zeros given', () => {
    // ewfverify 20140813: "at sector(s): 832 - 895 (number: 64)", 512 bytes each; the chunk held zeros before it was damaged, so the MD5 still fits
    const { image, problems } = open(ewf, segmentsAt([path('gen/mut-e01-bad-chunk.E01')]));
    expect(problems.codes()).toEqual(['ewf.chunk-checksum']);
    expect(problems.all.map(({ at, hidesEvidence }) => [at, hidesEvidence])).toEqual([[832 * 512, true]]);
    expect(image.damage.bytes).toBe(64 * 512);
    const media = readMedia(image.media, 1 << 20);
    expect(differences(media, base('gen/tiny-ftk-best.E01')).madeUp).toBe(0);
    expect(media.subarray(832 * 512, 896 * 512).every((byte) => byte === 0)).toBe(true);
  });

  it('cut off: what is there is read, the rest is zeros and told', () => {
    const { image, problems } = open(ewf, segmentsAt([path('gen/mut-e01-truncated.E01')]));
    const media = readMedia(image.media, 1 << 20);
    const good = base('gen/disk-mbr-encase6-best.E01');
    expect(problems.codes()).toContain('ewf.chunks-missing');
    const wrong = differences(media, good);
    expect(wrong.madeUp).toBe(0);
    // 637,590 of 956,386 bytes are left; ewfexport 20140813 opens nothing of it
    expect(media.subarray(0, 50 * 1024 * 1024).equals(good.subarray(0, 50 * 1024 * 1024))).toBe(true);
  });

  it('a stored MD5 that is not that of the medium is given as it stands', () => {
    const { image, digest } = open(ewf, segmentsAt([path('gen/mut-e01-wrong-md5.E01')]));
    const { media, ewfverify } = expected.files['gen/tiny-linen5-fast-chunk128.E01'];
    expect(digest).toBe(media);
    expect(image.storedHashes.map(({ value }) => value)).not.toContain(ewfverify.md5);
    expect(image.storedHashes.filter(({ algorithm }) => algorithm === 'md5')).not.toEqual([]);
  });

  it('segment E03 of four is missing: its chunks are zeros, those of E04 stand in their place', () => {
    const { set } = hostile.files['gen/mut-missing-segment'];
    const segments = (Object.entries(set) as [string, string][]).map(([name, file]) => ({
      name,
      source: memorySource(readFileSync(join(corpusFolder, file))),
    }));
    const { image, problems } = open(ewf, segments);
    const media = readMedia(image.media, 1 << 20);
    const good = base('gen/tiny-encase6-none-split.E01');
    expect(problems.codes()).toEqual(['ewf.chunk-missing', 'ewf.chunks-missing', 'ewf.segment-missing']);
    const wrong = differences(media, good);
    expect(wrong.madeUp).toBe(0);
    expect(media.subarray(-65_536).equals(good.subarray(-65_536))).toBe(true);
    expect(image.damage.bytes).toBeGreaterThan(0);
  });

  it.each(['ext/ewff-fuzz-add-overflow.E01'])('%s: refused or reported, never thrown otherwise', (name) => {
    expect(existsSync(path(name))).toBe(true);
    const problems = keepProblems();
    let refused = '';
    try {
      readMedia(ewf.open(segmentsAt([path(name)]), problems).media, 1 << 20);
    } catch (error) {
      refused = (error as { code: string }).code;
    }
    expect(refused !== '' || problems.all.length > 0).toBe(true);
    if (refused !== '') expect(refused).toMatch(/^ewf\./);
  });
});

/** Bytes that differ from the good ones, and how many of those are not the zeros of a gap. */
function differences(media: Buffer, good: Buffer): { count: number; madeUp: number } {
  expect(media.length).toBe(good.length);
  let count = 0;
  let madeUp = 0;
  for (let at = 0; at < media.length; at++) {
    if (media[at] === good[at]) continue;
    count++;
    if (media[at] !== 0) madeUp++;
  }
  return { count, madeUp };
}
