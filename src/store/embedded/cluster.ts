/** The data directory of the server: where it lies, how it is made, and whether it fits this version. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseError } from '../database-error.ts';
import { type Account, isReachable, letThrough, ownerOf, serverAccount } from './account.ts';
import { type Layout, superuser } from './folder.ts';
import { type Programs, packageFolder, preparePrograms } from './programs.ts';

export interface Cluster {
  readonly folder: string;
  readonly account: Account | null;
  readonly programs: Programs;
}

const majorVersion = '18';

/** Finds or makes the cluster of this data folder. Called under the lock. */
export async function prepareCluster(at: Layout, deadline: number): Promise<Cluster> {
  const known = existsSync(at.location) ? readFileSync(at.location, 'utf8').trim() : null;
  if (known !== null) check(known, at);
  const account = known === null ? serverAccount(dirname(at.base)) : ownerOf(known);
  if (account !== null) for (const folder of [dirname(at.base), at.base]) letThrough(folder, account);
  const home = known === null ? chooseHome(at, account) : dirname(known);
  const programs = preparePrograms(packageFolder(), account, () => home);
  const cluster = { folder: known ?? join(home, 'cluster'), account, programs };
  if (known === null) {
    await create(cluster, readPassword(at), deadline);
    writeDurably(at.location, `${cluster.folder}\n`);
  }
  return cluster;
}

/** Beside the data where the account gets there; else (a data folder below /root) in /var/lib, and the data folder keeps its address. */
function chooseHome(at: Layout, account: Account | null): string {
  if (account === null || isReachable(realpathSync(at.base), account)) return at.base;
  const home = join('/var/lib/custodia', createHash('sha256').update(realpathSync(at.base)).digest('hex').slice(0, 16));
  mkdirSync(home, { recursive: true });
  for (const folder of [dirname(home), home]) chmodSync(folder, 0o711);
  return home;
}

/** Made once, by root or whoever owns the data folder; nobody else reads it. */
function readPassword(at: Layout): string {
  if (!existsSync(at.password)) writeDurably(at.password, `${randomBytes(24).toString('base64url')}\n`);
  return readFileSync(at.password, 'utf8').trim();
}

/** Made aside and renamed when it is whole: an interrupted initdb leaves nothing that could be taken for a cluster. */
async function create({ folder, account, programs }: Cluster, password: string, deadline: number): Promise<void> {
  if (existsSync(folder)) return; // whole, but the process ended before it wrote the location
  const unfinished = `${folder}.new`;
  const passwordFile = `${folder}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (account !== null) for (const path of [unfinished, passwordFile]) chownSync(path, account.uid, account.gid);
    const authentication = ['--auth=scram-sha-256', `--username=${superuser}`, `--pwfile=${passwordFile}`];
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    await run(programs.initdb, [`--pgdata=${unfinished}`, '--data-checksums', ...authentication, ...locale], account, deadline);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(unfinished, folder);
  syncFolder(dirname(folder));
}

function check(folder: string, at: Layout): void {
  if (!existsSync(folder)) {
    const message = `${folder}: no cluster there, though ${at.location} names it; put it back from a backup, or remove ${at.base} to begin anew`;
    throw new DatabaseError('database.missing', message);
  }
  const versionFile = join(folder, 'PG_VERSION');
  const found = existsSync(versionFile) ? readFileSync(versionFile, 'utf8').trim() : null;
  if (found === majorVersion) return;
  const what = found === null ? 'the file is missing: the cluster is damaged' : `found '${found}'`;
  throw new DatabaseError('database.cluster-version', `${versionFile}: ${what}, expected '${majorVersion}'`);
}

/** What PostgreSQL's programs see of our environment: nothing that could lead them elsewhere. */
export const cleanEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' });

export const runAs = (account: Account | null) => (account === null ? {} : { uid: account.uid, gid: account.gid });

function run(program: string, args: readonly string[], account: Account | null, deadline: number): Promise<void> {
  const timeout = Math.max(1, deadline - Date.now());
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: '/',
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      ...runAs(account),
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const fail = (what: string) => reject(new DatabaseError('database.initdb', `${program}: ${what}; it said:\n${output.trim()}`));
    child.on('error', (error) => fail(error.message));
    child.on('close', (status, signal) =>
      status === 0 ? resolve() : fail(`ended with ${signal ?? `status ${status}`}, expected status 0`),
    );
  });
}

/** There whole or not at all, also after a power cut; 0600. */
export function writeDurably(path: string, text: string): void {
  const unfinished = `${path}.new`;
  const file = openSync(unfinished, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
  syncFolder(dirname(path));
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
