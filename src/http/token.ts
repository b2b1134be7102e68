/** The token of the API: made at the first start, readable by its owner only, never overwritten. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface ApiToken {
  readonly token: string;
  readonly path: string;
}

/** Several processes that start at once end up with the same token. Throws Error where others may read it, or where it is none. */
export async function apiToken(keyFolder: string): Promise<ApiToken> {
  const path = join(keyFolder, 'api.token');
  await mkdir(keyFolder, { recursive: true, mode: 0o700 });
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) await makeToken(keyFolder, path);
  else if (process.platform !== 'win32' && (found.mode & 0o077) !== 0) {
    throw new Error(`token.permissions: ${path} has mode ${(found.mode & 0o777).toString(8)}, expected 600: others could read it`);
  }
  const token = (await readFile(path, 'utf8')).trim();
  if (!/^[0-9a-f]{64}$/.test(token)) throw new Error(`token.form: ${path} holds no token, expected 64 hex digits`);
  return { token, path };
}

/** Written under another name and linked to its own: it is whole or not there, and the first one wins. */
async function makeToken(keyFolder: string, path: string): Promise<void> {
  const draft = join(keyFolder, `.api.token.${randomBytes(8).toString('hex')}`);
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
