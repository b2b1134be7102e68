/** The listing of a volume as a thread does it: what becomes of its batches. */
import { expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { listFiles } from '../../src/examine/list-files.ts';
import { LocatedProblems } from '../../src/examine/problems.ts';
import { ext } from '../../src/filesystems/ext.ts';
import { extImage } from '../filesystems/damage.ts';
import { keepProblems } from '../support/problems.ts';
import { withOutlet } from './examined.ts';

const problemsOf = () =>
  new LocatedProblems(
    1000,
    () => undefined,
    () => 'image:',
  );

it('a file that claims 8 EiB makes no batch larger than can be counted', async () => {
  const image = extImage('ext-ext2-indirect');
  image.view.setUint32(image.inodeOf('hello.txt') + 0x6c, 0x8000_0000, true); // i_size_high (inodes.rst)
  const volume = { locator: 'image:', offset: 0, length: image.bytes.length, fileSystem: 'ext' };
  const fileSystem = ext.open(memorySource(image.bytes), keepProblems());
  const totals: number[] = [];
  const batches = await withOutlet(async (outlet) => {
    const { files, bytes } = await listFiles(fileSystem, volume, outlet, problemsOf());
    totals.push(files, bytes);
  });
  const sent = batches.filter((batch) => batch.kind === 'files');
  expect(sent.reduce((sum, { count }) => sum + count, 0)).toBe(totals[0]);
  for (const { bytes } of sent) expect(bytes).toBeLessThan(2 ** 40); // a bigint column ends at 2 ** 63 - 1 (PostgreSQL manual, "Numeric Types")
  expect(totals[1]).toBe(sent.reduce((sum, { bytes }) => sum + bytes, 0));
  const sizes = sent
    .flatMap(({ files }) => new TextDecoder().decode(files).trimEnd().split('\n'))
    .map((line) => JSON.parse(line).record.size);
  expect(Math.max(...sizes)).toBe(Number.MAX_SAFE_INTEGER);
});
