/** The embedded PostgreSQL: a real server in the data folder, shared by all processes that use the folder, gone when the last of them is. */
import { mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Logger } from 'pino';
import { openPool, probe } from './connection.ts';
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
}

/** Starts the server or joins the one that runs. Throws DatabaseError with the end of the server's own log. */
export async function openEmbedded({ dataFolder, log, startTimeoutMs = 60_000, lingerMs = 0 }: EmbeddedOptions): Promise<EmbeddedServer> {
  const folder = resolve(dataFolder);
  const at = layout(folder);
  mkdirSync(at.base, { recursive: true, mode: 0o711 });
  const hold = await holdServer(at, { dataFolder: folder, lingerMs, startTimeoutMs });
  try {
    const password = readFileSync(at.password, 'utf8').trim();
    const url = `postgres://${superuser}:${password}@127.0.0.1:${hold.port}/${databaseName}`;
    const pool = openPool({ url, log, max: 1 });
    try {
      const { version } = await probe(pool);
      return { url, attached: !hold.started, version, close: hold.release };
    } finally {
      await pool.end();
    }
  } catch (error) {
    await hold.release();
    throw error;
  }
}
