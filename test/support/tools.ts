/** Optional outside programs: tests that need one run where it is found, and are skipped by name where not. */
import { execFileSync, spawnSync } from 'node:child_process';

/** `describe.skipIf(!hasTool('fls'))`: true when the program is on the PATH. */
export const hasTool = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Standard output of a program, as text; its exit status must be 0. */
export const toolOutput = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 512 * 1024 * 1024, stdio: ['ignore', 'pipe', 'pipe'] });
