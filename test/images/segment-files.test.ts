/** Which of the things beside a file belong to its set: files and links to files, nothing else that is named like one. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ewf } from '../../src/images/ewf.ts';
import { splitRaw } from '../../src/images/raw.ts';

const folder = mkdtempSync(join(tmpdir(), 'custodia-segments-'));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ['EWF', ewf, 'E'],
  ['split raw', splitRaw, '0'],
] as const)('%s: neither a folder nor a pipe, which would be waited for', (name, format, letter) => {
  const place = (number: number) => join(folder, `${name}.${letter}0${number}`);
  for (const number of [1, 2]) writeFileSync(place(number), 'x');
  symlinkSync(place(1), place(3));
  execFileSync('mkfifo', [place(4)]);
  mkdirSync(place(5));
  expect(format.segmentPaths(place(1)).map((path) => basename(path))).toEqual([1, 2, 3].map((number) => basename(place(number))));
});
