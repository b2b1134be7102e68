/** Where the embedded server keeps what: everything below `<data>/database`. */
import { join } from 'node:path';

export const layout = (dataFolder: string) => {
  const base = join(dataFolder, 'database');
  return {
    base,
    lock: join(base, 'guard.lock'),
    guard: join(base, 'guard.json'),
    guardLog: join(base, 'guard.log'),
    serverLog: join(base, 'server.log'),
    password: join(base, 'password'),
    location: join(base, 'location'),
    port: join(base, 'port'),
  };
};

export type Layout = ReturnType<typeof layout>;

/** What `guard.json` tells those who want to hold the server: where the guard listens, and the word it wants to hear. */
export interface GuardAddress {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
}

/** What the guard tells its holders, one JSON object a line. */
export type GuardMessage =
  | { readonly state: 'starting' }
  | { readonly state: 'ready'; readonly port: number }
  | { readonly state: 'failed'; readonly code: string; readonly message: string };

export const superuser = 'custodia';
export const databaseName = 'postgres';
