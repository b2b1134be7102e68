/** The evidence's files as the file system tells of them: looked at before and after every step, never opened here. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type StatTuple } from '../store/schema.ts';
import { TaskError } from './task-error.ts';

/** Throws TaskError (`evidence.missing`) where a file cannot be looked at any more. */
export async function statEvidence(paths: readonly string[]): Promise<StatTuple[]> {
  const tuples: StatTuple[] = [];
  for (const path of paths) {
    try {
      const found = await stat(path, { bigint: true });
      tuples.push({
        name: basename(path),
        size: Number(found.size),
        mtimeNs: String(found.mtimeNs),
        ctimeNs: String(found.ctimeNs),
        inode: String(found.ino),
        device: String(found.dev),
      });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new TaskError(
        'evidence.missing',
        `${basename(path)}: cannot be looked at (${code}), expected the file that was received`,
        true,
      );
    }
  }
  return tuples;
}

/** What differs, in words; empty when nothing does. Access times are not looked at: reading may change them. */
export function differences(before: readonly StatTuple[], after: readonly StatTuple[]): string[] {
  const keys = ['size', 'mtimeNs', 'ctimeNs', 'inode', 'device'] as const;
  return before.flatMap((tuple, index) => {
    const other = after[index];
    if (other === undefined) return [`${tuple.name}: gone`];
    return keys.filter((key) => tuple[key] !== other[key]).map((key) => `${tuple.name}: ${key} was ${tuple[key]}, is ${other[key]}`);
  });
}
