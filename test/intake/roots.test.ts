/** Paths below an evidence root: what escapes, what is a link, what is no file. Witness: what lies there, made by this test. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { findPlaced } from '../../src/intake/roots.ts';

const folder = mkdtempSync(join(tmpdir(), 'custodia-roots-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(folder, 'root', 'sub', 'deep'), { recursive: true });
mkdirSync(join(folder, 'root-other'));
for (const path of ['root/disk.raw', 'root/sub/disk.raw', 'root/sub/deep/ü ñ.raw', 'secret.raw', 'root-other/disk.raw'])
  writeFileSync(join(folder, path), 'some bytes');
writeFileSync(join(folder, 'root', 'empty.raw'), '');
symlinkSync('../secret.raw', join(folder, 'root', 'out.raw'));
symlinkSync('disk.raw', join(folder, 'root', 'in.raw'));
symlinkSync(folder, join(folder, 'root', 'up'));
symlinkSync('sub', join(folder, 'root', 'beside'));
symlinkSync('nowhere', join(folder, 'root', 'dangling'));
symlinkSync('loop', join(folder, 'root', 'loop'));
symlinkSync('/dev/zero', join(folder, 'root', 'zero'));
execFileSync('mkfifo', [join(folder, 'root', 'pipe')]);
symlinkSync('root', join(folder, 'linked-root'));

const root = { name: 'lab', path: join(folder, 'root') };

it.each(['disk.raw', 'sub/disk.raw', 'sub/deep/ü ñ.raw'])('finds %s', async (path) => {
  expect(await findPlaced(root, path)).toMatchObject({ path: join(folder, 'root', path), name: path.split('/').at(-1) });
  expect(await findPlaced({ name: 'lab', path: join(folder, 'linked-root') }, path)).toMatchObject({ path: join(folder, 'root', path) });
});

it.each([
  ['the folder above', '../secret.raw', 'place.path'],
  ['the folder above, later', 'sub/../../secret.raw', 'place.path'],
  ['a way round that ends inside', 'sub/../disk.raw', 'place.path'],
  ['a point', './disk.raw', 'place.path'],
  ['an absolute path', join(folder, 'root', 'disk.raw'), 'place.path'],
  ['nothing', '', 'place.path'],
  ['two slashes', 'sub//disk.raw', 'place.path'],
  ['a slash at the end', 'disk.raw/', 'place.path'],
  ['a NUL', 'disk.raw\0.txt', 'place.path'],
  ['a line break', 'disk\n.raw', 'place.path'],
  ['half a character', 'disk\ud800.raw', 'place.path'],
  ['a backslash', '..\\secret.raw', 'place.path'],
  ['a component too long', 'x'.repeat(256), 'place.path'],
  ['too many components', Array.from({ length: 65 }, () => 'a').join('/'), 'place.path'],
  ['percent signs are no slashes', '..%2fsecret.raw', 'place.not-found'],
  ['a name that is not there', 'disk.dd', 'place.not-found'],
  ['a root of a longer name', '-other/disk.raw', 'place.not-found'],
  ['a file taken for a folder', 'disk.raw/x', 'place.kind'],
  ['a folder', 'sub', 'place.kind'],
  ['a pipe', 'pipe', 'place.kind'],
  ['an empty file', 'empty.raw', 'place.empty'],
  ['a link out', 'out.raw', 'place.link'],
  ['a link that stays inside', 'in.raw', 'place.link'],
  ['a folder that is a link out', 'up/secret.raw', 'place.link'],
  ['a folder that is a link inside', 'beside/disk.raw', 'place.link'],
  ['a link to nothing', 'dangling', 'place.link'],
  ['a link to itself', 'loop', 'place.link'],
  ['a link to a device', 'zero', 'place.link'],
])('refuses %s', async (_what, path, code) => {
  await expect(findPlaced(root, path)).rejects.toMatchObject({ code });
});

it('says nothing of the folders above the root', async () => {
  const refused = await findPlaced({ name: 'lab', path: join(folder, 'gone') }, 'disk.raw').catch((error) => error);
  expect([refused.code, refused.message.includes(folder)]).toEqual(['place.root', false]);
});
