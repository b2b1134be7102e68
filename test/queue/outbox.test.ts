/** Announcements on the Redis backend: by way of a table, so that none is lost whatever dies. Witnesses: the table, and Redis itself (redis-server 7.0). */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type QueueWorker, type UnitNotice, type UnitQueue } from '../../src/pipeline/unit-queue.ts';
import { openUnitQueue, prepareQueue } from '../../src/queue/open-queue.ts';
import { prepareOutbox, type Relay, startRelay, writeOutbox } from '../../src/queue/outbox.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { hasTool } from '../support/tools.ts';

const log = pino({ level: 'silent' });
const soon = { timeout: 15_000, interval: 50 };
let database: TestDatabase;

beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

const write = (...ids: string[]) =>
  transaction(database.pool, (client) =>
    writeOutbox(
      client,
      ids.map((id) => ({ id, priority: 4 })),
    ),
  );
const waiting = async () => (await database.pool.query('select unit_id from queue_outbox order by id')).rows.map(({ unit_id }) => unit_id);

describe('the relay', () => {
  const relays: Relay[] = [];
  afterEach(async () => {
    for (const relay of relays.splice(0)) await relay.close();
  });
  const start = (deliver: (units: readonly UnitNotice[]) => Promise<void>) => relays.push(startRelay(database.pool, deliver, log));

  it('is told at once of what was committed, and takes the row away after it was delivered', async () => {
    await prepareOutbox(database.pool);
    const delivered: string[] = [];
    start(async (units) => {
      expect(await waiting()).toEqual(units.map(({ id }) => id)); // another connection still sees them
      delivered.push(...units.map(({ id }) => id));
    });
    await sleep(300);
    const id = randomUUID();
    await write(id);
    const committed = performance.now();
    await vi.waitFor(() => expect(delivered).toEqual([id]), { timeout: 1500, interval: 10 }); // it polls every 2 s only
    expect(performance.now() - committed).toBeLessThan(1500);
    await vi.waitFor(async () => expect(await waiting()).toEqual([]), soon);
  });

  it('keeps what could not be delivered, and tries again', async () => {
    await prepareOutbox(database.pool);
    let tries = 0;
    const delivered: string[] = [];
    start(async (units) => {
      if (++tries < 3) throw new Error('Redis is away');
      delivered.push(...units.map(({ id }) => id));
    });
    const ids = [randomUUID(), randomUUID()];
    await write(...ids);
    await vi.waitFor(() => expect(tries).toBeGreaterThan(0), soon);
    if (tries < 3) expect(await waiting()).toEqual(ids);
    await vi.waitFor(() => expect(delivered.sort()).toEqual(ids.sort()), soon);
    await vi.waitFor(async () => expect(await waiting()).toEqual([]), soon);
  });

  it('goes on when its connections are cut', async () => {
    await prepareOutbox(database.pool);
    const delivered: string[] = [];
    start(async (units) => void delivered.push(...units.map(({ id }) => id)));
    for (let round = 0; round < 3; round++) {
      await database.pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      const id = randomUUID();
      await vi.waitFor(() => write(id), soon);
      await vi.waitFor(() => expect(delivered).toContain(id), soon);
    }
  });

  it('of four together delivers everything, nothing from a transaction that was rolled back, and by rows locked by one only once', async () => {
    await Promise.all([1, 2, 3, 4].map(() => prepareOutbox(database.pool)));
    const delivered: string[] = [];
    for (let relay = 0; relay < 4; relay++) start(async (units) => void delivered.push(...units.map(({ id }) => id)));
    const ids = Array.from({ length: 1200 }, () => randomUUID());
    const lost = transaction(database.pool, async (client) => {
      await writeOutbox(client, [{ id: randomUUID(), priority: 1 }]);
      throw new Error('no');
    });
    await expect(lost).rejects.toThrow('no');
    await Promise.all([0, 300, 600, 900].map((from) => write(...ids.slice(from, from + 300))));
    await vi.waitFor(() => expect(delivered.length).toBeGreaterThanOrEqual(1200), soon);
    expect(delivered.sort()).toEqual(ids.sort());
  });
});

describe.skipIf(!hasTool('redis-server'))('with Redis', () => {
  let redis: TestRedis;
  let queue: UnitQueue;
  let worker: QueueWorker | null = null;
  let ran: string[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());
  beforeEach(async () => {
    ran = [];
    const options = { pool: database.pool, databaseUrl: database.url, queueUrl: redis.url, log, lockMs: 1500 };
    await prepareQueue(options);
    queue = await openUnitQueue(options);
    worker = await queue.startWorker({ concurrency: 2, run: async (id) => void ran.push(id), onError: () => undefined });
  });
  afterEach(async () => {
    await worker?.stop({ abort: true });
    await queue.close();
  });
  const announce = (id: string) => transaction(database.pool, (client) => queue.announce(client, [{ id, priority: 4 }]));

  it('announced while Redis is dead, a unit runs when Redis is back', async () => {
    const [before, during, after] = [randomUUID(), randomUUID(), randomUUID()];
    await announce(before);
    await vi.waitFor(() => expect(ran).toEqual([before]), soon);
    await redis.kill();
    await announce(during);
    await sleep(300);
    expect(await waiting()).toEqual([during]);
    await redis.start();
    await vi.waitFor(() => expect(ran).toContain(during), soon);
    await announce(after);
    await vi.waitFor(() => expect(ran).toContain(after), soon);
    await vi.waitFor(async () => expect(await waiting()).toEqual([]), soon);
  });

  it('what Redis has lost altogether is announced again from the table of units', async () => {
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
    const id = randomUUID();
    await queue.reannounce([{ id, priority: 4 }]);
    await vi.waitFor(() => expect(ran).toEqual([id]), soon);
  });
});
