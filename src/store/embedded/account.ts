/** Which account the server runs as: PostgreSQL refuses root, so root hands it to another one. */
import { chmodSync, chownSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseError } from '../database-error.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Null when this process may run the server itself. Root takes the owner of the folder, else `custodia`, `postgres` or `nobody`;
 * initdb demands that the account has a name, so only those listed in /etc/passwd count.
 */
export function serverAccount(folder: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const accounts = listAccounts();
  const owner = statSync(folder).uid;
  const found =
    accounts.find(({ uid }) => owner !== 0 && uid === owner) ??
    ['custodia', 'postgres', 'nobody']
      .map((wanted) => accounts.find(({ name }) => name === wanted))
      .find((account) => account !== undefined);
  if (found === undefined || found.uid === 0) {
    const expected = 'expected an account custodia, postgres or nobody in /etc/passwd, or a data folder that belongs to an ordinary user';
    throw new DatabaseError('database.account', `${folder}: PostgreSQL does not run as root and no other account was found; ${expected}`);
  }
  return found;
}

/** A cluster that exists is run by whom it belongs to; PostgreSQL accepts no other. */
export function ownerOf(cluster: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const { uid, gid } = statSync(cluster);
  if (uid === 0)
    throw new DatabaseError(
      'database.account',
      `${cluster}: belongs to root, expected an ordinary account: PostgreSQL does not run as root`,
    );
  return { uid, gid };
}

function listAccounts(): (Account & { name: string })[] {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** True when the account may pass through every folder from the root down to this path. Access lists are not looked at: they count as no. */
export function isReachable(path: string, account: Account): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if (!mayEnter(folder, account)) return false;
    if (folder === dirname(folder)) return true;
  }
}

function mayEnter(path: string, { uid, gid }: Account): boolean {
  const { mode, uid: owner, gid: group } = statSync(path);
  if (owner === uid) return (mode & 0o100) !== 0;
  return (mode & (group === gid ? 0o010 : 0o001)) !== 0;
}

/** Lets the account's group pass through a folder of root's, and nobody else: it can neither list nor write it. */
export function letThrough(folder: string, account: Account): void {
  const { mode, uid } = statSync(folder);
  if (uid !== 0 || mayEnter(folder, account)) return;
  chownSync(folder, 0, account.gid);
  chmodSync(folder, (mode & 0o707) | 0o010);
}
