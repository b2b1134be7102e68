/** The tokens that this account keeps, one for each server: a token is never sent to a server that it is not of. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ApiError } from './api-error.ts';

const tokenShape = /^cst_[A-Za-z0-9_-]{43}$/;

export const configFolder = (environment: NodeJS.ProcessEnv): string =>
  join(environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), '.config'), 'custodia');

export const stateFolder = (environment: NodeJS.ProcessEnv): string =>
  join(environment.XDG_STATE_HOME || join(environment.HOME || homedir(), '.local', 'state'), 'custodia');

export const keptTokens = (environment: NodeJS.ProcessEnv): string => join(configFolder(environment), 'token');

/** Throws ApiError; the message does not repeat what was given. */
export function checkedToken(text: string, from: string): string {
  const token = text.trim();
  if (!tokenShape.test(token)) throw new ApiError(0, 'client.token', `${from}: expected a token (cst_ and 43 characters)`);
  return token;
}

/** From a file that holds a token and nothing else. */
export async function readTokenFile(file: string): Promise<string> {
  const text = await readSecret(file);
  if (text === null) throw new ApiError(0, 'client.token', `${file}: not found, expected a file with a token`);
  return checkedToken(text, file);
}

export async function keptToken(file: string, server: string): Promise<string | null> {
  const token = (await readKept(file)).get(server);
  return token === undefined ? null : checkedToken(token, file);
}

export async function keepToken(file: string, server: string, token: string): Promise<void> {
  await writeKept(file, (await readKept(file)).set(server, token));
}

/** False when there was none. */
export async function forgetToken(file: string, server: string): Promise<boolean> {
  const kept = await readKept(file);
  if (!kept.delete(server)) return false;
  await writeKept(file, kept);
  return true;
}

/** A line for each server: its address, a space, the token. */
async function readKept(file: string): Promise<Map<string, string>> {
  const lines = ((await readSecret(file)) ?? '').split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)] as const));
}

async function writeKept(file: string, kept: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.partial`;
  const opened = await open(draft, 'wx', 0o600);
  try {
    await opened.writeFile([...kept].map(([server, token]) => `${server} ${token}\n`).join(''));
    await opened.sync();
    await opened.close();
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Null where there is no such file. Throws ApiError for one that others may read: then it is no secret. */
async function readSecret(file: string): Promise<string | null> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new ApiError(0, 'client.token', `${file}: its mode is ${found}, expected 0600: others may have read the token`);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new ApiError(0, 'client.token', `${file}: cannot be read (${code})`, { cause: error });
  }
}
