import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileSource } from '../../src/bytes/source.ts';
import { hasTool, toolOutput } from '../support/tools.ts';
import { differences, open, otherContents, parseBodyFile } from './witness.ts';

const programs = ['fls', 'istat', 'icat', 'mkfs.fat', 'mcopy', 'mdel', 'mdeltree', 'mke2fs', 'debugfs'];
const missing = programs.filter((program) => !hasTool(program));

/** Numbers as in a die that is thrown the same on every run. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** A tree of files whose names and sizes are as different as a FAT volume allows. Some are deleted afterwards: their paths are returned. */
function makeTree(folder: string, seed: number): string[] {
  const next = dice(seed);
  const syllables = ['ba', 'LO', 'n e', 'é', '漢', '.x', 'Q', '_', '-7', 'ßu'];
  const word = () => Array.from({ length: 1 + next(9) }, () => syllables[next(syllables.length)]).join('');
  const paths: string[] = [];
  const folders = [''];
  for (let count = 0; count < 80; count++) {
    const parent = folders[next(folders.length)]!;
    const path = join(parent, `${count}${word()}${next(3) === 0 ? '' : '.Txt'}`.trim());
    const date = new Date(Date.UTC(1990 + next(40), next(12), 1 + next(28), next(24), next(60), next(30) * 2));
    if (next(5) === 0 && parent.split('/').length < 5) {
      mkdirSync(join(folder, path));
      folders.push(path);
    } else writeFileSync(join(folder, path), Buffer.alloc(next(3) === 0 ? next(40_000) : next(900), `${path} `));
    utimesSync(join(folder, path), date, date);
    if (next(4) === 0) paths.push(path);
  }
  return paths;
}

const environment = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8', MTOOLS_SKIP_CHECK: '1' };
const run = (program: string, args: readonly string[], input = '') =>
  execFileSync(program, args, { env: environment, input, stdio: ['pipe', 'pipe', 'pipe'] });

function makeFat(image: string, tree: string, deleted: readonly string[], kind: number, sectors: number): void {
  run('mkfs.fat', ['-F', String(kind), '-s', '1', '-C', image, String(sectors / 2)]);
  run('mcopy', ['-i', image, '-s', '-Q', '-m', ...childrenOf(tree), '::']);
  // one that lies below another is gone when its turn comes: mdeltree goes on with the next, and says so by its status
  spawnSync('mdeltree', ['-i', image, ...deleted.map((path) => `::${path}`)], { env: environment });
}

const childrenOf = (folder: string): string[] => toolOutput('find', [folder, '-mindepth', '1', '-maxdepth', '1']).trim().split('\n').sort();

function makeExt(image: string, tree: string, deleted: readonly string[], options: readonly string[]): void {
  run('mke2fs', ['-q', '-F', ...options, '-d', tree, image, '8M']);
  const commands = deleted.map((path) => `rm "${path}"\nrmdir "${path}"\n`).join('');
  run('debugfs', ['-w', '-f', '-', image], commands);
}

describe.skipIf(missing.length > 0)(`listings agree with fls, istat and icat (needs ${programs.join(', ')})`, () => {
  let work = '';
  const images: Record<string, string> = {};
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'custodia-filesystems-'));
    const makers: [string, (image: string, tree: string, deleted: string[]) => void][] = [
      ['FAT12', (image, tree, deleted) => makeFat(image, tree, deleted, 12, 4000)],
      ['FAT16', (image, tree, deleted) => makeFat(image, tree, deleted, 16, 16_000)],
      ['FAT32', (image, tree, deleted) => makeFat(image, tree, deleted, 32, 68_000)],
      ['ext2', (image, tree, deleted) => makeExt(image, tree, deleted, ['-t', 'ext2', '-b', '1024', '-I', '128'])],
      ['ext3', (image, tree, deleted) => makeExt(image, tree, deleted, ['-t', 'ext3', '-b', '2048'])],
      ['ext4', (image, tree, deleted) => makeExt(image, tree, deleted, ['-t', 'ext4', '-b', '4096'])],
      ['ext4 inline', (image, tree, deleted) => makeExt(image, tree, deleted, ['-t', 'ext4', '-b', '1024', '-O', 'inline_data,64bit'])],
    ];
    for (const [index, [name, make]] of makers.entries()) {
      const tree = join(work, `tree-${index}`);
      mkdirSync(tree);
      images[name] = join(work, `image-${index}`);
      make(images[name], tree, makeTree(tree, 4000 + index));
    }
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it.each(['FAT12', 'FAT16', 'FAT32', 'ext2', 'ext3', 'ext4', 'ext4 inline'])('%s with files deleted at random', (name) => {
    const path = images[name]!;
    const source = openFileSource(path);
    const { fileSystem, entries, problems } = open(source);
    const witnessed = parseBodyFile(toolOutput('fls', ['-r', '-p', '-m', '', '-z', 'UTC', path]));
    expect(witnessed.length).toBeGreaterThan(50);
    expect(witnessed.some(({ deleted }) => deleted)).toBe(true);
    expect(differences(entries, witnessed, fileSystem)).toEqual([]);

    const files = entries.filter(({ type, facts }) => type === 'file' && facts?.reallocatedInode === undefined);
    const overwritten = problems.all.filter(({ code }) => code === 'fat.deleted-overwritten').map(({ address }) => address);
    const sums = new Map(
      files.filter(({ nameAllocated }, index) => !nameAllocated || index % 3 === 0).map(({ address }) => [address, sumOf(path, address)]),
    );
    const wrong = otherContents(fileSystem, files, ({ address }) => (overwritten.includes(address) ? null : sums.get(address)));
    expect(wrong).toEqual([]);

    for (const entry of files.filter(({ size, nameAllocated }) => size > 0 && nameAllocated).slice(0, 5)) {
      // istat: the first block (ext) or sector (FAT) of the content
      const said = toolOutput('istat', [path, entry.address.split('-')[0]!]);
      const first = /(?:Direct Blocks|Sectors):\s*\n(\d+)/.exec(said)?.[1];
      const unit = name.startsWith('FAT') ? 512 : fileSystem.clusterSize;
      if (first !== undefined) expect(entry.firstOffset, entry.path).toBe(Number(first) * unit);
    }
    source.close();
  });
});

const sumOf = (image: string, address: string): string =>
  createHash('sha256')
    .update(execFileSync('icat', [image, address.split('-')[0]!], { maxBuffer: 1 << 26 }))
    .digest('hex');
