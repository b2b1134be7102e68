/** The PostgreSQL programs of the npm package, when its install script did not run or the server's account cannot reach them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageFolder, preparePrograms } from '../../src/store/embedded/programs.ts';

let folder = '';
let unlinked = '';
const links = () =>
  (JSON.parse(readFileSync(join(packageFolder(), 'native/pg-symlinks.json'), 'utf8')) as { target: string }[]).map(({ target }) => target);
const noCopies = () => {
  throw new Error('no copy was expected');
};
const versionOf = (program: string) =>
  execFileSync(program, ['--version'], { encoding: 'utf8', env: {}, stdio: ['ignore', 'pipe', 'pipe'] });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-programs-'));
  unlinked = join(folder, 'package');
  cpSync(packageFolder(), unlinked, { recursive: true, verbatimSymlinks: true });
  for (const link of links()) rmSync(join(unlinked, link), { force: true });
});

afterEach(() => {
  execFileSync('chmod', ['-R', 'u+w', folder]);
  rmSync(folder, { recursive: true, force: true });
});

it('needs the links: without them the loader finds no ICU', () => {
  expect(() => versionOf(join(unlinked, 'native/bin/postgres'))).toThrow(/libicu/);
});

it('makes the missing links and rights in place', () => {
  chmodSync(join(unlinked, 'native/bin/postgres'), 0o644);
  const { postgres, initdb } = preparePrograms(unlinked, null, noCopies);
  expect(postgres.startsWith(unlinked)).toBe(true);
  expect(versionOf(postgres)).toBe('postgres (PostgreSQL) 18.4\n');
  expect(versionOf(initdb)).toBe('initdb (PostgreSQL) 18.4\n');
  for (const link of links()) expect(lstatSync(join(unlinked, link)).isSymbolicLink()).toBe(true);
});

it.skipIf(process.getuid?.() === 0)('makes a copy where the package is read-only', () => {
  execFileSync('chmod', ['-R', 'a-w', unlinked]);
  const { postgres } = preparePrograms(unlinked, null, () => join(folder, 'copies'));
  expect(postgres.startsWith(join(folder, 'copies'))).toBe(true);
  expect(versionOf(postgres)).toBe('postgres (PostgreSQL) 18.4\n');
});

it('makes a copy, once, where the account cannot reach the package', () => {
  const closed = join(folder, 'closed');
  mkdirSync(closed);
  cpSync(unlinked, join(closed, 'package'), { recursive: true, verbatimSymlinks: true });
  chmodSync(closed, 0o700);
  const umask = process.umask(0o077);
  const prepare = () => preparePrograms(join(closed, 'package'), { uid: 54321, gid: 54321 }, () => join(folder, 'copies'));
  const { postgres } = prepare();
  process.umask(umask);
  expect(postgres.startsWith(join(folder, 'copies'))).toBe(true);
  expect(versionOf(postgres)).toBe('postgres (PostgreSQL) 18.4\n');
  expect(lstatSync(postgres).mode & 0o005).toBe(0o005);
  expect(lstatSync(join(folder, 'copies', 'postgresql-18.4.0-beta.17')).mode & 0o005).toBe(0o005);
  const { ino } = lstatSync(postgres);
  expect(lstatSync(prepare().postgres).ino).toBe(ino);
  expect(existsSync(join(folder, 'copies', 'postgresql-18.4.0-beta.17', 'native/lib/libpgcommon.a'))).toBe(false);
});
