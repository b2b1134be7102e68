/** The embedded PostgreSQL: a real server in the data folder, shared by all processes that use the folder, gone when the last of them is. */
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Logger } from 'pino';
import { openPool, probe } from './connection.ts';
import { DatabaseError } from './database-error.ts';
import { databaseName, layout, superuser } from './embedded/folder.ts';
import { holdServer } from './embedded/hold.ts';

export interface EmbeddedServer {
  /** With the password: never to be logged. */
  readonly url: string;
  /** Another process of this installation had started it. */
  readonly attached: boolean;
  readonly version: string;
  /** Lets go of the server; the last one to do so waits until it has stopped. */
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly dataFolder: string;
  readonly log: Logger;
  readonly startTimeoutMs?: number;
  /** How long the server stays after its last user left; asked of whoever starts it. */
  readonly lingerMs?: number;
  /** With more memory for searches; asked of whoever starts it. */
  readonly isService?: boolean;
}

/** Starts the server or joins the one that runs. Throws DatabaseError with the end of the server's own log. */
export async function openEmbedded({
  dataFolder,
  log,
  startTimeoutMs = 120_000,
  lingerMs = 0,
  isService = false,
}: EmbeddedOptions): Promise<EmbeddedServer> {
  const folder = resolve(dataFolder);
  const at = layout(folder);
  const options = { dataFolder: folder, lingerMs, startTimeoutMs, isService };
  makeFolder(at.base);
  let hold = await holdServer(at, options);
  const { port, started } = hold;
  let isClosed = false;

  /** A guard that was killed leaves its server behind: the next guard takes it over. */
  const keepHeld = async () => {
    for (;;) {
      await hold.lost;
      if (isClosed) return;
      log.warn({ folder: at.base }, 'the guard of the embedded PostgreSQL is gone: starting another');
      hold = await holdServer(at, options);
      if (isClosed) return void (await hold.release());
      if (hold.port !== port)
        throw new DatabaseError('database.moved', `${at.base}: the server came back on port ${hold.port}, expected ${port}`);
    }
  };
  keepHeld().catch((error) => log.error({ err: error }, 'the embedded PostgreSQL is lost'));

  const close = async () => {
    isClosed = true;
    await hold.release();
  };
  try {
    const password = readFileSync(at.password, 'utf8').trim();
    const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/${databaseName}`;
    return { url, attached: !started, version: await versionOf(url, log), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Lists nothing to others; the account of the server is let through where it is another one. */
function makeFolder(base: string): void {
  try {
    mkdirSync(base, { recursive: true, mode: 0o700 });
    accessSync(base, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new DatabaseError('database.folder', `${base}: cannot be used by this account: ${(error as Error).message}`, { cause: error });
  }
}

async function versionOf(url: string, log: Logger): Promise<string> {
  const pool = openPool({ url, log, max: 1 });
  try {
    return (await probe(pool)).version;
  } finally {
    await pool.end();
  }
}
