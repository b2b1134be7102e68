/** What a task sends is kept in order, in memory or in a nameless file, until it is committed. Witness: the batches themselves; zstd of node:zlib. */
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Collected, collect, singleFiles, unpack } from '../../src/pipeline/collected.ts';

const MiB = 1024 * 1024;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-collected-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function all(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const piece of pieces) found.push(piece);
  return Buffer.concat(found);
}

/** Descriptors of this process that lead to a file of the scratch folder: Linux shows a nameless one as deleted. */
const openFiles = () =>
  readdirSync('/proc/self/fd')
    .map((name) => join('/proc/self/fd', name))
    .filter(existsOrDangles)
    .map((path) => readlinkSync(path))
    .filter((target) => target.startsWith(folder));

function existsOrDangles(path: string): boolean {
  try {
    return readlinkSync(path) !== '';
  } catch {
    return false; // the descriptor of the listing itself is closed by now
  }
}

const rows = (table: 'entry' | 'problem', size: number, fill: string) =>
  ({ kind: 'rows', table, rows: Buffer.alloc(size, fill), count: 1 }) as const;

async function fill(collected: Collected): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await collected.take(rows('entry', 5 * MiB, String(round)));
    await collected.take(rows('problem', 1000, String(9 - round)));
  }
}

it('little stays in memory, with no file at all', async () => {
  const collected = collect(join(folder, 'none'), 'unit.1');
  await collected.take(rows('entry', 1000, 'a'));
  await collected.take({ kind: 'progress', bytes: 1, files: 1 });
  expect((await all(collected.rows('entry'))).toString()).toBe('a'.repeat(1000));
  expect(existsSync(join(folder, 'none'))).toBe(false);
  await collected.close();
});

it('much goes to a file that has no name, comes back in order, and can be read again', async () => {
  const scratch = join(folder, 'scratch');
  const collected = collect(scratch, 'unit.1');
  await fill(collected);
  expect(readdirSync(scratch)).toEqual([]);
  if (process.platform === 'linux') expect(openFiles()).toEqual([`${join(scratch, 'unit.1')} (deleted)`]);
  const expected = Buffer.concat(Array.from({ length: 10 }, (_, round) => Buffer.alloc(5 * MiB, String(round))));
  expect((await all(collected.rows('entry'))).equals(expected)).toBe(true);
  expect((await all(collected.rows('entry'))).equals(expected)).toBe(true);
  expect((await all(collected.rows('problem'))).toString()).toBe(
    Array.from({ length: 10 }, (_, round) => String(9 - round).repeat(1000)).join(''),
  );
  await collected.close();
  if (process.platform === 'linux') expect(openFiles()).toEqual([]);
});

it('files for child units are packed, and can be split into single ones', async () => {
  const collected = collect(join(folder, 'groups'), 'unit.1');
  const line = (address: string, size: number) => `${JSON.stringify({ address, record: { size }, firstOffset: null })}\n`;
  const text = line('7', 10) + line('8', 20) + line('name \\n \u2400', 30);
  await collected.take({ kind: 'files', files: Buffer.from(text), count: 3, bytes: 60 });
  const groups = [];
  for await (const group of collected.groups()) groups.push(group);
  expect(groups.map(({ count, bytes }) => ({ count, bytes }))).toEqual([{ count: 3, bytes: 60 }]);
  const payload = groups[0]!.payload;
  expect(zstdDecompressSync(payload).toString('utf8')).toBe(text);
  const single = await singleFiles(payload, ({ record }) => Number(record.size));
  expect(single.map(({ count, bytes }) => [count, bytes])).toEqual([
    [1, 10],
    [1, 20],
    [1, 30],
  ]);
  expect(Buffer.concat(await Promise.all(single.map((group) => unpack(group.payload)))).toString('utf8')).toBe(text);
  await collected.close();
});
