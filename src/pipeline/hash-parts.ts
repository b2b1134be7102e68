/** Puts the parts of `hash-media` together that two threads have computed. */
import { type HashMediaPart, type HashMediaResult, type LocatedProblem } from '../evidence/task.ts';

export function combineParts(parts: readonly HashMediaPart[]): HashMediaResult {
  const first = parts[0];
  const segments = parts.find((part) => part.segments !== null)?.segments;
  if (first === undefined || segments === undefined || segments === null)
    throw new TypeError('hash-media: no part holds the digests of the files');
  return {
    mediaSize: first.mediaSize,
    media: Object.assign({}, ...parts.map(({ media }) => media)) as HashMediaResult['media'],
    leaves: parts
      .flatMap(({ leaves }) => leaves)
      .sort(([a], [b]) => a - b)
      .map(([, digest]) => digest),
    segments,
    damagedBytes: parts.reduce((sum, { damagedBytes }) => sum + damagedBytes, 0),
    problems: told(parts.flatMap(({ problems }) => problems)),
  };
}

/** What both threads met is told once: how often it was met depends on who was faster. */
function told(problems: readonly LocatedProblem[]): LocatedProblem[] {
  const once = new Map(problems.map((problem) => [JSON.stringify([problem.at, problem.code, problem.message, problem.locator]), problem]));
  return [...once.values()].sort((a, b) => (a.at ?? 0) - (b.at ?? 0) || compare(a.code, b.code) || compare(a.message, b.message));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
