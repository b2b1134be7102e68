/** One among several processes: it holds a lock of the database for as long as its connection lives. PostgreSQL manual, 13.3.5 (advisory locks). */
import { type Pool, type PoolClient } from 'pg';

export interface Leader {
  /** Asks for the lock where it is not held, and whether the connection still lives where it is. Throws when the database is away. */
  leads(): Promise<boolean>;
  /** Lets another one lead. */
  close(): void;
}

export function candidate(pool: Pool, office: string): Leader {
  let holder: PoolClient | null = null;
  let closed = false;

  async function ask(): Promise<boolean> {
    const client = await pool.connect();
    try {
      const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock(hashtextextended($1, 0)) as got', [office]);
      if (rows[0]!.got && !closed) hold(client);
      else client.release(rows[0]!.got);
    } catch (error) {
      client.release(true);
      throw error;
    }
    return holder !== null;
  }
  function hold(client: PoolClient): void {
    client.on('error', () => drop(client));
    client.on('end', () => drop(client));
    holder = client;
  }
  function drop(client: PoolClient): void {
    if (holder !== client) return;
    holder = null;
    client.release(true); // ends the session, and the lock with it
  }
  async function stillLives(client: PoolClient): Promise<boolean> {
    try {
      await client.query('select 1');
      return holder === client;
    } catch (error) {
      drop(client);
      throw error;
    }
  }
  let asking: Promise<boolean> | null = null;
  return {
    leads() {
      if (closed) return Promise.resolve(false);
      asking ??= (holder === null ? ask() : stillLives(holder)).finally(() => {
        asking = null;
      });
      return asking;
    },
    close() {
      closed = true;
      if (holder !== null) drop(holder);
    },
  };
}
