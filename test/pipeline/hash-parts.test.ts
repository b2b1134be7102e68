/** Two threads digest one medium: what both met is told once. */
import { expect, it } from 'vitest';
import { type HashMediaPart } from '../../src/evidence/task.ts';
import { combineParts } from '../../src/pipeline/hash-parts.ts';

const problem = (code: string, at: number) => ({ locator: 'image:', code, message: `${code} at ${at}`, at, hidesEvidence: true });
const part = (media: Record<string, string>, problems: HashMediaPart['problems']): HashMediaPart => ({
  mediaSize: 10,
  media,
  leaves: [],
  segments: [],
  damagedBytes: 0,
  problems,
});

it('gives the same problems whichever thread met them, in order of their places', () => {
  const [hole, table] = [problem('ewf.chunk-missing', 900), problem('ewf.table-damaged', 20)];
  const one = combineParts([part({ md5: 'a' }, [hole, table]), part({ sha1: 'b' }, [])]);
  const both = combineParts([part({ md5: 'a' }, [hole]), part({ sha1: 'b' }, [table, hole])]);
  expect(one.problems).toEqual([table, hole]);
  expect(both).toEqual(one);
});
