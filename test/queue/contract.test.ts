/**
 * What the pipeline asks of a queue, on both backends of BullMQ 6.7.0. Witnesses: what the workers are called with, and BullMQ's own tables and keys,
 * read with SQL and with Redis commands (redis-server 7.0).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type QueueWorker, type UnitQueue } from '../../src/pipeline/unit-queue.ts';
import { openBackend } from '../../src/queue/backend.ts';
import { openUnitQueue, prepareQueue } from '../../src/queue/open-queue.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { hasTool } from '../support/tools.ts';

const log = pino({ level: 'silent' });
const lockMs = 1500;
const soon = { timeout: 10_000, interval: 20 };
const notice = (id: string, priority = 4) => ({ id, priority });

describe.each(['postgres', 'redis'] as const)('a queue on %s', (kind) => {
  const isThere = kind === 'postgres' || hasTool('redis-server');
  let database: TestDatabase;
  let redis: TestRedis | null = null;
  let queue: UnitQueue;
  const workers: QueueWorker[] = [];

  beforeAll(async () => {
    if (isThere && kind === 'redis') redis = await startRedis();
  });
  afterAll(async () => redis?.close());

  beforeEach(async ({ skip }) => {
    if (!isThere) skip('redis-server is not found');
    database = await testDatabase();
    if (redis !== null) await commands((client) => client.flushall());
    const options = { pool: database.pool, databaseUrl: database.url, queueUrl: redis?.url ?? null, log, lockMs };
    await prepareQueue(options);
    queue = await openUnitQueue(options);
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.stop({ abort: true });
    await queue?.close();
    await database?.close();
  });

  const announce = (...units: { id: string; priority: number }[]) => transaction(database.pool, (client) => queue.announce(client, units));

  async function commands<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(redis!.url);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  /** Calls `run` for each unit, and keeps the order. */
  async function work(run: (id: string, signal: AbortSignal) => Promise<void> = async () => undefined, concurrency = 1) {
    const ran: string[] = [];
    const errors: { error: unknown; unit: string | null }[] = [];
    const worker = await queue.startWorker({
      concurrency,
      async run(id, signal) {
        ran.push(id);
        await run(id, signal);
      },
      onError: (error, unit) => errors.push({ error, unit }),
    });
    workers.push(worker);
    return { worker, ran, errors };
  }

  /** All that BullMQ has written anywhere, as text. */
  async function everything(): Promise<string> {
    if (kind === 'postgres') {
      const { rows: tables } = await database.pool.query<{ name: string }>(
        "select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables where table_schema = 'bullmq' and table_type = 'BASE TABLE'",
      );
      let text = '';
      for (const { name } of tables)
        text += JSON.stringify((await database.pool.query(`select row_to_json(t)::text as row from ${name} t`)).rows);
      return text;
    }
    return commands(async (client) => {
      let text = '';
      for (const key of await client.keys('*')) {
        const type = await client.type(key);
        if (type === 'hash') text += JSON.stringify(await client.hgetall(key));
        if (type === 'string') text += await client.get(key);
        if (type === 'stream') text += JSON.stringify(await client.xrange(key, '-', '+'));
        if (type === 'list') text += JSON.stringify(await client.lrange(key, 0, -1));
        text += key;
      }
      return text;
    });
  }

  it('says which it is', () => expect(queue.backend).toBe(kind));

  it('after a rollback nothing was announced; after a commit, and not before, a worker is woken', async () => {
    const { ran } = await work();
    const [gone, kept] = [randomUUID(), randomUUID()];
    const failing = transaction(database.pool, async (client) => {
      await queue.announce(client, [notice(gone)]);
      throw new Error('after all not');
    });
    await expect(failing).rejects.toThrow('after all not');
    await transaction(database.pool, async (client) => {
      await queue.announce(client, [notice(kept)]);
      await sleep(300);
      expect(ran).toEqual([]);
    });
    const committed = performance.now();
    await vi.waitFor(() => expect(ran).toEqual([kept]), soon);
    expect(performance.now() - committed, 'milliseconds from commit to work: woken, not polled (2 s and more)').toBeLessThan(1500);
    await sleep(300);
    expect(ran).toEqual([kept]);
    expect(await everything()).not.toContain(gone);
  });

  it('announced twice, and by two at the same moment, a unit runs once', async () => {
    const id = randomUUID();
    await Promise.all([announce(notice(id)), announce(notice(id)), announce(notice(id), notice(id)), announce(notice(id))]);
    const { ran } = await work();
    await vi.waitFor(() => expect(ran).toEqual([id]), soon);
    await announce(notice(id));
    await sleep(500);
    expect(ran).toEqual([id]);
  });

  it('one hundred announced in one transaction all run, the more urgent first', async () => {
    const [late, early] = [Array.from({ length: 60 }, () => randomUUID()), Array.from({ length: 40 }, () => randomUUID())];
    await announce(...late.map((id) => notice(id, 5)), ...early.map((id) => notice(id, 1)));
    if (kind === 'redis') await vi.waitFor(async () => expect((await queue.counts()).prioritized).toBe(100), soon);
    const { ran } = await work();
    await vi.waitFor(() => expect(ran).toHaveLength(100), soon);
    expect(new Set(ran).size).toBe(100);
    expect(new Set(ran.slice(0, 40))).toEqual(new Set(early));
  });

  it('announced again: what has ended runs again, what failed runs again, what is lost is added, what waits or runs is left alone', async () => {
    const [ended, failed, lost, running] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let again = false; // then all run until the end: one that has ended once more would rightly run once more
    const { ran } = await work(async (id) => {
      if (id === failed && !again) throw new Error('no');
      if (id === running || again) await finished;
    }, 4);
    await announce(notice(ended), notice(failed), notice(running));
    await vi.waitFor(() => expect(ran).toHaveLength(3), soon);
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ active: 1, failed: 1 }), soon);
    again = true;
    await Promise.all([1, 2, 3].map(() => queue.reannounce([ended, failed, lost, running].map((id) => notice(id)))));
    await vi.waitFor(() => expect(ran.length).toBeGreaterThanOrEqual(6), soon).finally(() => setTimeout(finish, 300));
    await sleep(200);
    expect(ran.slice(3).sort()).toEqual([ended, failed, lost].sort());
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ active: 0, failed: 0 }), soon);
  });

  it('counts all that waits, whether its queue is paused or not', async () => {
    await announce(notice(randomUUID(), 1), notice(randomUUID(), 5), notice(randomUUID()));
    await vi.waitFor(async () => expect((await queue.depth()).waiting).toBeGreaterThanOrEqual(3), soon);
    const backend = openBackend(database.url, redis?.url ?? null, log);
    const other = backend.queue();
    const most = 4; // the tick may be among them
    const isRight = async () => {
      const { waiting } = await queue.depth();
      expect(waiting, JSON.stringify(await queue.counts())).toBeGreaterThanOrEqual(3);
      expect(waiting).toBeLessThanOrEqual(most);
    };
    await isRight();
    await other.pause();
    await isRight();
    await other.resume();
    await isRight();
    await other.close();
    await backend.close();
  });

  it('a worker that is paused takes nothing; resumed, it does', async () => {
    const { worker, ran } = await work();
    await worker.pause();
    const id = randomUUID();
    await announce(notice(id));
    await sleep(700);
    expect(ran).toEqual([]);
    await worker.resume();
    await vi.waitFor(() => expect(ran).toEqual([id]), soon);
    expect(worker.silenceMs()).toBeLessThan(5000);
  });

  it('withdrawn, a unit that waits does not run', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await announce(notice(one), notice(two));
    if (kind === 'redis') await vi.waitFor(async () => expect((await queue.counts()).prioritized).toBe(2), soon);
    await queue.withdraw([one, randomUUID()]);
    const { ran } = await work();
    await vi.waitFor(() => expect(ran).toEqual([two]), soon);
  });

  it('a run that fails is told once, and leaves no word of its error in the queue', async () => {
    const id = randomUUID();
    const { errors, ran } = await work(async () => {
      throw Object.assign(new Error('secret name from evidence \0 \ud800'), { stack: 'secret stack' });
    });
    await announce(notice(id));
    await vi.waitFor(() => expect(errors).toHaveLength(1), soon);
    expect(errors[0]).toMatchObject({ unit: id, error: { message: 'secret name from evidence \0 \ud800' } });
    await vi.waitFor(async () => expect((await queue.counts()).failed).toBe(1), soon);
    await sleep(200);
    expect(ran).toEqual([id]);
    const text = await everything();
    expect(text).toContain(id);
    expect(text).toContain('unit.failed');
    expect(text).not.toContain('secret');
  });

  it('as many at once as it is told, also while it runs', async () => {
    let [now, most] = [0, 0];
    const { worker, ran } = await work(async () => {
      most = Math.max(most, ++now);
      await sleep(60);
      now--;
    }, 2);
    await announce(...Array.from({ length: 12 }, () => notice(randomUUID())));
    await vi.waitFor(() => expect(ran.length).toBeGreaterThanOrEqual(12), soon);
    expect(most).toBe(2);
    worker.setConcurrency(4);
    most = 0;
    await announce(...Array.from({ length: 16 }, () => notice(randomUUID())));
    await vi.waitFor(() => expect(ran.length).toBeGreaterThanOrEqual(28), soon);
    expect(most).toBe(4);
  });

  it('told to stop, it waits for what runs; told to abort, it also says so to what runs', async () => {
    const said: string[] = [];
    const gently = await work(async () => {
      await sleep(300);
      said.push('finished');
    });
    await announce(notice(randomUUID()));
    await vi.waitFor(() => expect(gently.ran).toHaveLength(1), soon);
    await workers.pop()!.stop({ abort: false });
    expect(said).toEqual(['finished']);
    const abruptly = await work(
      (_, signal) =>
        new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            said.push('aborted');
            resolve();
          });
        }),
    );
    await announce(notice(randomUUID()));
    await vi.waitFor(() => expect(abruptly.ran).toHaveLength(1), soon);
    await workers.pop()!.stop({ abort: true });
    expect(said).toEqual(['finished', 'aborted']);
  });

  it('connections that are cut end nothing: idle, at work, and between', async () => {
    const { ran } = await work(() => sleep(150));
    const cut = () =>
      database.pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    const cutRedis = () => (redis === null ? null : commands((client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')));
    for (let round = 0; round < 4; round++) {
      const id = randomUUID();
      await cut();
      await cutRedis();
      await vi.waitFor(() => announce(notice(id)), soon);
      await sleep(80 * round);
      await cut();
      await cutRedis();
      await vi.waitFor(
        async () => {
          if (!ran.includes(id)) await queue.reannounce([notice(id)]);
          expect(ran).toContain(id);
        },
        { timeout: 15_000, interval: 500 },
      );
    }
  });

  // ioredis listens for errors from the start
  if (kind === 'postgres')
    it('connections that are cut in the moment they are made end nothing', async () => {
      let over = false;
      const cutting = (async () => {
        while (!over)
          await database.pool.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%queue%'",
          );
      })();
      const { ran } = await work(() => sleep(20));
      await sleep(2000);
      over = true;
      await cutting;
      const id = randomUUID();
      await vi.waitFor(() => announce(notice(id)), soon);
      await vi.waitFor(() => expect(ran).toContain(id), { timeout: 15_000, interval: 100 });
    });

  describe('a worker that is gone', () => {
    const children: ChildProcess[] = [];
    afterEach(() => {
      for (const child of children.splice(0)) child.kill('SIGKILL');
    });

    async function another() {
      const program = join(import.meta.dirname, '..', 'support', 'frozen-worker.ts');
      const args = [program, database.url, redis?.url ?? '', String(lockMs)];
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      children.push(child);
      const said: string[] = [];
      child.stdout!.on('data', (chunk: Buffer) => said.push(...chunk.toString('utf8').trim().split('\n')));
      await vi.waitFor(() => expect(said).toContain('ready'), soon);
      return { child, said };
    }

    it('killed: its unit runs elsewhere once its lock is over', async () => {
      const { child, said } = await another();
      const id = randomUUID();
      await announce(notice(id));
      await vi.waitFor(() => expect(said).toContain('taken'), soon);
      const { ran } = await work();
      child.kill('SIGKILL');
      await vi.waitFor(() => expect(ran).toEqual([id]), soon);
    });

    it('frozen longer than its lock: the unit runs elsewhere; waking up it is told, and its end counts for nothing', async () => {
      const { child, said } = await another();
      const id = randomUUID();
      await announce(notice(id));
      await vi.waitFor(() => expect(said).toContain('taken'), soon);
      let finish: () => void = () => undefined;
      const { ran } = await work(
        () =>
          new Promise<void>((resolve) => {
            finish = resolve;
          }),
      );
      child.kill('SIGSTOP');
      await vi.waitFor(() => expect(ran).toEqual([id]), soon);
      child.kill('SIGCONT');
      await vi.waitFor(() => expect(said).toContain('aborted'), soon);
      child.stdin!.write('finish\n');
      await vi.waitFor(() => expect(said).toContain('finished'), soon);
      await sleep(300);
      expect(await queue.counts()).toMatchObject({ active: 1, failed: 0 }); // that of the one who holds it now
      finish();
      await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ active: 0, failed: 0 }), soon);
      expect(ran).toEqual([id]);
    });
  });

  it('gives a sign of life now and then, without any work', { timeout: 20_000 }, async () => {
    const { worker } = await work();
    await vi.waitFor(() => expect(worker.silenceMs()).toBeGreaterThan(1000), soon);
    await vi.waitFor(() => expect(worker.silenceMs()).toBeLessThan(900), soon); // the tick, every 5 s
  });
});
