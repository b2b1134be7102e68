/**
 * Whatever dies, nothing is lost and nothing is done twice. Witness: the tables themselves, read by `test/support/record.ts`, and the catalogue
 * root of a run that nobody disturbed. `CUSTODIA_KILLS=100` makes the storm long; `CUSTODIA_SEED` gives other moments.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, openEmbedded } from '../../src/store/embedded.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { storm } from '../support/storm.ts';
import { hasTool } from '../support/tools.ts';

const workerKills = Number(process.env.CUSTODIA_KILLS ?? 10);
const databaseKills = workerKills >= 100 ? 5 : 1;
const seed = Number(process.env.CUSTODIA_SEED ?? 20_261_124);
const image = fixturePath('disk-mbr-e01');

/** Every file is a unit of its own (a batch that may not fail even once is split before it is tried), and no number of deaths is too many. */
const environment = { CUSTODIA_FAILURES: '1', CUSTODIA_LOSSES: '1000', CUSTODIA_LEASE_MS: '2000', CUSTODIA_RECONCILE_MS: '500' };

let folder: string;
let server: EmbeddedServer;
let redis: TestRedis | null = null;
let laboratory: Laboratory | null = null;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-kill-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function open(name: string, queueUrl: string | null): Promise<Laboratory> {
  server = await openEmbedded({ dataFolder: join(folder, name), log: pino({ level: 'silent' }) });
  laboratory = await openLaboratory({ databaseUrl: server.url, queueUrl, environment });
  return laboratory;
}

async function close(): Promise<void> {
  await laboratory?.close();
  await server.close();
  await redis?.close();
}

async function undisturbedRoot({ submit, startWorker, concluded }: Laboratory): Promise<string> {
  const { examinationId } = await submit(image, 'undisturbed');
  const worker = startWorker({ threads: 1, environment: { CUSTODIA_FAILURES: '3' } });
  const { conclusion } = await concluded(examinationId);
  worker.process.kill('SIGTERM');
  await worker.exited;
  return conclusion.catalogue.root;
}

/** Deaths while a claim is held, and awakenings without it, make the difference between a fence and luck. */
async function survives(lab: Laboratory): Promise<void> {
  const expectedRoot = await undisturbedRoot(lab);
  const report = await storm(lab, {
    seed,
    image,
    workerKills,
    databaseKills,
    async queueKill() {
      await redis?.kill();
      await redis?.start();
    },
  });
  const { crashes, wrong, roots, statuses, ...figures } = report;
  console.log(
    `kill storm, ${lab.installation.config.queueUrl === null ? 'PostgreSQL' : 'Redis'} queue, seed ${seed}: ${JSON.stringify(figures)}`,
  );
  expect({ crashes, wrong, roots, statuses }).toEqual({ crashes: [], wrong: [], roots: [expectedRoot], statuses: ['complete'] });
  expect(report.kills).toBeGreaterThanOrEqual(workerKills);
  expect(report.databaseKills).toBe(databaseKills);
  expect(report.figures.losses, 'claims that died with their worker: without any the storm proves nothing').toBeGreaterThan(0);
}

const limit = 120_000 + workerKills * 10_000;

describe('a storm of kills, units announced on PostgreSQL', () => {
  afterAll(close);
  it(`${workerKills} workers and ${databaseKills} times the database`, { timeout: limit }, async () => {
    await survives(await open('postgres', null));
  });
});

describe.skipIf(!hasTool('redis-server'))('a storm of kills, units announced on Redis', () => {
  afterAll(close);
  it(`${workerKills} workers and ${databaseKills} times the database`, { timeout: limit }, async () => {
    redis = await startRedis();
    await survives(await open('redis', redis.url));
  });
});
