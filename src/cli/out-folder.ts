/** The folder that a report is written to, looked at before the work is done. */
import { constants } from 'node:fs';
import { access, lstat, mkdir, readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Throws CommandError where no report can be written to `out`: before the work is done, not after it. */
export async function refuseFullFolder(out: string): Promise<void> {
  const names = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new CommandError(exitCodes.refused, 'out.unusable', `${out}: cannot be used for the report (${error.code})`);
  });
  if (names.length > 0)
    throw new CommandError(exitCodes.refused, 'out.not-empty', `${out}: holds ${names.length} files, expected an empty or new folder`);
  const parent = resolve(out, '..');
  await refuseUnmovable(out, parent);
  try {
    await mkdir(parent, { recursive: true });
    await access(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CommandError(
      exitCodes.refused,
      'out.unusable',
      `${out}: cannot be made in ${parent} (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

/** The finished folder takes its name by a rename, which neither a link nor the root of another file system lets happen. */
async function refuseUnmovable(out: string, parent: string): Promise<void> {
  const found = await lstat(out).catch(() => null); // what is not there can be made
  if (found === null) return;
  const refuse = (what: string) => {
    throw new CommandError(exitCodes.refused, 'out.unusable', `${out}: is ${what}, expected a new or empty folder: name one inside it`);
  };
  if (found.isSymbolicLink()) refuse('a link');
  if (found.dev !== (await stat(parent)).dev) refuse('where another file system is mounted');
}
