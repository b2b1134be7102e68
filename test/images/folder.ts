/** A folder of its own for tests of file names, gone when they end. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll } from 'vitest';
import { type ImageFormat } from '../../src/evidence/image.ts';

export function namesOf(format: ImageFormat) {
  const root = mkdtempSync(join(tmpdir(), 'custodia-names-'));
  afterAll(() => rmSync(root, { recursive: true }));
  let count = 0;
  /** What `segmentPaths` finds, given `name`, in a folder of these files; names that end in `/` are folders. */
  return (name: string, files: readonly string[]): string[] => {
    const folder = join(root, String(count++));
    mkdirSync(folder);
    for (const file of files) {
      if (file.endsWith('/')) mkdirSync(join(folder, file));
      else writeFileSync(join(folder, file), '');
    }
    return format.segmentPaths(join(folder, name)).map((path) => basename(path));
  };
}
