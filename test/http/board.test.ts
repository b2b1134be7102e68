/** The board on both backends of the queue. Witness: bull-board's own API (`/api/queues`), and 405 of its read-only mode. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boardRoutes } from '../../src/http/routes/board.ts';
import { transaction } from '../../src/store/transaction.ts';
import { insertTestExamination, someUnits } from '../support/examination.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { openService, type TestService } from '../support/service.ts';
import { hasTool } from '../support/tools.ts';

const hasRedis = hasTool('redis-server');

describe.each(['postgres', 'redis'] as const)('the board over the queue on %s', (backend) => {
  const isSkipped = backend === 'redis' && !hasRedis;
  let redis: TestRedis | null = null;
  let service: TestService;
  let ops: string;
  let unitId: string;

  beforeAll(async () => {
    if (isSkipped) return;
    redis = backend === 'redis' ? await startRedis() : null;
    service = await openService({ rootRoutes: [boardRoutes], environment: { QUEUE_URL: redis?.url ?? '' } });
    ops = (await service.person(await service.agency(), ['ops'])).token;
    const { database } = service.installation;
    const { unitIds } = await insertTestExamination(database, someUnits(1));
    unitId = unitIds[0]!;
    const queue = await service.installation.queue();
    await transaction(database, (client) => queue.announce(client, [{ id: unitId, priority: 4 }]));
  });
  afterAll(async () => {
    await service?.close();
    await redis?.close();
  });

  it.skipIf(isSkipped)('shows the page to ops, with its own policy of content, and to nobody else', async () => {
    const { status, text, headers } = await service.ask('/ops/board', { token: ops });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).toContain('<base href="/ops/board/" />');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    const script = /static\/js\/main\.[0-9a-f]+\.js/.exec(text)![0];
    expect((await service.ask(`/ops/board/${script}`, { token: ops })).status).toBe(200);
    const lead = await service.person(await service.agency(), ['lab-lead', 'administrator', 'auditor']);
    for (const path of ['/ops/board', '/ops/board/api/queues', `/ops/board/${script}`]) {
      expect([path, (await service.ask(path, { token: lead.token })).status]).toEqual([path, 404]);
      expect([path, (await service.ask(path)).status]).toEqual([path, 401]);
    }
  });

  it.skipIf(isSkipped)('shows jobs, which hold the id of a unit and no more', async () => {
    const jobs = async () => {
      const { json } = await service.ask('/ops/board/api/queues?activeQueue=custodia-units&status=prioritized&page=1', { token: ops });
      const [queue] = json.queues;
      return { name: queue.name, readOnly: queue.readOnlyMode, jobs: queue.jobs.map((job: { data: unknown }) => job.data) };
    };
    await expect.poll(jobs, { timeout: 10_000 }).toEqual({ name: 'custodia-units', readOnly: true, jobs: [{ unit: unitId }] });
  });

  it.skipIf(isSkipped)('changes nothing', async () => {
    for (const [method, path] of [
      ['PUT', 'pause'],
      ['PUT', `${unitId}/retry`],
      ['PUT', 'empty'],
      ['PUT', 'obliterate'],
    ] as const) {
      const { status } = await service.ask(`/ops/board/api/queues/custodia-units/${path}`, { token: ops, method });
      expect([path, status]).toEqual([path, 405]);
    }
  });
});
