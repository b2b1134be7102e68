/** A queue or worker of BullMQ that is made while its database is away stays dead: so nothing is made before the database answers. Real servers that come late. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';
import { type EmbeddedServer, openEmbedded } from '../../src/store/embedded.ts';
import { transaction } from '../../src/store/transaction.ts';
import { startRedis } from '../support/redis.ts';
import { hasTool } from '../support/tools.ts';

const log = pino({ level: 'silent' });
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-start-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (url: string, queueUrl = '') =>
  openInstallation(
    readConfig(
      { data: join(folder, 'installation'), threads: 1 },
      { DATABASE_URL: url, QUEUE_URL: queueUrl, CUSTODIA_LOG: 'silent', CUSTODIA_LEASE_MS: '1500' },
      1,
    ),
  );

/** Announces a unit and has it run. */
async function expectWork(installation: Installation): Promise<void> {
  const queue = await installation.queue();
  const ran: string[] = [];
  const worker = await queue.startWorker({ concurrency: 1, run: async (id) => void ran.push(id), onError: () => undefined });
  const id = randomUUID();
  await transaction(installation.database, (client) => queue.announce(client, [{ id, priority: 4 }]));
  await vi.waitFor(() => expect(ran).toEqual([id]), { timeout: 15_000, interval: 50 });
  await worker.stop({ abort: false });
}

it('started before its database, and before Redis, an installation waits for them and then works', async () => {
  const dataFolder = join(folder, 'server');
  const first = await openEmbedded({ dataFolder, log });
  const { url } = first;
  await first.close();
  let server: EmbeddedServer | null = null;
  const late = sleep(1500).then(async () => {
    server = await openEmbedded({ dataFolder, log }); // on the same port, where that is free
  });
  const installation = await open(url);
  await late;
  try {
    await expectWork(installation);
  } finally {
    await installation.close();
  }
  if (hasTool('redis-server')) {
    const redis = await startRedis();
    await redis.kill();
    const begun = performance.now();
    const opening = open(url, redis.url);
    await sleep(1500);
    await redis.start();
    const second = await opening;
    expect(performance.now() - begun).toBeGreaterThan(1400);
    try {
      await expectWork(second);
    } finally {
      await second.close();
      await redis.close();
    }
  }
  await server!.close();
});
