/** What every file system reader owes its callers, run on a good volume. */
import { describe, expect, it } from 'vitest';
import { type ByteSource, makeSource, sliceSource } from '../../src/bytes/source.ts';
import { FormatError, ReadError } from '../../src/evidence/errors.ts';
import { type Entry, type FileSystemFormat } from '../../src/evidence/file-system.ts';
import { failingSource } from '../support/failing-source.ts';
import { keepProblems } from '../support/problems.ts';

/** `volume()` gives the same good volume each time. */
export function fileSystemContract(format: FileSystemFormat, name: string, volume: () => ByteSource): void {
  describe(`${format.name} keeps the file system contract on ${name}`, () => {
    const list = (source: ByteSource) => {
      const problems = keepProblems();
      const fileSystem = format.open(source, problems);
      return { fileSystem, problems, entries: [...fileSystem.entries()] };
    };

    it('recognises it, and not the same bytes as zeros', () => {
      expect(format.recognises(volume())).toBe(true);
      expect(format.recognises(makeSource(volume().size, (target) => target.fill(0).length))).toBe(false);
    });

    it('lists the same entries twice, each address once, without the root', () => {
      const first = list(volume());
      const second = list(volume());
      expect(second.entries).toEqual(first.entries);
      const addresses = first.entries.map(({ address }) => address);
      expect(new Set(addresses).size).toBe(addresses.length);
      expect(first.entries.every(({ path }) => path !== '' && !path.startsWith('/'))).toBe(true);
      expect(first.entries.every(({ path }) => path.isWellFormed() && !path.includes('\0'))).toBe(true);
    });

    it('gives allocated files exactly the bytes that their metadata claims, from a fresh reader', () => {
      const source = volume();
      for (const entry of list(source).entries.filter(isLiveFile)) {
        const content = format.open(source, keepProblems()).content(entry.address);
        expect(content.size).toBe(entry.size);
        expect(content.read(0, entry.size).length).toBe(entry.size);
      }
    });

    it('gives the content of every entry, live or deleted, the same in pieces as at once, or refuses in a known way', () => {
      const source = volume();
      const { fileSystem, entries } = list(source);
      for (const { address, type } of entries) {
        try {
          const content = fileSystem.content(address);
          const whole = content.read(0, content.size);
          expect(whole.length).toBe(content.size);
          const middle = Math.floor(whole.length / 3);
          expect(Buffer.from(content.read(middle, 5000)).equals(whole.subarray(middle, middle + 5000))).toBe(true);
          expect(content.read(content.size, 10).length).toBe(0);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          expect(type).not.toBe('file');
        }
      }
    });

    it('refuses addresses that are none', () => {
      const { fileSystem } = list(volume());
      for (const address of ['', '0', '-1', '1.5', 'x', '1e3', '99999999999', '999999999999999', '12-', '../etc', '9'.repeat(1000)])
        expect(() => fileSystem.content(address), address).toThrow(FormatError);
    });

    it('reads to list no more than twice what the volume has', () => {
      const source = volume();
      let bytes = 0;
      const counted = makeSource(source.size, (target, offset) => {
        bytes += target.length;
        return source.readInto(target, offset);
      });
      list(counted);
      expect(bytes).toBeLessThan(2 * source.size + 1024 * 1024);
    });

    it('names unallocated ranges in order, inside the volume, without overlap', () => {
      const source = volume();
      let end = 0;
      for (const { offset, length } of format.open(source, keepProblems()).unallocated()) {
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(length).toBeGreaterThan(0);
        end = offset! + length;
      }
      expect(end).toBeLessThanOrEqual(source.size);
    });

    it('reports a bad sector wherever it falls', () => {
      const source = volume();
      const counted = failingSource(source, -1);
      [...format.open(counted, keepProblems()).entries()];
      // every read of small volumes, so many of large ones
      const step = Math.max(1, Math.floor(counted.reads / (source.size > 16 * 1024 * 1024 ? 25 : 100)));
      for (let failAt = 0; failAt < counted.reads; failAt += step) {
        const problems = keepProblems();
        try {
          [...format.open(failingSource(source, failAt), problems).entries()];
        } catch (error) {
          expect(error).toBeInstanceOf(ReadError);
          continue;
        }
        expect(problems.codes()).toContain('read.bad-sector');
      }
    });

    it('gives contents or refuses in a known way when a sector is bad', () => {
      const source = volume();
      const files = list(source).entries.filter(isLiveFile).slice(0, 20);
      for (let failAt = 0; failAt < 12; failAt++) {
        const problems = keepProblems();
        try {
          const fileSystem = format.open(failingSource(source, failAt), problems);
          for (const { address } of files) fileSystem.content(address).read(0, 1 << 20);
        } catch (error) {
          expect(isRefusal(error), String(error)).toBe(true);
        }
      }
    });

    it('survives being cut off at any place', () => {
      const whole = volume();
      for (let part = 0; part < 48; part++) {
        const cut = part < 24 ? part * 512 : Math.floor((whole.size * (part - 23)) / 25);
        const problems = keepProblems();
        try {
          [...format.open(sliceSource(whole, 0, cut), problems).entries()];
        } catch (error) {
          expect(isRefusal(error), String(error)).toBe(true);
          continue;
        }
        if (cut < whole.size / 2) expect(problems.all.length).toBeGreaterThan(0);
      }
    });
  });
}

const isLiveFile = (entry: Entry): boolean => entry.type === 'file' && entry.nameAllocated && entry.metadataAllocated;
const isRefusal = (error: unknown): boolean => error instanceof FormatError || error instanceof ReadError;
