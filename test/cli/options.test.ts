/** Options and variables of the environment: what they change, and what is refused of them. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture } from '../support/fixture.ts';
import { type Desk, openDesk } from './custodia.ts';

let desk: Desk;
beforeAll(() => {
  desk = openDesk();
});
afterAll(() => desk.close());

it.each([
  ['list', { CUSTODIA_THREADS: 'zero' }, 'CUSTODIA_THREADS'],
  ['work', { CUSTODIA_LEASE_MS: '-1' }, 'CUSTODIA_LEASE_MS'],
  ['serve', { CUSTODIA_LOG: 'loud' }, 'CUSTODIA_LOG'],
])('%s refuses %o in words', async (command, environment, name) => {
  const { status, stderr } = await desk.start([command], environment).ended;
  expect([status, stderr]).toEqual([
    3,
    expect.stringMatching(new RegExp(`^custodia: ${name}: found .*expected .*\\[config\\.value\\]\n$`)),
  ]);
});

it('work refuses a number that is none', async () => {
  const { status, stderr } = await desk.run('work', '--threads', 'many');
  expect([status, stderr]).toEqual([3, expect.stringContaining('expected a whole number from 1 to 256')]);
});

it('work tells of a database that cannot be, without a stack', async () => {
  const { status, stderr } = await desk.start(['work'], { DATABASE_URL: 'mysql://nobody@nowhere/x' }).ended;
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^custodia: [^\n]+ \[database\.url\]\n$/)]);
});

it('process takes further digests of every file, and no others', async () => {
  const image = desk.path('image.raw');
  const volume = fixture('fat-fat12-deleted');
  writeFileSync(image, volume.read(0, volume.size));
  const args = ['process', image, '--case', 'c', '--exhibit', 'e', '--examiner', 'x', '--out', desk.path('report')];
  expect((await desk.run(...args, '--digest', 'crc32')).status).toBe(3);
  await desk.run(...args, '--digest', 'sha512', '--digest', 'blake3');
  const records = readFileSync(desk.path('report/entries.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const file = records.find(({ type, size, allocated }) => type === 'file' && size > 0 && allocated.name);
  expect(Object.keys(file.digests).sort()).toEqual(['blake3', 'md5', 'sha1', 'sha256', 'sha512']);
  const { stdout } = await desk.run('cat', file.locator);
  expect(createHash('sha512').update(stdout).digest('hex')).toBe(file.digests.sha512); // OpenSSL, over what `cat` gives: a file of text
});
