/**
 * Lines that go dead without a word (a firewall that forgets them): found out, and work goes on over new ones. It takes its time: run with
 * `CUSTODIA_KILLS=100`, as the long storms are. Witness: units run; a real server behind a proxy that stops forwarding.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { openUnitQueue, prepareQueue } from '../../src/queue/open-queue.ts';
import { openPool } from '../../src/store/connection.ts';
import { transaction } from '../../src/store/transaction.ts';
import { testDatabase } from '../support/database.ts';
import { openProxy } from '../support/proxy.ts';
import { startRedis } from '../support/redis.ts';
import { hasTool } from '../support/tools.ts';

const log = pino({ level: 'silent' });
const isLong = Number(process.env.CUSTODIA_KILLS ?? 0) >= 100;
const patience = { timeout: 60_000, interval: 100 };

const behind = (url: string, port: number): string => {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
};

describe.runIf(isLong)('a line that goes dead', () => {
  it.each(['postgres', 'redis'] as const)('to %s, while a worker waits and while it works', { timeout: 240_000 }, async (kind) => {
    if (kind === 'redis' && !hasTool('redis-server')) return;
    const database = await testDatabase();
    const redis = kind === 'redis' ? await startRedis() : null;
    const proxy = await openProxy(Number(new URL(redis?.url ?? database.url).port));
    const databaseUrl = redis === null ? behind(database.url, proxy.port) : database.url;
    const queueUrl = redis === null ? null : behind(redis.url, proxy.port);
    const pool = openPool({ url: databaseUrl, log });
    const options = { pool, databaseUrl, queueUrl, log, lockMs: 15_000 };
    await prepareQueue(options);
    const queue = await openUnitQueue(options);
    const direct = await openUnitQueue({ ...options, pool: database.pool, databaseUrl: database.url, queueUrl: redis?.url ?? null });
    const ran: string[] = [];
    const run = async (id: string) => {
      ran.push(id);
      await sleep(500);
    };
    const worker = await queue.startWorker({ concurrency: 1, run, onError: () => undefined });
    const seconds: number[] = [];
    try {
      for (const pause of [2000, 250]) {
        const [before, id] = [randomUUID(), randomUUID()];
        const announce = (unit: string) => transaction(database.pool, (client) => direct.announce(client, [{ id: unit, priority: 4 }]));
        await announce(before);
        await vi.waitFor(() => expect(ran).toContain(before), patience);
        await sleep(pause); // idle after two seconds, in the middle of its run after a quarter of one
        proxy.forget();
        const begun = performance.now();
        await announce(id);
        await vi.waitFor(() => expect(ran).toContain(id), patience);
        seconds.push(Math.round((performance.now() - begun) / 100) / 10);
      }
      console.log(`dead line to ${kind}: work went on after ${seconds.join(' and ')} s`);
    } finally {
      await Promise.race([worker.stop({ abort: true }), sleep(20_000)]);
      await Promise.race([queue.close(), sleep(5000)]);
      await direct.close();
      await proxy.close();
      await Promise.race([pool.end(), sleep(5000)]);
      await database.close();
      await redis?.close();
    }
  });
});
