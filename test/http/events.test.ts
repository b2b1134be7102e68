/** Progress as server-sent events. Witnesses: the rows of the unit table that the test writes itself; HTML standard, section 9.2 (server-sent events). */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defaultLimits } from '../../src/config.ts';
import { concludeExamination, insertExamination } from '../../src/store/examinations.ts';
import { transaction } from '../../src/store/transaction.ts';
import { insertUnits, type NewUnit } from '../../src/store/units.ts';
import { openEventSource } from '../support/event-source.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let agency: string;
let investigator: Person;
let caseId: string;

beforeAll(async () => {
  service = await openService();
  agency = await service.agency();
  investigator = await service.person(agency);
  caseId = await service.caseOf(agency, [[investigator, 'investigator']]);
});
afterAll(() => service.close());

const database = () => service.installation.database;
const units: NewUnit[] = [
  { kind: 'hash-media', priority: 2, bytes: 4096 },
  { kind: 'examine-files', priority: 4, files: 3, bytes: 100 },
  { kind: 'examine-files', priority: 4, files: 5, bytes: 200 },
];

async function examinationWith(exhibitOfCase = caseId): Promise<{ id: string; unitIds: readonly string[]; path: string }> {
  const exhibitId = await service.exhibitOf(exhibitOfCase);
  return transaction(database(), async (client) => {
    const { id } = await insertExamination(client, {
      exhibitId,
      examiner: 'Exam Iner',
      image: { format: 'raw', paths: ['/evidence/a.raw'] },
      received: [],
      profile: { digests: ['sha256'], limits: defaultLimits },
      openUnits: units.length,
    });
    return { id, unitIds: await insertUnits(client, id, null, units), path: `/api/v1/examinations/${id}/events` };
  });
}
const follow = (path: string, token = investigator.token, headers: Record<string, string> = {}) =>
  openEventSource(`${service.url}${path}`, token, headers);
const conclude = (id: string) => transaction(database(), (client) => concludeExamination(client, id, 'complete', {}));

it('tells units, files, bytes and problems as they stand, each change once, and the end', async () => {
  const { id, unitIds, path } = await examinationWith();
  const source = await follow(path);
  expect([source.status, source.headers.get('content-type'), source.headers.get('cache-control')]).toEqual([
    200,
    'text/event-stream',
    'no-store',
  ]);
  const first = await source.until(() => true);
  expect(first).toMatchObject({ event: 'progress', data: { examination: id, status: 'open', openUnits: 3, problems: { total: 0 } } });
  expect(first.data.units).toEqual([
    { kind: 'examine-files', status: 'open', units: 2, files: 8, bytes: 300 },
    { kind: 'hash-media', status: 'open', units: 1, files: 0, bytes: 4096 },
  ]);
  // one is under way: 1,000 bytes into it
  await database().query('update unit set worker_id = $2, progress_bytes = 1000, progress_files = 2 where id = $1', [
    unitIds[0],
    randomUUID(),
  ]);
  expect((await source.until(({ data }) => data.underWay.units === 1)).data.underWay).toEqual({ units: 1, files: 2, bytes: 1000 });
  await transaction(database(), async (client) => {
    await client.query(`update unit set status = 'done', worker_id = null where id = $1`, [unitIds[1]]);
    await client.query(
      `insert into problem (examination_id, unit_id, locator, code, message, hides_evidence)
       select $1, $2, 'image:/', 'x', 'm', n = 1 from generate_series(1, 3) n`,
      [id, unitIds[1]],
    );
  });
  const later = await source.until(({ data }) => data.problems.total > 0);
  expect(later.data.problems).toEqual({ total: 3, hidingEvidence: 1 });
  expect(later.data.units).toContainEqual({ kind: 'examine-files', status: 'done', units: 1, files: 3, bytes: 100 });
  await sleep(700); // nothing changes
  const told = source.events.length;
  expect(told).toBe(3);
  await conclude(id);
  expect(await source.ended).toBe(false);
  expect(source.events.slice(told)).toMatchObject([{ event: 'end', data: { status: 'complete' } }]);
  expect(new Set(source.events.map((event) => event.id)).size).toBe(4);
});

it('goes on from the last id: what is known is not told again, and after the end a browser is told to stay away', async () => {
  const { id, path } = await examinationWith();
  const source = await follow(path);
  const { id: known } = await source.until(() => true);
  source.close();
  const again = await follow(path, investigator.token, { 'last-event-id': known });
  const old = await follow(path, investigator.token, { 'last-event-id': 'of-long-ago' });
  await old.until(({ event }) => event === 'progress');
  await sleep(400);
  expect(again.events).toEqual([]);
  await conclude(id);
  const end = await again.until(({ event }) => event === 'end');
  await again.ended;
  expect((await follow(path, investigator.token, { 'last-event-id': end.id })).status).toBe(204);
  const late = await follow(path);
  expect(await late.ended).toBe(false);
  expect(late.events).toMatchObject([{ event: 'end', id: end.id }]);
});

it('looks once for all who follow', async () => {
  const { id, path } = await examinationWith();
  const looks: string[] = [];
  const pool = database();
  const query = pool.query;
  pool.query = ((...given: unknown[]) => {
    if (String(given[0]).includes('from unit where examination_id = $1 group by') && (given[1] as string[])[0] === id) looks.push(id);
    return (query as (...all: unknown[]) => unknown).apply(pool, given);
  }) as never;
  const sources = await Promise.all(Array.from({ length: 50 }, () => follow(path)));
  await Promise.all(sources.map((source) => source.until(() => true)));
  looks.length = 0;
  await sleep(1100);
  pool.query = query;
  expect(looks.length).toBeGreaterThan(1);
  expect(looks.length).toBeLessThan(8); // one every 200 ms and more, not fifty
  await conclude(id);
  await Promise.all(sources.map((source) => source.until(({ event }) => event === 'end')));
});

it.each([
  ['a revoked token', (token: string) => revoke(token)],
  [
    'a disabled account',
    (_token: string, person: Person) => database().query('update account set disabled_at = now() where id = $1', [person.id]),
  ],
])('%s is cut off within a second', async (_what, end) => {
  const { path } = await examinationWith();
  const person = await service.person(agency);
  await database().query(`insert into case_member (case_id, account_id, role) values ($1, $2, 'examiner')`, [caseId, person.id]);
  for (const followed of [path, '/api/v1/events']) {
    const token = await service.token(person.id);
    const source = await follow(followed, token);
    await source.until(() => true);
    const begun = performance.now();
    await end(token, person);
    await source.ended;
    expect(performance.now() - begun).toBeLessThan(1000);
    await database().query('update account set disabled_at = null where id = $1', [person.id]);
  }
});

const revoke = (token: string) =>
  database().query(`update api_token set revoked_at = now() where secret_sha256 = sha256(convert_to($1, 'UTF8'))`, [token]);

it('whose role in the case is taken is cut off some seconds later', async () => {
  const { path } = await examinationWith();
  const person = await service.person(agency);
  await database().query(`insert into case_member (case_id, account_id, role) values ($1, $2, 'examiner')`, [caseId, person.id]);
  const source = await follow(path, person.token);
  await source.until(() => true);
  await database().query('delete from case_member where account_id = $1', [person.id]);
  const begun = performance.now();
  await source.ended;
  expect(performance.now() - begun).toBeLessThan(5000);
});

it('is not there for whoever may not see the examination; other forms are refused as a problem', async () => {
  const { path } = await examinationWith();
  const stranger = await service.person(await service.agency(), ['lab-lead']);
  const unknown = path.replace(/[0-9a-f]{12}/, '000000000000');
  for (const [asked, token] of [
    [path, stranger.token],
    [unknown, investigator.token],
  ] as const) {
    const { status, json } = await service.ask(asked, { token });
    expect([status, json.code]).toEqual([404, 'http.not-found']);
  }
  const { status, json, headers } = await service.ask(path, { token: investigator.token, headers: { accept: 'application/json' } });
  expect([status, json.code, headers.get('content-type')]).toMatchObject([406, 'http.form', /^application\/problem\+json/]);
});

it('of all examinations tells each account what it sees, and no more', async () => {
  const other = await service.person(agency);
  const otherCase = await service.caseOf(agency, [[other, 'examiner']]);
  const hidden = await examinationWith(otherCase);
  const mine = await examinationWith();
  const source = await follow('/api/v1/events');
  await source.until(({ data }) => data.examination === mine.id);
  await conclude(mine.id);
  await conclude(hidden.id);
  const end = await source.until(({ event, data }) => event === 'end' && data.examination === mine.id);
  expect(end.data).toEqual({ examination: mine.id, status: 'complete', openUnits: 3 });
  await sleep(500);
  expect(source.events.filter(({ data }) => data.examination === hidden.id)).toEqual([]);
  source.close();
});

it('a server that closes ends the streams', async () => {
  const own = await openService();
  const person = await own.person(await own.agency());
  const source = await openEventSource(`${own.url}/api/v1/events`, person.token);
  expect(source.status).toBe(200);
  const begun = performance.now();
  await own.close();
  expect(await source.ended).toBe(false);
  expect(performance.now() - begun).toBeLessThan(5000);
});
