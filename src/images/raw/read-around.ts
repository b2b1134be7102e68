/** A source that never refuses: what cannot be read is zeros, counted and told of. */
import { type ByteSource, makeSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';

/** The smallest piece that is given up: what the system reads at once. */
const pieceSize = 4096;
const toldAtMost = 100_000;

/** Pieces, by their index. */
interface BadRange {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
}

const extended = (range: BadRange | null, piece: number, reason: string): BadRange =>
  range === null ? { first: piece, last: piece, reason } : { ...range, last: piece };

/** `name` stands in the messages where a medium has several files. */
export function readAround(source: ByteSource, damage: { bytes: number }, problems: ProblemLog, name?: string): ByteSource {
  const told = new Set<number>();
  const tell = ({ first, last, reason }: BadRange): void => {
    const known = told.has(first) && told.has(last);
    for (let piece = first; piece <= last && told.size < toldAtMost; piece++) told.add(piece);
    if (known || told.size >= toldAtMost) return;
    const at = first * pieceSize;
    const end = Math.min(source.size, (last + 1) * pieceSize);
    const message = `${name === undefined ? '' : `${name}: `}bytes ${at} to ${end - 1} cannot be read (${reason}): taken as zeros`;
    problems.add({ code: 'read.bad-sector', message, at, hidesEvidence: true });
  };
  return makeSource(source.size, (target, offset) => {
    try {
      return source.readInto(target, offset);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
    }
    const wanted = Math.max(0, Math.min(target.length, source.size - offset));
    let bad: BadRange | null = null;
    for (let done = 0; done < wanted; ) {
      const piece = Math.floor((offset + done) / pieceSize);
      const part = target.subarray(done, Math.min(wanted, (piece + 1) * pieceSize - offset));
      const reason = readPiece(source, part, offset + done);
      done += part.length;
      if (reason !== null) {
        damage.bytes += part.length;
        bad = extended(bad, piece, reason);
      } else if (bad !== null) {
        tell(bad);
        bad = null;
      }
    }
    if (bad !== null) tell(bad);
    return wanted;
  });
}

/** Null when it worked, else why it did not. */
function readPiece(source: ByteSource, part: Uint8Array, offset: number): string | null {
  try {
    const got = source.readInto(part, offset);
    if (got === part.length) return null;
    part.fill(0, got);
    return `the file ends at byte ${offset + got}`;
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    part.fill(0);
    return error.message;
  }
}
