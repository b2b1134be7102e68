/** Hears notices of the database on one channel, for as long as the process wants; a connection that is lost is made again. */
import { type Pool, type PoolClient } from 'pg';

export interface Listener {
  close(): void;
}

const againMs = 1000;

/** `heard` is called for every notice, and after every time when some may have been missed. `onError`: it is tried again. */
export function listen(pool: Pool, channel: string, heard: () => void, onError: (error: unknown) => void): Listener {
  let client: PoolClient | null = null;
  let connecting = false;
  let closed = false;

  async function connect(): Promise<void> {
    if (client !== null || connecting || closed) return;
    connecting = true;
    try {
      const made = await pool.connect();
      const drop = () => {
        if (client !== made) return;
        client = null;
        made.release(true);
      };
      made.on('notification', heard);
      made.on('error', drop);
      made.on('end', drop);
      client = made;
      await made.query(`listen ${channel}`).catch((error: unknown) => {
        drop();
        throw error;
      });
      if (closed) drop();
      else heard();
    } finally {
      connecting = false;
    }
  }

  const timer = setInterval(() => void connect().catch(onError), againMs);
  void connect().catch(onError);
  return {
    close() {
      closed = true;
      clearInterval(timer);
      const last = client;
      client = null;
      last?.release(true);
    },
  };
}
