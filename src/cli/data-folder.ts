/** The folder of the installation, looked at before anything is opened in it. */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Throws CommandError where this account cannot use it. */
export async function refuseUnusableDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const text = `data folder ${folder}: cannot be used by this account (${code}); --data or CUSTODIA_DATA names another`;
    throw new CommandError(exitCodes.refused, 'data.folder', text);
  }
}
