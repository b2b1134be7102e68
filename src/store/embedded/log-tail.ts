/** The end of a log file, for error messages. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const tailSize = 3000;

/** At most 3000 bytes, and nothing before byte `from`. */
export function logTail(path: string, from: number): string {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const start = Math.max(from, size - tailSize);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    const count = readSync(file, bytes, 0, bytes.length, start);
    return bytes.toString('utf8', 0, count).trim() || '(nothing)';
  } finally {
    closeSync(file);
  }
}
