/** Scheduling and the fleet over the API: who may, what it does, what it refuses. Witness: the rows of the tables by plain SQL. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertExamination } from '../../src/store/examinations.ts';
import { transaction } from '../../src/store/transaction.ts';
import { insertUnits } from '../../src/store/units.ts';
import { registerWorker } from '../../src/store/workers.ts';
import { someUnits } from '../support/examination.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let ops: Person;
let lead: Person;
let submitter: Person;
let stranger: Person;
let exhibit: string;

beforeAll(async () => {
  service = await openService();
  const agency = await service.agency();
  ops = await service.person(await service.agency(), ['ops']);
  [lead, submitter, stranger] = [await service.person(agency), await service.person(agency), await service.person(agency)];
  exhibit = await service.exhibitOf(
    await service.caseOf(agency, [
      [lead, 'lab-lead'],
      [submitter, 'submitter'],
    ]),
  );
}, 60_000);
afterAll(() => service.close());

const examination = () =>
  transaction(service.installation.database, async (client) => {
    const image = { format: 'raw', paths: [`/evidence/${randomUUID()}`] } as const;
    const profile = { digests: ['sha256'], limits: {} as never };
    const { id } = await insertExamination(client, {
      exhibitId: exhibit,
      examiner: 'Exam Iner',
      image,
      received: [],
      profile,
      openUnits: 3,
    });
    return { id, units: await insertUnits(client, id, null, someUnits(3)) };
  });

const post = (path: string, { token }: Person, body: unknown = {}) => service.ask(`/api/v1${path}`, { token, method: 'POST', body });
const patch = (path: string, { token }: Person, body: unknown) => service.ask(`/api/v1${path}`, { token, method: 'PATCH', body });
const get = (path: string, { token }: Person) => service.ask(`/api/v1${path}`, { token });
const rowOf = async (table: string, id: string) =>
  (await service.installation.database.query(`select * from ${table} where id = $1`, [id])).rows[0];

it('lab leads and ops control an examination; for submitters and strangers there is nothing to control', async () => {
  const { id } = await examination();
  for (const verb of ['pause', 'resume', 'cancel', 'retry']) {
    expect((await post(`/examinations/${id}/${verb}`, submitter)).status, verb).toBe(404);
    expect((await post(`/examinations/${id}/${verb}`, stranger)).status, verb).toBe(404);
  }
  expect(await rowOf('examination', id)).toMatchObject({ status: 'open', paused_at: null });
  expect((await post(`/examinations/${id}/pause`, ops, { why: 'disk is replaced' })).json).toMatchObject({
    pausedBecause: 'disk is replaced',
  });
  expect((await post(`/examinations/${id}/resume`, lead)).json).toMatchObject({ pausedAt: null });
  expect((await post(`/examinations/${id}/cancel`, lead, { why: 'wrong image' })).json).toMatchObject({
    status: 'cancelled',
    cancelledBecause: 'wrong image',
  });
  const refused = await post(`/examinations/${id}/pause`, lead);
  expect({ status: refused.status, code: refused.json.code }).toEqual({ status: 409, code: 'examination.ended' });
  const { rows } = await service.installation.database.query('select distinct status from unit where examination_id = $1', [id]);
  expect(rows).toEqual([{ status: 'cancelled' }]);
  expect((await post(`/examinations/${id}/retry`, lead)).json).toMatchObject({ status: 'open' });
  expect(await rowOf('examination', id)).toMatchObject({ status: 'open', open_units: 3 });
});

it('priority and deadline are set within their bounds', async () => {
  const { id, units } = await examination();
  const set = await patch(`/examinations/${id}`, lead, { priority: 2, deadline: '2027-01-01T00:00:00+01:00' });
  expect(set.json).toMatchObject({ priority: 2, deadline: '2026-12-31T23:00:00.000Z' });
  for (const body of [{ priority: 0 }, { priority: 11 }, { deadline: '2027-13-01T00:00:00.000Z' }, { more: 1 }]) {
    expect((await patch(`/examinations/${id}`, lead, body)).status, JSON.stringify(body)).toBeGreaterThanOrEqual(400);
  }
  expect((await patch(`/units/${units[1]}`, lead, { priority: 1 })).json).toMatchObject({ id: units[1], priority: 1 });
  expect((await patch(`/units/${units[1]}`, stranger, { priority: 2 })).status).toBe(404);
});

it('units are listed in pages; reasons, which may quote evidence, only to those who see content', async () => {
  const { id, units } = await examination();
  await service.installation.database.query(`update unit set reason = 'fat.name: SECRET.TXT' where id = $1`, [units[0]]);
  const first = (await get(`/examinations/${id}/units?limit=2`, lead)).json;
  const second = (await get(`/examinations/${id}/units?limit=2&cursor=${first.next}`, lead)).json;
  expect([...first.items, ...second.items].map((unit: { id: string }) => unit.id)).toEqual(units);
  expect(second.next).toBeNull();
  expect(first.items[0].problem).toBe('fat.name: SECRET.TXT');
  const seen = await get(`/examinations/${id}/units`, ops);
  expect(seen.json.items).toHaveLength(3);
  expect(seen.text).not.toContain('SECRET');
});

it('a unit is given up, with its reason', async () => {
  const { id, units } = await examination();
  expect((await post(`/units/${units[0]}/cancel`, ops, { why: 'hangs' })).json.cancelledBecause).toMatch(/^cancelled by login-.*: hangs$/);
  expect((await post(`/units/${units[0]}/retry`, ops)).json.code).toBe('unit.retry');
  expect(await rowOf('examination', id)).toMatchObject({ open_units: 3 }); // until a worker has recorded it
});

it('workers, fleet and queue are for ops alone', async () => {
  const id = randomUUID();
  const { database } = service.installation;
  await registerWorker(database, { id, host: 'elsewhere boot pid', pid: 7, started: '1', version: '0.1.0', threads: 2, concurrency: 4 });
  for (const path of ['/workers', '/fleet', '/queues']) expect((await get(path, lead)).status, path).toBe(404);
  expect((await patch(`/workers/${id}`, lead, { state: 'draining' })).status).toBe(404);
  expect((await get('/workers', ops)).json.items).toContainEqual(
    expect.objectContaining({ id, host: 'elsewhere', pid: 7, state: 'running', threads: 2, concurrency: 4, units: [] }),
  );
  const ordered = await patch(`/workers/${id}`, ops, { threads: 3, state: 'paused' });
  expect(ordered.json.ordered).toEqual({ state: 'paused', threads: 3, concurrency: null });
  expect((await patch(`/workers/${id}`, ops, { threads: 0 })).status).toBe(400);
  expect((await patch(`/workers/${id}`, ops, {})).status).toBe(400);
  expect((await patch(`/workers/${randomUUID()}`, ops, { threads: 3 })).status).toBe(404);
  expect((await service.ask('/api/v1/fleet', { token: ops.token, method: 'PUT', body: { wanted: 3, host: 'other' } })).json).toEqual({
    host: 'other',
    wanted: 3,
  });
  expect((await service.ask('/api/v1/fleet', { token: ops.token, method: 'PUT', body: { wanted: 0 } })).json).toEqual({
    host: hostname(),
    wanted: 0,
  });
  expect((await get('/fleet', ops)).json.items).toContainEqual({ host: 'other', wanted: 3 });
  for (const [verb, state] of [
    ['pause', 'paused'],
    ['drain', 'draining'],
    ['resume', 'running'],
  ] as const) {
    expect((await service.ask(`/api/v1/queues/units/${verb}`, { token: ops.token, method: 'POST' })).json.state).toBe(state);
    expect((await get('/queues', ops)).json).toMatchObject({ name: 'units', state, backend: 'postgres', drained: state !== 'running' });
  }
  expect((await get('/queues', ops)).json.room.freeBytes).toBeGreaterThan(0);
});

it('a limit of running units that is raised wakes workers for what had to wait', async () => {
  const { units } = await examination();
  const administrator = await service.person(await service.agency(), ['administrator']);
  const { rows } = await service.installation.database.query(
    'select agency_id from exhibit join case_file on case_file.id = case_id where exhibit.id = $1',
    [exhibit],
  );
  const before = (await (await service.installation.queue()).depth()).waiting; // these units were never announced
  expect((await patch(`/agencies/${rows[0].agency_id}`, administrator, { maxRunningUnits: 500 })).status).toBe(200);
  expect((await (await service.installation.queue()).depth()).waiting).toBeGreaterThanOrEqual(before + units.length);
});
