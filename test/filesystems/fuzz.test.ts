import { describe, expect, it } from 'vitest';
import { type ByteSource, makeSource } from '../../src/bytes/source.ts';
import { FormatError, LimitError, ReadError } from '../../src/evidence/errors.ts';
import { type FileSystemFormat } from '../../src/evidence/file-system.ts';
import { ext } from '../../src/filesystems/ext.ts';
import { fat } from '../../src/filesystems/fat.ts';
import { fixture } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { cpuMilliseconds } from './damage.ts';

/** Xorshift of 32 bits: the same mutants on every run. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Offsets of bytes that are not zero, in blocks that hold structures: the first 40 blocks of 1 KiB, and blocks that look like directories. */
function targetsOf(source: ByteSource): number[] {
  const bytes = source.read(0, source.size);
  const targets: number[] = [];
  for (let block = 0; block < bytes.length; block += 1024) {
    const structured =
      block < 40 * 1024 || bytes[block] === 0x2e || (bytes[block + 8] === 0x2e && bytes[block + 9] === 0) || bytes[block] === 0x0a;
    if (!structured) continue;
    for (let at = block; at < block + 1024; at++) if (bytes[at] !== 0) targets.push(at);
  }
  return targets;
}

/** Some bytes replaced: mostly by values at the edges, where fields are counts and pointers. */
function mutate(source: ByteSource, targets: readonly number[], seed: number): ByteSource {
  const next = random(seed);
  const patches = new Map<number, number>();
  const edges = [0, 1, 0x7f, 0x80, 0xff];
  for (let count = 1 + next(24); count > 0; count--) {
    const at = next(4) === 0 ? next(Math.min(source.size, 64 * 1024)) : targets[next(targets.length)]!;
    const wide = next(4); // 1 to 4 bytes together
    for (let byte = 0; byte <= wide; byte++) patches.set(at + byte, next(2) === 0 ? edges[next(edges.length)]! : next(256));
  }
  return makeSource(source.size, (target, offset) => {
    const got = source.readInto(target, offset);
    for (const [at, value] of patches) if (at >= offset && at < offset + got) target[at - offset] = value;
    return got;
  });
}

const known = (error: unknown): boolean => error instanceof FormatError || error instanceof ReadError || error instanceof LimitError;

function examine(format: FileSystemFormat, volume: ByteSource): void {
  const problems = keepProblems();
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      if (!known(error)) throw error;
    }
  };
  attempt(() => {
    const recognised = format.recognises(volume);
    const fileSystem = format.open(volume, problems);
    expect(recognised).toBe(true);
    const addresses = new Set<string>();
    let count = 0;
    for (const entry of fileSystem.entries()) {
      expect(addresses.has(entry.address), `address ${entry.address} twice`).toBe(false);
      expect(entry.path.isWellFormed() && !entry.path.includes('\0')).toBe(true);
      addresses.add(entry.address);
      if (++count % 7 === 0) attempt(() => fileSystem.content(entry.address).read(0, 8192));
    }
    for (const { length } of fileSystem.unallocated()) expect(length).toBeGreaterThan(0);
  });
  for (const { message } of problems.all) expect(message.isWellFormed() && message.length < 2000).toBe(true);
}

const volumes: [string, FileSystemFormat, number][] = [
  ['fat-fat12-deleted', fat, 200],
  ['fat-fat16-fragmented', fat, 200],
  ['fat-fat32-orphans', fat, 20],
  ['ext-ext2-indirect', ext, 150],
  ['ext-ext3-journal', ext, 100],
  ['ext-ext4-inline', ext, 150],
  ['ext-ext4-groups', ext, 100],
];

/** The volume with one field of 1, 2 or 4 bytes replaced. */
function withField(source: ByteSource, at: number, width: number, value: number): ByteSource {
  return makeSource(source.size, (target, offset) => {
    const got = source.readInto(target, offset);
    for (let byte = 0; byte < width; byte++) {
      if (at + byte >= offset && at + byte < offset + got) target[at + byte - offset] = (value >>> (8 * byte)) & 0xff;
    }
    return got;
  });
}

describe('each field of what all else is computed from, at its edges', () => {
  it.each<[string, FileSystemFormat, number[], number, number]>([
    ['ext-ext2-indirect', ext, [4], 1024, 1024 + 0x180], // super.rst
    ['ext-ext4-inline', ext, [4], 1024, 1024 + 0x180],
    ['fat-fat16-fragmented', fat, [1, 2, 4], 11, 62], // fatgen103, "Boot Sector and BPB"
  ])('%s', (name, format, widths, from, to) => {
    const source = fixture(name);
    for (const width of widths) {
      for (let at = from; at < to; at += width) {
        for (const value of [0, 1, 0x80, 0x7fff_ffff, 0xffff_ffff]) {
          const begun = cpuMilliseconds();
          examine(format, withField(source, at, width, value));
          expect(cpuMilliseconds() - begun, `${width} bytes at ${at}: ${value}`).toBeLessThan(1000);
        }
      }
    }
  });
});

describe('mutants with fixed seeds end soon, and refuse in known ways only', () => {
  it.each(volumes)('%s', (name, format, count) => {
    const source = fixture(name);
    const targets = targetsOf(source);
    for (let seed = 1; seed <= count; seed++) {
      const begun = cpuMilliseconds();
      try {
        examine(format, mutate(source, targets, seed * 7919));
      } catch (error) {
        throw new Error(`mutant ${seed}: ${(error as Error).stack}`);
      }
      expect(cpuMilliseconds() - begun, `mutant ${seed}`).toBeLessThan(1000);
    }
  });
});
