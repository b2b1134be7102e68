/** What every archive reader owes its callers, run on a good archive. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ByteSource, sliceSource } from '../../src/bytes/source.ts';
import { type ArchiveFormat, type Member } from '../../src/evidence/archive.ts';
import { FormatError, LimitError, ReadError } from '../../src/evidence/errors.ts';
import { Budget, defaultLimits } from '../../src/evidence/limits.ts';
import { failingSource } from '../support/failing-source.ts';
import { type KeptProblems, keepProblems } from '../support/problems.ts';

export interface ListedMember {
  readonly path: string;
  readonly type: Member['type'];
  readonly size: number;
  /** Null for what has no content, or for what could not be read: then `error` is its code. */
  readonly sha256: string | null;
  readonly error?: string;
}

export interface Listing {
  readonly members: readonly ListedMember[];
  readonly problems: KeptProblems;
  /** What ended the listing early, if something did. */
  readonly stopped: string | null;
}

const isExpected = (error: unknown): error is FormatError | ReadError | LimitError =>
  error instanceof FormatError || error instanceof ReadError || error instanceof LimitError;

/** Lists and reads everything, as the examination does. Any error of another kind than the three goes through. */
export async function listArchive(format: ArchiveFormat, source: ByteSource, limits: Partial<typeof defaultLimits> = {}): Promise<Listing> {
  const problems = keepProblems();
  const members: ListedMember[] = [];
  const budget = new Budget({ ...defaultLimits, ...limits });
  try {
    const archive = await format.open(source, budget, problems);
    for await (const member of archive.members()) {
      budget.spendEntry();
      for (const problem of member.problems) problems.add(problem);
      members.push({ path: member.path, type: member.type, ...readMember(archive.content(member)) });
    }
    return { members, problems, stopped: null };
  } catch (error) {
    if (!isExpected(error)) throw error;
    return { members, problems, stopped: error.code };
  }
}

function readMember(pieces: Iterable<Uint8Array>): Pick<ListedMember, 'size' | 'sha256' | 'error'> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for (const piece of pieces) {
      size += piece.length;
      hash.update(piece);
    }
    return { size, sha256: hash.digest('hex') };
  } catch (error) {
    if (!isExpected(error)) throw error;
    return { size, sha256: null, error: error.code };
  }
}

/** `source()` gives the same good archive each time; `expected` is what an outside witness finds in it. */
export function archiveContract(
  format: ArchiveFormat,
  name: string,
  source: () => ByteSource,
  expected: readonly { readonly path: string; readonly size: number; readonly sha256: string | null }[],
): void {
  describe(`${format.name} keeps the archive contract on ${name}`, () => {
    it('lists every member with the bytes that the witness knows, without a problem, and the same again', async () => {
      const { members, problems, stopped } = await listArchive(format, source());
      expect({ codes: problems.codes(), stopped }).toEqual({ codes: [], stopped: null });
      const found = members.map(({ path, size, sha256, type }) => ({ path, size, sha256: type === 'directory' ? null : sha256 }));
      expect(found).toEqual(expected);
      expect((await listArchive(format, source())).members).toEqual(members);
    });

    it('reports a bad sector wherever it falls, and loses no more members than those it falls on', async () => {
      const counted = failingSource(source(), -1);
      const whole = await listArchive(format, counted);
      const step = Math.max(1, Math.floor(counted.reads / 100));
      for (let failAt = 0; failAt < counted.reads; failAt += step) {
        const { members, problems, stopped } = await listArchive(format, failingSource(source(), failAt));
        const told = problems.all.length > 0 || stopped !== null || members.some(({ error }) => error !== undefined);
        if (!told) expect(members).toEqual(whole.members); // the read that failed was made again
      }
    });

    it('survives being cut off at any place, and says so', async () => {
      const whole = source();
      for (let part = 0; part < 64; part++) {
        const cut = Math.floor((whole.size * part) / 64);
        const { problems, stopped } = await listArchive(format, sliceSource(whole, 0, cut));
        expect(problems.all.length > 0 || stopped !== null, `cut at ${cut}`).toBe(true);
      }
    });

    it('stops at the limit of entries', async () => {
      const most = expected.length - 1;
      const { members, stopped } = await listArchive(format, source(), { entries: most });
      expect({ count: members.length, stopped }).toEqual({ count: most, stopped: 'limit.entries' });
    });

    it('gives out no more bytes than the limit of unpacked bytes', async () => {
      const total = expected.reduce((sum, { size }) => sum + size, 0);
      const { members, stopped } = await listArchive(format, source(), { unpackedBytes: total - 1 });
      expect(members.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(total - 1);
      expect(stopped ?? members.at(-1)!.error).toBe('limit.unpacked-bytes');
    });
  });
}
