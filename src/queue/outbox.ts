/** Redis knows nothing of our transactions: announcements are written into a table with them, and relayed once they are committed. */
import { type Pool, type PoolClient } from 'pg';
import { type Logger } from 'pino';
import { type UnitNotice } from '../pipeline/unit-queue.ts';

const channel = 'custodia_outbox';
const atOnce = 500;
const pollMs = 2000;

export async function prepareOutbox(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(hashtext('${channel}'))`); // "if not exists" alone fails when several start at once
    await client.query(
      'create table if not exists queue_outbox (id bigint generated always as identity primary key, unit_id uuid not null, priority integer not null)',
    );
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

export async function writeOutbox(client: PoolClient, units: readonly UnitNotice[]): Promise<void> {
  await client.query('insert into queue_outbox (unit_id, priority) select * from unnest($1::uuid[], $2::int[])', [
    units.map(({ id }) => id),
    units.map(({ priority }) => priority),
  ]);
  await client.query(`notify ${channel}`); // arrives with the commit
}

export interface Relay {
  close(): Promise<void>;
}

/** Hands committed announcements to `deliver`, at least once each: a row goes only after it was delivered. */
export function startRelay(pool: Pool, deliver: (units: readonly UnitNotice[]) => Promise<void>, log: Logger): Relay {
  let listener: PoolClient | null = null;
  let running: Promise<void> | null = null;
  let again = false;
  let closed = false;

  async function drain(): Promise<void> {
    do {
      again = false;
      while (!closed && (await relayOnce(pool, deliver)) === atOnce);
    } while (again && !closed);
  }
  const kick = () => {
    again = true;
    running ??= drain()
      .catch((error: unknown) => log.warn({ err: error }, 'outbox: relaying failed, it is tried again'))
      .finally(() => {
        running = null;
      });
  };
  async function listen(): Promise<void> {
    if (listener !== null || closed) return;
    const client = await pool.connect();
    if (listener !== null || closed) return client.release();
    const drop = () => {
      if (listener !== client) return;
      listener = null;
      client.release(true);
    };
    client.on('notification', kick);
    client.on('error', drop);
    client.on('end', drop);
    listener = client;
    try {
      await client.query(`listen ${channel}`);
    } catch (error) {
      drop();
      throw error;
    }
  }
  const timer = setInterval(() => {
    listen().catch((error: unknown) => log.warn({ err: error }, 'outbox: cannot listen, polling goes on'));
    kick();
  }, pollMs);
  listen().catch((error: unknown) => log.warn({ err: error }, 'outbox: cannot listen, polling goes on'));
  kick();
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await running;
      const client = listener;
      listener = null;
      client?.release(true);
    },
  };
}

async function relayOnce(pool: Pool, deliver: (units: readonly UnitNotice[]) => Promise<void>): Promise<number> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('begin');
    const { rows } = await client.query<{ unit_id: string; priority: number }>(
      `delete from queue_outbox where id in (select id from queue_outbox order by id limit ${atOnce} for update skip locked) returning unit_id, priority`,
    );
    if (rows.length > 0) await deliver(rows.map(({ unit_id, priority }) => ({ id: unit_id, priority })));
    await client.query('commit');
    return rows.length;
  } catch (error) {
    await client.query('rollback').catch((broken: Error) => {
      failure = broken;
    });
    throw error;
  } finally {
    client.release(failure);
  }
}
