/** Finds signatures from a place on, going over the source at most once for each of them. */
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';

const windowSize = 1024 * 1024;
const smallest = 4096;

export interface Scanner {
  /** The next place of `signature` at or after `from`, before `end`; null where there is none. Ask with rising `from`: what was passed is not kept. */
  next(signature: string, from: number, end: number): number | null;
}

export function createScanner(source: ByteSource, problems: ProblemLog): Scanner {
  let window = Buffer.alloc(0); // made when first needed: most archives have no gap to search
  let start = 0;
  let length = 0;
  /** The last answer for each signature: nothing lies between `asked` and `found`. */
  const known = new Map<string, { asked: number; found: number | null }>();

  function fill(at: number): void {
    if (window.length === 0) window = Buffer.alloc(Math.min(windowSize, source.size));
    start = at;
    length = Math.max(0, Math.min(window.length, source.size - at));
    readAround(source, window.subarray(0, length), at, problems);
  }

  function find(signature: string, from: number): number | null {
    for (let at = from; at + signature.length <= source.size; at = start + length - signature.length + 1) {
      if (at < start || at + signature.length > start + length) fill(at);
      const found = window.subarray(0, length).indexOf(signature, at - start, 'latin1');
      if (found >= 0) return start + found;
    }
    return null;
  }

  return {
    next(signature, from, end) {
      const last = known.get(signature);
      const holds = last !== undefined && last.asked <= from && (last.found === null || last.found >= from);
      const found = holds ? last.found : find(signature, from);
      if (!holds) known.set(signature, { asked: from, found });
      return found !== null && found + signature.length <= end ? found : null;
    },
  };
}

/** Zeros for what cannot be read. */
function readAround(source: ByteSource, target: Uint8Array, offset: number, problems: ProblemLog): void {
  try {
    source.readInto(target, offset);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    if (target.length <= smallest) {
      target.fill(0);
      problems.add({ code: 'read.bad-sector', message: `archive: ${error.message}`, at: offset, hidesEvidence: true });
      return;
    }
    const half = Math.ceil(target.length / 2 / smallest) * smallest;
    readAround(source, target.subarray(0, half), offset, problems);
    readAround(source, target.subarray(half), offset + half, problems);
  }
}
