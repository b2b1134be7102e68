/** Differential test: every kind of EWF that ewfacquire writes, read by us and by ewfinfo and ewfverify. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ewf } from '../../src/images/ewf.ts';
import { readMedia, sha256 } from '../contracts/image.ts';
import { keepProblems } from '../support/problems.ts';
import { hasTool } from '../support/tools.ts';
import { expectFacts, parseInfo } from './ewf-info.ts';
import { segmentsAt } from './segments.ts';

const installed = ['ewfacquire', 'ewfinfo', 'ewfverify'].every(hasTool);
const folder = installed ? mkdtempSync(join(tmpdir(), 'custodia-ewf-')) : '';
afterAll(() => {
  if (installed) rmSync(folder, { recursive: true });
});

const run = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** Numbers, then zeros, then bytes that do not pack (a linear congruential generator); the last chunk is not full. */
function makeMedium(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const third = Math.floor((at * 3) / size);
    bytes[at] = third === 0 ? 0x30 + (at % 10) : third === 1 ? 0 : state >>> 24;
  }
  return bytes;
}

interface Kind {
  readonly format: string;
  readonly compression: string;
  readonly sectors: string;
  readonly size?: number;
  readonly more?: readonly string[];
}

/** The set that ewfacquire makes of `size` bytes, all facts entered; gives the medium and the paths in order. */
function acquire(name: string, { format, compression, sectors, size = 401_920, more = [] }: Kind): { medium: Buffer; paths: string[] } {
  const medium = makeMedium(size);
  const rawPath = join(folder, `${name}.raw`);
  writeFileSync(rawPath, medium);
  const facts = ['-C', 'case-7', '-E', 'exhibit 7/1', '-D', 'a description', '-e', 'Exam Iner', '-N', 'notes: täst, tab and <angle> & co'];
  const kind = ['-f', format, '-c', compression, '-b', sectors, '-m', 'removable', '-M', 'logical'];
  run('ewfacquire', ['-u', '-q', '-t', join(folder, name), ...facts, ...kind, ...more, rawPath]);
  const first = readdirSync(folder).find((file) => file.startsWith(`${name}.`) && /\.[es]01$/i.test(file))!;
  return { medium, paths: ewf.segmentPaths(join(folder, first)) };
}

function expectAgreement(name: string, kind: Kind): string[] {
  const { medium, paths } = acquire(name, kind);
  const problems = keepProblems();
  const image = ewf.open(segmentsAt(paths), problems);
  expect(sha256(readMedia(image.media, 300_000))).toBe(sha256(medium));
  expect(problems.all).toEqual([]);
  expect(image.damage.bytes).toBe(0);
  expectFacts(image, parseInfo(run('ewfinfo', paths)));
  const verified = run('ewfverify', ['-q', ...paths]);
  const stored = /MD5 hash stored in file:\s*(\w+)/.exec(verified)?.[1];
  expect(/MD5 hash calculated over data:\s*(\w+)/.exec(verified)?.[1]).toBe(stored);
  expect(image.storedHashes).toContainEqual(expect.objectContaining({ algorithm: 'md5', value: stored }));
  return paths;
}

const formats = ['ewf', 'smart', 'ftk', 'encase1', 'encase2', 'encase3', 'encase4', 'encase5', 'encase6', 'encase7', 'encase7-v2'];
const everyFormat = [...formats, 'linen5', 'linen6', 'linen7', 'ewfx'];

describe.skipIf(!installed)('EWF as ewfacquire 20140813 writes it', () => {
  it.each(everyFormat.flatMap((format) => ['none', 'empty-block', 'fast', 'best'].map((compression) => ({ format, compression }))))(
    '$format, compression $compression',
    ({ format, compression }) => {
      expectAgreement(`${format}-${compression}`, { format, compression, sectors: '64' });
    },
  );

  it.each(['16', '32', '128', '1024', '8192', '32768'])('chunks of %s sectors', (sectors) => {
    expectAgreement(`chunk-${sectors}`, { format: 'encase6', compression: 'fast', sectors });
    expectAgreement(`chunk-stored-${sectors}`, { format: 'encase6', compression: 'none', sectors });
  });

  it.each(['encase2', 'encase5', 'encase6', 'ftk', 'linen6', 'ewfx', 'smart', 'ewf'])('several segments of %s', (format) => {
    const size = 4 * 1024 * 1024 + 512;
    const paths = expectAgreement(`split-${format}`, { format, compression: 'none', sectors: '64', size, more: ['-S', '1048576'] });
    expect(paths.length).toBeGreaterThanOrEqual(4);
  });

  it('more than 99 segments: E01 to E99, then EAA on', () => {
    const size = 102 * 1024 * 1024;
    const paths = expectAgreement('many', { format: 'encase6', compression: 'none', sectors: '128', size, more: ['-S', '1048576'] });
    expect(paths.length).toBeGreaterThan(100);
    expect(paths.at(99)).toMatch(/\.EAA$/);
  });

  it('SHA-1 beside the MD5', () => {
    for (const format of ['encase6', 'encase7', 'ewfx', 'linen6'])
      expectAgreement(`sha1-${format}`, { format, compression: 'best', sectors: '64', more: ['-d', 'sha1'] });
  });

  it('sectors of 2048 and 4096 bytes', () => {
    for (const bytes of ['2048', '4096'])
      expectAgreement(`sector-${bytes}`, { format: 'encase6', compression: 'fast', sectors: '64', size: 409_600, more: ['-P', bytes] });
  });
});
