/** Files of a hostile folder are opened without waiting and without being led elsewhere. Witness: fifo(7), which lets an open for reading wait for a writer. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPlain, readBytes } from '../../src/reports/verify/plain-file.ts';
import { hasTool } from '../support/tools.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-plain-'));
  writeFileSync(join(folder, 'plain'), 'abc');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a plain file is read up to its limit', () => {
  expect(readBytes(join(folder, 'plain'), 3).toString()).toBe('abc');
  expect(() => readBytes(join(folder, 'plain'), 2)).toThrow('has 3 bytes, expected at most 2');
  closeSync(openPlain(join(folder, 'plain')));
});

it('a folder and a link are not opened, also when they took the place of a file', () => {
  mkdirSync(join(folder, 'folder'));
  symlinkSync(join(folder, 'plain'), join(folder, 'link'));
  expect(() => openPlain(join(folder, 'folder'))).toThrow('is no plain file');
  expect(() => openPlain(join(folder, 'link'))).toThrow(/ELOOP/);
});

it.skipIf(!hasTool('mkfifo'))('a pipe without a writer (mkfifo of coreutils) is not waited for', () => {
  expect(spawnSync('mkfifo', [join(folder, 'pipe')]).status).toBe(0);
  expect(() => openPlain(join(folder, 'pipe'))).toThrow('is no plain file');
});
