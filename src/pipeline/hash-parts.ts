/** Puts the parts of `hash-media` together that two threads have computed. */
import { type HashMediaPart, type HashMediaResult } from '../evidence/task.ts';

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
    problems: parts.flatMap(({ problems }) => problems).sort((a, b) => (a.at ?? 0) - (b.at ?? 0)),
  };
}
