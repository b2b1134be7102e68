/** `verify --evidence`: the right image, another one, one changed byte, one file too few. */
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkEvidence } from '../../src/reports/verify/evidence.ts';
import { fixtureFolder, fixturePath } from '../support/fixture.ts';
import { type MadeReport, makeReport, verify } from './made-report.ts';
import { sampleFindings } from './sample-findings.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-evidence-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const words = (checks: readonly { what: string; verdict: string; text: string }[], what: string) => {
  const { verdict, text } = checks.find((check) => check.what === what)!;
  return `${verdict}: ${text}`;
};

describe('a raw image of three leaves', () => {
  let report: MadeReport;
  let image: string;

  beforeAll(async () => {
    image = join(folder, 'disk.raw');
    writeFileSync(image, zstdDecompressSync(readFileSync(fixturePath('fat-fat12-deleted'))));
    truncateSync(image, 136 * 1024 * 1024); // 64 + 64 + 8 MiB
    report = await makeReport(image);
  });
  afterAll(() => report.close());

  async function changedAt(offset: number) {
    const changed = join(folder, 'changed.raw');
    copyFileSync(image, changed);
    const file = openSync(changed, 'r+');
    writeSync(file, Buffer.from([0xa5]), 0, 1, offset);
    closeSync(file);
    return verify(report, report.folder, { evidence: [changed] });
  }

  it('is accepted', async () => {
    const { status, checks } = await verify(report, report.folder, { evidence: [image] });
    expect(status).toBe(0);
    expect(words(checks, 'evidence files')).toMatch(/^ok: the file of the image is what was received/);
    expect(words(checks, 'evidence medium')).toMatch(/^ok: .*md5, sha1, sha256 equal/);
  });

  // a leaf is 64 MiB = 67108864 bytes: by hand
  it.each([
    [700_000, '0 to 67108864'],
    [67_108_863, '0 to 67108864'],
    [67_108_864, '67108864 to 134217728'],
    [142_606_335, '134217728 to 201326592'],
  ])('with byte %i changed is refused, and the place is told', async (offset, place) => {
    const { status, failed, checks } = await changedAt(offset);
    expect([status, failed]).toEqual([1, ['evidence files', 'evidence medium']]);
    expect(words(checks, 'evidence medium')).toContain(`1 of 3 leaves differ: bytes ${place}`);
  });

  it('is not another image, and not a longer one', async () => {
    expect((await verify(report, report.folder, { evidence: [fixturePath('ewf-encase6')] })).failed).toEqual([
      'evidence files',
      'evidence medium',
    ]);
    const longer = join(folder, 'longer.raw');
    copyFileSync(image, longer);
    truncateSync(longer, 137 * 1024 * 1024);
    expect((await verify(report, report.folder, { evidence: [longer] })).status).toBe(1);
  });
});

describe('an image of three segments', () => {
  let report: MadeReport;
  const segments = ['image.E01', 'image.E02', 'image.E03'];
  beforeAll(async () => {
    report = await makeReport(fixturePath('ewf-split'));
  });
  afterAll(() => report.close());

  function set(names: readonly string[]): string {
    const place = mkdtempSync(join(folder, 'set-'));
    for (const name of names) copyFileSync(join(fixtureFolder('ewf-split'), name), join(place, name));
    return place;
  }

  it.each([{ named: ['image.E01'] }, { named: ['image.E02'] }, { named: segments }])(
    'is accepted whichever of them are named: $named',
    async ({ named }) => {
      const place = set(segments);
      const { status, checks } = await verify(report, report.folder, { evidence: named.map((name) => join(place, name)) });
      expect(status, JSON.stringify(checks)).toBe(0);
      expect(words(checks, 'evidence files')).toContain('3 files of the image are what was received');
    },
  );

  it('of which the last is missing is incomplete, not another', async () => {
    const { status, failed, checks } = await verify(report, report.folder, { evidence: [join(set(segments.slice(0, 2)), 'image.E01')] });
    expect([status, failed]).toEqual([2, []]);
    expect(words(checks, 'evidence files')).toMatch(/^incomplete: image\.E03 is not there; the 2 other files are what was received/);
    expect(words(checks, 'evidence medium')).toMatch(/^unchecked/);
  });

  it('of which one is changed is told by its name', async () => {
    const place = set(segments);
    const second = readFileSync(join(place, 'image.E02'));
    second[5000]! ^= 1;
    writeFileSync(join(place, 'image.E02'), second);
    const { status, checks } = await verify(report, report.folder, { evidence: [join(place, 'image.E01')] });
    expect(status).toBe(1);
    expect(words(checks, 'evidence files')).toMatch(/^fail: image\.E02: SHA-256/);
  });

  it('may not be mixed with another', async () => {
    const { status, checks } = await verify(report, report.folder, {
      evidence: [join(set(segments), 'image.E01'), fixturePath('ewf-encase6')],
    });
    expect(status).toBe(2);
    expect(words(checks, 'evidence')).toMatch(/not of the same image/);
  });
});

it('of which nobody digested the medium is not called the one examined', () => {
  // unit hash-media was given up: no digest of the medium, and the files' only at the end
  const { media, integrity } = sampleFindings('x');
  const findings = sampleFindings('x', {
    media: { ...media, digests: {} },
    integrity: { ...integrity, status: 'unknown', atReceipt: null },
  });
  const digested = { media: { sha256: 'ab'.repeat(32) }, leaves: [], segments: [...integrity.atConclusion], refused: null };
  const checks = checkEvidence(folder, findings, digested);
  expect(checks.map(({ verdict }) => verdict)).toEqual(['ok', 'unchecked']);
  expect(words(checks, 'evidence medium')).toContain('holds no digest');
});
