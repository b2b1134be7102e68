/** Differential test: tables made at random, the same on every run, read by us and by mmls. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { gpt } from '../../src/volumes/gpt.ts';
import { mbr } from '../../src/volumes/mbr.ts';
import { expectTiling, placesOf, tryVolumes } from '../contracts/volume-system.ts';
import { fixture } from '../support/fixture.ts';
import { random } from '../support/random.ts';
import { hasTool, toolOutput } from '../support/tools.ts';
import { parseRows, volumesOfRows } from './mmls.ts';
import { mbrDisk, putTable, sealHeader, type TableEntry } from './surgery.ts';

const installed = hasTool('mmls');
const folder = installed ? mkdtempSync(join(tmpdir(), 'custodia-mmls-')) : '';
afterAll(() => {
  if (installed) rmSync(folder, { recursive: true });
});

function rowsOf(disk: Buffer, kind: 'dos' | 'gpt') {
  const path = join(folder, 'disk.raw');
  writeFileSync(path, disk);
  return parseRows(toolOutput('mmls', ['-t', kind, path]));
}

const types = [0x01, 0x06, 0x07, 0x0b, 0x0c, 0x82, 0x83, 0x8e, 0xa5, 0xaf, 0xfd];

/** Cuts `from` to `to` into partitions with gaps; each leaves a sector in front for a table. */
function cut(from: number, to: number, most: number, next: () => number): { first: number; count: number }[] {
  const pieces: { first: number; count: number }[] = [];
  let at = from;
  for (let piece = 0; piece < most && at + 20 < to; piece++) {
    const first = at + 1 + Math.floor(next() * 10);
    const count = 1 + Math.floor(next() * Math.min(600, to - first - 1));
    pieces.push({ first, count });
    at = first + count;
  }
  return pieces;
}

function randomMbr(seed: number): Buffer {
  const next = random(seed);
  const pick = () => types[Math.floor(next() * types.length)]!;
  const primaries: TableEntry[] = cut(1, 2000, 1 + Math.floor(next() * 3), next).map((place) => ({ ...place, type: pick() }));
  if (seed % 2 === 0) primaries.push({ type: next() < 0.5 ? 5 : 15, first: 2048, count: 2048 });
  const disk = mbrDisk(
    4096,
    primaries.sort(() => next() - 0.5),
  );
  if (seed % 2 !== 0) return disk;
  const logical = cut(2048, 4096, 1 + Math.floor(next() * 5), next);
  logical.forEach(({ first, count }, index) => {
    const table = index === 0 ? 2048 : first - 1;
    const follows = logical[index + 1];
    const link: TableEntry[] = follows === undefined ? [] : [{ type: 5, first: follows.first - 1 - 2048, count: follows.count + 1 }];
    putTable(disk, table, [{ type: pick(), first: first - table, count }, ...link]);
  });
  return disk;
}

function randomGpt(seed: number): Buffer {
  const next = random(seed);
  const disk = Buffer.from(fixture('gpt-three').read(0, fixture('gpt-three').size));
  const entries = Buffer.alloc(128 * 128);
  for (const { first, count } of cut(34, 4062, 12, next)) {
    const index = Math.floor(next() * 128) * 128;
    entries.write(`seed ${seed}`, index, 'latin1'); // some type
    entries.write(`unique${index}`, index + 16, 'latin1');
    entries.writeBigUInt64LE(BigInt(first), index + 32);
    entries.writeBigUInt64LE(BigInt(first + count - 1), index + 40);
    entries.write(`name ${index}`, index + 56, 'utf16le');
  }
  for (const [entriesLba, lba] of [
    [2, 1],
    [4063, 4095],
  ] as const) {
    entries.copy(disk, entriesLba * 512);
    sealHeader(disk, lba);
  }
  return disk;
}

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

describe.skipIf(!installed)('partitions as mmls 4.11.1 lists them', () => {
  it('of 60 MBRs, half of them with a chain of logical partitions', () => {
    let logical = 0;
    for (const seed of seeds) {
      const disk = randomMbr(seed);
      const found = tryVolumes(mbr, memorySource(disk))!;
      const rows = rowsOf(disk, 'dos');
      expect([seed, found.problems.all]).toEqual([seed, []]);
      expect([seed, placesOf(found.ranges)]).toEqual([seed, volumesOfRows(rows, 512)]);
      expectTiling(found.ranges, disk.length);
      for (const { description, start } of rows.filter(({ slot }) => /^\d/.test(slot))) {
        const range = found.ranges.find(({ kind, offset }) => kind === 'volume' && offset === start * 512)!;
        expect([seed, description]).toEqual([seed, expect.stringContaining(`(${range.type})`)]);
        if (range.number! > 4) logical++;
      }
      const tables = rows.filter(({ description }) => /Table \(#/.test(description)).map(({ start }) => start * 512);
      expect(found.ranges.filter(({ kind }) => kind === 'table').map(({ offset }) => offset)).toEqual(tables);
    }
    expect(logical).toBeGreaterThan(60);
  });

  it('of 60 GPTs, with names', () => {
    for (const seed of seeds) {
      const disk = randomGpt(seed);
      const found = tryVolumes(gpt, memorySource(disk))!;
      const rows = rowsOf(disk, 'gpt').filter(({ slot }) => /^\d/.test(slot));
      expect([seed, found.problems.all]).toEqual([seed, []]);
      expect([seed, placesOf(found.ranges)]).toEqual([seed, volumesOfRows(rows, 512)]);
      const named = found.ranges.filter(({ kind }) => kind === 'volume').map(({ offset, name }) => [offset, name]);
      expect(named).toEqual(rows.map(({ start, description }) => [start * 512, description]));
      expectTiling(found.ranges, disk.length);
    }
  });

  it('of a GPT whose first header is gone', () => {
    const disk = randomGpt(7);
    const good = volumesOfRows(rowsOf(disk, 'gpt'), 512);
    disk.fill(0, 512, 1024);
    const found = tryVolumes(gpt, memorySource(disk))!;
    expect(placesOf(found.ranges)).toEqual(good);
    expect(placesOf(found.ranges)).toEqual(volumesOfRows(rowsOf(disk, 'gpt'), 512));
  });
});
