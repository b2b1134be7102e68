/** What the survey says of a medium as a whole. */
import { expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { type LocatedProblem } from '../../src/evidence/task.ts';
import { type OpenImage } from '../../src/examine/open-evidence.ts';
import { LocatedProblems } from '../../src/examine/problems.ts';
import { survey } from '../../src/examine/survey.ts';
import { raw } from '../../src/images/raw.ts';
import { fixture } from '../support/fixture.ts';

function surveyOf(bytes: Uint8Array) {
  const found: LocatedProblem[] = [];
  const problems = new LocatedProblems(
    1000,
    (problem) => found.push(problem),
    () => 'image:',
  );
  const source = memorySource(bytes);
  const segments = [{ name: 'image.raw', source }];
  const opened: OpenImage = { image: raw.open(segments, problems), format: raw, segments, close: () => undefined };
  return { ...survey(opened, problems), found };
}

it('tells of a GPT that is left over on a medium formatted as one volume', () => {
  const volume = fixture('fat-fat12-deleted');
  const bytes = new Uint8Array(volume.size + 512);
  bytes.set(volume.read(0, volume.size));
  bytes.set(Buffer.from('EFI PART'), volume.size); // UEFI 2.10 section 5.3.2: the backup header lies in the last block, and begins so
  const { volumeSystem, volumes, found } = surveyOf(bytes);
  expect(volumeSystem.name).toBe('whole-media');
  expect(volumes.map(({ fileSystem }) => fileSystem?.name)).toEqual(['fat']);
  expect(found.filter(({ code }) => code === 'gpt.left-over').map(({ at }) => at)).toEqual([volume.size]);
  expect(surveyOf(volume.read(0, volume.size)).found.map(({ code }) => code)).not.toContain('gpt.left-over');
});

it('goes on where a partition claims to lie at bytes that no medium has', () => {
  // UEFI 2.10 section 5.3.3: an entry holds its first and last LBA at 32 and 40; entries begin at LBA 2. Its CRC does not fit any more
  const source = fixture('gpt-three');
  const bytes = source.read(0, source.size);
  const view = new DataView(bytes.buffer);
  for (const table of [2 * 512, source.size - 33 * 512]) {
    view.setBigUint64(table + 32, 1n << 62n, true);
    view.setBigUint64(table + 40, (1n << 62n) + 100n, true);
  }
  const { volumes, found } = surveyOf(bytes);
  const outside = volumes.find(({ locator }) => locator === 'image:/gpt:1');
  expect(outside).toMatchObject({ length: 0, fileSystem: null, reason: 'none of its bytes are on the medium' });
  expect(volumes.filter(({ kind }) => kind === 'volume')).toHaveLength(3);
  const told = found.find(({ code }) => code === 'gpt.past-end');
  expect(told?.hidesEvidence).toBe(true);
  expect(told).not.toHaveProperty('at'); // 2 ** 71 is more than a column `bigint` takes (PostgreSQL manual, "Numeric Types": up to 2 ** 63 - 1)
});
