/** A Redis of the test's own: on a free port, in a temporary folder, with every write on disk (so that it may be killed). */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface TestRedis {
  readonly url: string;
  /** SIGKILL; `start` brings it back with what it had acknowledged. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-redis-'));
  const port = await freePort();
  let server: ChildProcess | null = null;
  const start = async () => {
    const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
    server = spawn('redis-server', [...place, ...persistence, '--maxmemory-policy', 'noeviction'], { stdio: 'ignore' });
    await answers(port);
  };
  const kill = async () => {
    const running = server;
    server = null;
    if (running === null || running.exitCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await exited;
  };
  const close = async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  };
  await start();
  return { url: `redis://127.0.0.1:${port}`, kill, start, close };
}

async function answers(port: number): Promise<void> {
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0, retryStrategy: () => 50 });
  let last: Error | null = null;
  client.on('error', (error) => {
    last = error;
  });
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      await client.ping();
      return client.disconnect();
    } catch (error) {
      last = error as Error;
      await sleep(50);
    }
  }
  client.disconnect();
  throw new Error(`redis-server on port ${port} does not answer`, { cause: last });
}

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port: 0, host: '127.0.0.1' }, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
