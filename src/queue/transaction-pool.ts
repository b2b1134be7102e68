/** Lets BullMQ work inside a transaction of ours: a pool in its eyes, one client in truth. */
import { EventEmitter } from 'node:events';
import { type PoolClient } from 'pg';

/** BullMQ finds its tables by the search path, which holds for its own statements only. */
const enter = 'set local search_path to bullmq, public';
const leave = 'set local search_path to default';

/** Whatever is done through it stands or falls with the client's transaction. Nothing is ended or released by it. */
export function transactionPool(client: PoolClient) {
  const query = async (text: string, values?: unknown[]) => {
    await client.query(enter);
    const result = await client.query(text, values);
    await client.query(leave);
    return result;
  };
  const borrowed = { query, release: () => undefined, on: () => borrowed, removeListener: () => borrowed };
  return Object.assign(new EventEmitter(), {
    query,
    connect: async () => borrowed,
    end: async () => undefined,
    options: { keepAlive: true },
  });
}
