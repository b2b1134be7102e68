/** Damaged ZIP files by the hundred, the same on every run: whatever stands in them ends in one of the three errors, in bounded output. */
import { expect, it } from 'vitest';
import { zip } from '../../src/archives/zip.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { listArchive } from '../contracts/archive.ts';
import { fixture } from '../support/fixture.ts';
import { mutants } from '../support/mutants.ts';
import { buildZip } from './build-zip.ts';

const limit = 4 * 1024 * 1024;
const text = Array.from({ length: 400 }, (_, index) => `line ${index}`).join('\n');

const small = buildZip(
  [
    { name: 'dir/', mode: 0o40755 },
    { name: 'dir/text.txt', data: text, method: 8, mode: 0o100644 },
    { name: 'stream', data: text, method: 8, flags: 0x808 },
    { name: 'stored.zip', data: buildZip([{ name: 'in', data: 'x'.repeat(99), method: 8 }]) },
    { name: 'link', data: '../out', mode: 0o120777 },
    { name: Uint8Array.of(0x94, 0x84), flags: 0, data: 'oem name', extra: Uint8Array.of(0x55, 0x54, 5, 0, 1, 0, 0, 0, 0x60) },
  ],
  { comment: 'a comment', prefix: Buffer.from('MZ stub') },
);
const whole = (name: string) => {
  const source = fixture(name);
  return source.read(0, source.size);
};

it.each([
  ['a small one with everything', small, 600],
  ['zip-zip64', whole('zip-zip64'), 60],
  ['zip-streamed', whole('zip-streamed'), 60],
])('%s', async (_, bytes, count) => {
  let listed = 0;
  for (const { mutant, seed } of mutants(bytes, count)) {
    const { members } = await listArchive(zip, memorySource(mutant), { unpackedBytes: limit }); // lets any other error through
    expect(
      members.reduce((sum, { size }) => sum + size, 0),
      `seed ${seed}`,
    ).toBeLessThanOrEqual(limit);
    listed += members.length;
  }
  expect(listed).toBeGreaterThan(count); // most are still read in part
});
