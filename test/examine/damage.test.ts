/** What damaged parts of an image make of the records of the files: the same, however the files are divided into batches. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultLimits } from '../../src/evidence/limits.ts';
import { imageLocator } from '../../src/evidence/locator.ts';
import { type LocatedProblem, type VolumeReference } from '../../src/evidence/task.ts';
import { type EntryRecord } from '../../src/examine/entry-record.ts';
import { examineFiles } from '../../src/examine/examine-files.ts';
import { listFiles } from '../../src/examine/list-files.ts';
import { findSegments, openFileSystem, openImage } from '../../src/examine/open-evidence.ts';
import { LocatedProblems } from '../../src/examine/problems.ts';
import { survey } from '../../src/examine/survey.ts';
import { fixturePath } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { type FoundProblem, problemsIn, readCopy, withOutlet } from './examined.ts';

const located = (emit: (problem: LocatedProblem) => void = () => undefined) =>
  new LocatedProblems(defaultLimits.problemsPerCode, emit, () => imageLocator);

const columns = ['locator', 'path', 'type', 'size', 'allocated', 'sha256', 'media_type', 'record'];

/** The E01 with one byte changed in the middle of the chunk that holds this byte of the medium. */
function withDamageAt(path: string, offset: number, work: (damaged: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-damage-'));
  const damaged = join(folder, 'damaged.E01');
  const opened = openImage(findSegments(path), keepProblems());
  const { chunkSize, endOf } = opened.image.chunks!;
  const index = Math.floor(offset / chunkSize);
  const start = index === 0 ? endOf(0).offset - 20 : endOf(index - 1).offset;
  const bytes = readFileSync(path);
  bytes[Math.floor((start + endOf(index).offset) / 2)]! ^= 0x55;
  writeFileSync(damaged, bytes);
  opened.close();
  return work(damaged).finally(() => rmSync(folder, { recursive: true }));
}

/** Records of all files, examined as one batch and as batches of one file each. */
async function bothWays(path: string, volume: VolumeReference) {
  const opened = openImage(findSegments(path), keepProblems());
  const listed = await withOutlet(
    async (outlet) => void (await listFiles(openFileSystem(opened.image, volume, keepProblems()), volume, outlet, located())),
  );
  const lines = listed.flatMap((batch) => (batch.kind === 'files' ? new TextDecoder().decode(batch.files).trimEnd().split('\n') : []));
  const recordsOf = async (batches: readonly string[]) => {
    const found: EntryRecord[] = [];
    const told: FoundProblem[] = [];
    for (const batch of batches) {
      const again = openImage(findSegments(path), keepProblems());
      const rows = await withOutlet(async (outlet) => {
        const profile = { digests: ['sha256'], limits: defaultLimits };
        const problems = located((problem) => outlet.addProblem(problem));
        const examination = { profile, problems, outlet, counts: { entries: 0, files: 0, bytes: 0 } };
        await examineFiles(again.image, () => openFileSystem(again.image, volume, keepProblems()), Buffer.from(batch), examination);
      });
      again.close();
      told.push(...problemsIn(rows));
      for (const batch of rows)
        if (batch.kind === 'rows' && batch.table === 'entry')
          found.push(...readCopy(batch.rows, columns).map(({ record }) => JSON.parse(record!) as EntryRecord));
    }
    return { told, records: found.sort((a, b) => (a.locator < b.locator ? -1 : 1)) };
  };
  const [together, alone] = [await recordsOf([lines.join('\n')]), await recordsOf(lines)];
  opened.close();
  return { together, alone };
}

// places by fsstat (The Sleuth Kit 4.11.1): FAT16 at sector 2048 with clusters of 1,024 bytes and its first FAT from sector 4 on; ext4 at
// sector 43008 with blocks of 4 KiB and its first inode table in blocks 35 to 290
it.each([
  ['the first FAT', 'fat', 4 * 512, 'bytes of the tables'],
  ['the first inode table', 'ext', 37 * 4096, 'bytes of the tables'],
  ['a content', 'fat', 200 * 1024, 'bytes of its content'],
] as const)('damage in %s', async (_, fileSystem, within, words) => {
  const path = fixturePath('disk-mbr-e01');
  const sound = openImage(findSegments(path), keepProblems());
  const { locator, offset, length } = survey(sound, located()).volumes.find((found) => found.fileSystem?.name === fileSystem)!;
  sound.close();
  await withDamageAt(path, offset + within, async (damaged) => {
    const { together, alone } = await bothWays(damaged, { locator, offset, length, fileSystem });
    expect(together.records.length).toBeGreaterThan(200);
    expect(together.records).toEqual(alone.records);
    const flagged = together.records.filter(({ problems }) => problems?.includes('content.damaged'));
    const told = together.told.filter(({ code }) => code === 'content.damaged');
    expect(told.map(({ locator }) => locator).sort()).toEqual(flagged.map(({ locator }) => locator));
    for (const { message } of told) expect(message).toContain(words);
    // the chain of a file of one cluster need not be looked up: fls -r -F -l lists 17 files that are longer
    if (_ === 'the first FAT') expect(flagged).toHaveLength(17);
    else expect(flagged.length).toBeGreaterThan(0);
  });
});
