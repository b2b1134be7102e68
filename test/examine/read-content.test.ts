/** Every locator that the examination writes into the catalogue leads back to the same bytes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/evidence/limits.ts';
import { imageLocator } from '../../src/evidence/locator.ts';
import { type VolumeReference } from '../../src/evidence/task.ts';
import { type EntryRecord } from '../../src/examine/entry-record.ts';
import { examineFiles } from '../../src/examine/examine-files.ts';
import { listFiles } from '../../src/examine/list-files.ts';
import { findSegments, type OpenImage, openFileSystem, openImage } from '../../src/examine/open-evidence.ts';
import { LocatedProblems } from '../../src/examine/problems.ts';
import { findContent } from '../../src/examine/read-content.ts';
import { survey } from '../../src/examine/survey.ts';
import { buildZip } from '../archives/build-zip.ts';
import { fixturePath } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { hasTool } from '../support/tools.ts';
import { readCopy, withOutlet } from './examined.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const columns = ['locator', 'path', 'type', 'size', 'allocated', 'sha256', 'media_type', 'record'];

/** As the threads do it, one after the other: what the survey finds, listed and examined. */
async function catalogueOf(opened: OpenImage) {
  const problems = () =>
    new LocatedProblems(
      defaultLimits.problemsPerCode,
      () => undefined,
      () => imageLocator,
    );
  const volumes: VolumeReference[] = survey(opened, problems()).volumes.flatMap(({ locator, offset, length, fileSystem }) =>
    fileSystem === null ? [] : [{ locator, offset, length, fileSystem: fileSystem.name }],
  );
  const entries: { volume: VolumeReference; record: EntryRecord }[] = [];
  for (const volume of volumes) {
    const listing = openFileSystem(opened.image, volume, keepProblems());
    const listed = await withOutlet(async (outlet) => void (await listFiles(listing, volume, outlet, problems())));
    for (const batch of listed.filter((batch) => batch.kind === 'files')) {
      const examination = {
        profile: { digests: ['sha256'], limits: defaultLimits },
        problems: problems(),
        counts: { entries: 0, files: 0, bytes: 0 },
      };
      const open = () => openFileSystem(opened.image, volume, keepProblems());
      const rows = await withOutlet(
        async (outlet) => void (await examineFiles(opened.image, open, batch.files, { ...examination, outlet })),
      );
      for (const found of rows.filter((rowBatch) => rowBatch.kind === 'rows' && rowBatch.table === 'entry')) {
        for (const { record } of readCopy((found as { rows: Uint8Array }).rows, columns))
          entries.push({ volume, record: JSON.parse(record!) });
      }
    }
  }
  return entries;
}

async function bytesAt(opened: OpenImage, volume: VolumeReference | null, locator: string): Promise<Buffer> {
  const { source, close } = await findContent(opened.image, volume, locator, keepProblems());
  const bytes = Buffer.from(source.read(0, source.size));
  close();
  return bytes;
}

const opening = (path: string) => openImage(findSegments(path), keepProblems());

it('files of a disk with several volumes', async () => {
  const opened = opening(fixturePath('disk-mbr-e01'));
  const entries = await catalogueOf(opened);
  expect(new Set(entries.map(({ volume }) => volume.fileSystem))).toEqual(new Set(['ext', 'fat']));
  expect(entries.length).toBeGreaterThan(40);
  expect(new Set(entries.map(({ record }) => record.locator)).size).toBe(entries.length);
  for (const { volume, record } of entries.filter(({ record }) => record.digests !== undefined)) {
    expect(sha256(await bytesAt(opened, volume, record.locator)), record.locator).toBe(record.digests!.sha256);
  }
  opened.close();
});

describe.skipIf(!hasTool('mcopy'))('members of archives on a volume that mtools made', () => {
  const innermost = buildZip([
    { name: 'deep/a:b%.txt', data: 'found\n' },
    { name: 'deep/a:b%.txt', data: 'found again\n' },
  ]);
  const secret = buildZip([
    { name: 'pw', data: 'xxxxxxxxxxxxx', flags: 0x801 },
    { name: 'broken', data: 'x'.repeat(100), packedSize: 9_999_999, size: 9_999_999 },
  ]);
  const outer = buildZip([
    { name: 'in ner/é.zip', data: innermost, method: 8 },
    { name: 'secret.zip', data: secret },
  ]);
  let folder = '';
  let opened: OpenImage;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'custodia-content-'));
    const image = join(folder, 'floppy.raw');
    writeFileSync(join(folder, 'outer.zip'), outer);
    writeFileSync(image, Buffer.alloc(1_474_560));
    execFileSync('mformat', ['-i', image, '-f', '1440', '::']);
    execFileSync('mcopy', ['-i', image, join(folder, 'outer.zip'), '::outer.zip']);
    opened = opening(image);
  });
  afterAll(() => {
    opened.close();
    rmSync(folder, { recursive: true });
  });

  it('every one of them', async () => {
    const entries = await catalogueOf(opened);
    expect(entries.map(({ record }) => record.path).sort()).toEqual([
      'outer.zip',
      'outer.zip/in ner/é.zip',
      'outer.zip/in ner/é.zip/deep/a:b%.txt',
      'outer.zip/in ner/é.zip/deep/a:b%.txt',
      'outer.zip/secret.zip',
      'outer.zip/secret.zip/broken',
      'outer.zip/secret.zip/pw',
    ]);
    for (const { volume, record } of entries.filter(({ record }) => record.digests !== undefined)) {
      expect(sha256(await bytesAt(opened, volume, record.locator)), record.locator).toBe(record.digests!.sha256);
    }
  });

  it('places where nothing is, and contents that cannot be had, are refused with a code', async () => {
    const [{ volume, record }] = (await catalogueOf(opened)).filter(({ record }) => record.path === 'outer.zip') as [
      { volume: VolumeReference; record: EntryRecord },
    ];
    const refused = (locator: string) =>
      bytesAt(opened, volume, locator).then(
        () => expect.unreachable(locator),
        (error) => error.code,
      );
    expect(await refused(`${record.locator}/zip:nothing`)).toBe('locator.not-found');
    expect(await refused(`${record.locator}/tar:x`)).toBe('locator.not-found');
    expect(await refused(`${record.locator}/zip:%`)).toBe('locator.malformed');
    expect(await refused(`${record.locator}/zip:secret.zip/zip:pw`)).toBe('zip.encrypted');
    expect(await refused('image:/mbr:1')).toBe('locator.not-found');
  });

  it('a damaged member gives what is there, and says that it is damaged', async () => {
    const { volume, record } = (await catalogueOf(opened)).find(({ record }) => record.path.endsWith('broken'))!;
    const problems = keepProblems();
    const { source, close } = await findContent(opened.image, volume, record.locator, problems);
    expect(source.size).toBeGreaterThanOrEqual(100);
    expect(problems.codes()).toContain('zip.truncated');
    close();
  });

  it('the medium and the volume themselves', async () => {
    const volume = { locator: imageLocator, offset: 0, length: 1_474_560, fileSystem: 'fat' };
    expect((await bytesAt(opened, null, imageLocator)).length).toBe(1_474_560);
    expect((await bytesAt(opened, volume, imageLocator)).length).toBe(1_474_560);
  });
});
