/** Makes the benchmark's images below bench/.work, each once, with Debian's tools and without mounting anything. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { noise, writeMixedFiles } from './content.ts';

export interface Sizes {
  /** Stands in the names of the images. */
  readonly name: string;
  readonly rawMiB: number;
  readonly files: number;
  readonly ext4MiB: number;
  readonly ext4Largest: number;
  readonly fat32MiB: number;
  readonly fat32Largest: number;
  readonly manyEntries: number;
  readonly sparseGiB: number;
}

export const fullSizes: Sizes = {
  name: 'full',
  rawMiB: 1024,
  files: 20_000,
  ext4MiB: 2048,
  ext4Largest: 512 * 1024,
  fat32MiB: 1024,
  fat32Largest: 230 * 1024,
  manyEntries: 1_000_000,
  sparseGiB: 16,
};

export const quickSizes: Sizes = {
  name: 'quick',
  rawMiB: 128,
  files: 2000,
  ext4MiB: 192,
  ext4Largest: 300 * 1024,
  fat32MiB: 160,
  fat32Largest: 230 * 1024,
  manyEntries: 20_000,
  sparseGiB: 1,
};

export interface Images {
  raw(): string;
  ext4(): string;
  fat32(): string;
  e01(): string;
  manyEntries(): string;
  sparse(): string;
  /** Hardly anything: what is left is the cost of starting and stopping. */
  tiny(): string;
}

const mebibyte = 1024 * 1024;

export function openImages(work: string, sizes: Sizes, tell: (what: string) => void): Images {
  const folder = join(work, `images-${sizes.name}`);
  mkdirSync(folder, { recursive: true });
  /** Under its name only when it is whole. */
  const once = (name: string, make: (path: string) => void): string => {
    const path = join(folder, name);
    if (existsSync(path)) return path;
    tell(`making ${name}`);
    const draft = join(folder, `draft-${name}`);
    rmSync(draft, { force: true });
    make(draft);
    renameSync(draft, path);
    return path;
  };
  const withFiles = (largest: number, use: (files: string) => void) => {
    const files = join(folder, 'files');
    rmSync(files, { recursive: true, force: true });
    mkdirSync(files);
    writeMixedFiles(files, sizes.files, largest);
    use(files);
    rmSync(files, { recursive: true });
  };
  const images: Images = {
    raw: () => once('noise.raw', (path) => writeNoise(path, sizes.rawMiB)),
    ext4: () =>
      once('ext4.raw', (path) =>
        withFiles(sizes.ext4Largest, (files) => run('mke2fs', '-q', '-t', 'ext4', '-d', files, path, `${sizes.ext4MiB}M`)),
      ),
    fat32: () =>
      once('fat32.raw', (path) =>
        withFiles(sizes.fat32Largest, (files) => {
          run('mkfs.fat', '-F', '32', '-C', path, String(sizes.fat32MiB * 1024));
          run('mcopy', '-s', '-i', path, ...readdirSync(files).map((name) => join(files, name)), '::');
        }),
      ),
    e01: () => acquire(images.ext4(), join(folder, 'ext4')),
    manyEntries: () => once(`${sizes.manyEntries}-entries.raw`, (path) => writeManyEntries(path, sizes.manyEntries, folder)),
    tiny: () => once('tiny.raw', (path) => run('mke2fs', '-q', '-t', 'ext4', path, '4M')),
    sparse: () => once(`sparse-${sizes.sparseGiB}g.raw`, (path) => writeSparse(path, sizes.sparseGiB)),
  };
  return images;
}

const run = (command: string, ...args: string[]): void => void execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });

function writeNoise(path: string, mebibytes: number): void {
  const random = noise();
  const file = openSync(path, 'w');
  for (let index = 0; index < mebibytes; index++) writeSync(file, random(mebibyte));
  closeSync(file);
}

/** EnCase 6 form, fast compression, in segments of 1.4 GiB as ewfacquire makes them unless told otherwise. */
function acquire(raw: string, target: string): string {
  const first = `${target}.E01`;
  if (!existsSync(first)) {
    run('ewfacquire', '-u', '-q', '-f', 'encase6', '-c', 'fast', '-C', 'bench', '-E', '1', '-e', 'bench', '-D', 'ext4', '-t', target, raw);
  }
  return first;
}

const entriesPerFolder = 1000;

/** Files of a few bytes each on ext4 with blocks of 1 KiB. */
function writeManyEntries(path: string, entries: number, folder: string): void {
  const files = join(folder, 'many');
  rmSync(files, { recursive: true, force: true });
  for (let index = 0; index < entries; index++) {
    const directory = join(files, `folder ${Math.floor(index / entriesPerFolder)}`);
    if (index % entriesPerFolder === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `entry ${index}.txt`), index % 2 === 0 ? '' : `content of entry ${index}\n`);
  }
  const inodes = entries + Math.ceil(entries / entriesPerFolder) + 1000;
  const kibibytes = 32_768 + entries * 2; // an inode takes 256 bytes, a file at most one block
  run('mke2fs', '-q', '-t', 'ext4', '-b', '1024', '-N', String(inodes), '-d', files, path, `${kibibytes}K`);
  rmSync(files, { recursive: true });
}

/** An ext4 file system at the start, nothing behind it: the medium is large, what there is to find is small. */
function writeSparse(path: string, gibibytes: number): void {
  run('mke2fs', '-q', '-t', 'ext4', path, '64M');
  const file = openSync(path, 'r+');
  ftruncateSync(file, gibibytes * 1024 * mebibyte);
  closeSync(file);
}
