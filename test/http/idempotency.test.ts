/** What a client that loses its connection relies on: keys that make a POST safe to repeat, tags that show a change. Witness: RFC 9110 section 13; rows counted in the database. */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '../../src/access/policy.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Answer, openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let place: string;
let agency: string;
let lead: Person;
let token: string;
let caseId: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'custodia-root-'));
  copyFileSync(fixturePath('disk-mbr-e01'), join(place, 'disk.E01'));
  service = await openService({ environment: { CUSTODIA_EVIDENCE_ROOTS: `vault=${place}` } });
  agency = await service.agency();
  lead = await service.person(agency, ['lab-lead', 'ops', 'administrator']);
  token = await service.token(lead.id, scopes, new Date(Date.now() + 30 * 86_400_000));
  caseId = await service.caseOf(agency, [[lead, 'lab-lead']]);
}, 60_000);
afterAll(async () => {
  await service.close();
  rmSync(place, { recursive: true, force: true });
});

const post = (path: string, body: unknown, key: string, as = token): Promise<Answer> =>
  service.ask(`/api/v1${path}`, {
    token: as,
    method: 'POST',
    ...(body === undefined ? {} : { body }),
    headers: { 'idempotency-key': key },
  });

const count = async (statement: string, values: readonly unknown[] = []): Promise<number> =>
  Number((await service.installation.database.query<{ count: string }>(statement, [...values])).rows[0]!.count);

/** What was done, as the audit log has it, and what there is. */
const effects = () =>
  count(
    `select (select count(*) from audit where envelope is not null and (convert_from(decode(envelope::jsonb->>'payload', 'base64'), 'UTF8')::jsonb)#>>'{predicate,outcome}' = 'done')
       + (select count(*) from segment) + (select count(*) from examination) as count`,
  );

describe('the same key', () => {
  it('does once what every kind of POST does, and answers again as it did', async () => {
    const exhibitId = await service.exhibitOf(caseId);
    const placed = await service.ask(`/api/v1/exhibits/${exhibitId}/segments`, { token, body: { root: 'vault', path: 'disk.E01' } });
    expect(placed.status).toBe(201);
    const other = await service.exhibitOf(caseId);
    const id = (await service.ask(`/api/v1/exhibits/${exhibitId}/examinations`, { token, body: { digests: ['sha512'] } })).json.id;
    const unit = (await service.ask(`/api/v1/examinations/${id}/units`, { token })).json.items[0].id;
    const name = randomUUID();
    for (const [path, body, status] of [
      ['/agencies', { name }, 201],
      ['/accounts', { agencyId: agency, login: name, name }, 201],
      ['/cases', { reference: name }, 201],
      [`/cases/${caseId}/exhibits`, { label: name }, 201],
      [`/exhibits/${other}/segments`, { root: 'vault', path: 'disk.E01' }, 201],
      [`/exhibits/${other}/examinations`, {}, 201],
      [`/examinations/${id}/pause`, { why: 'lunch' }, 200],
      [`/examinations/${id}/resume`, {}, 200],
      [`/units/${unit}/cancel`, {}, 200],
      [`/examinations/${id}/cancel`, {}, 200],
      [`/examinations/${id}/retry`, {}, 200],
      ['/queues/units/pause', undefined, 200],
      ['/queues/units/drain', undefined, 200],
      ['/queues/units/resume', undefined, 200],
    ] as const) {
      const key = randomUUID();
      const first = await post(path, body, key);
      expect([path, first.status, first.headers.get('idempotency-replayed')], first.text).toEqual([path, status, null]);
      const before = await effects();
      const again = await post(path, body, key);
      expect([path, again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([path, status, first.text, 'true']);
      expect([path, await effects()]).toEqual([path, before]);
    }
  });

  it('with another body, or for something else, is refused and does nothing', async () => {
    const [key, reference] = [randomUUID(), randomUUID()];
    expect((await post('/cases', { reference }, key)).status).toBe(201);
    for (const [path, body] of [
      ['/cases', { reference: `${reference} too` }],
      [`/cases/${caseId}/exhibits`, { label: reference }],
    ] as const) {
      const before = await effects();
      const { status, json } = await post(path, body, key);
      expect([status, json.code]).toEqual([422, 'http.idempotency-reused']);
      expect(await effects()).toBe(before);
    }
  });

  it('50 times at once does it once, and each gets the one answer in the end', async () => {
    const [key, reference] = [randomUUID(), randomUUID()];
    const patiently = async (): Promise<Answer> => {
      for (;;) {
        const answer = await post('/cases', { reference }, key);
        if (answer.json?.code !== 'http.in-progress') return answer;
        await sleep(20);
      }
    };
    const all = await Promise.all(Array.from({ length: 50 }, patiently));
    expect(new Set(all.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(all.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
    expect(await count('select count(*) from case_file where reference = $1', [reference])).toBe(1);
  });

  it('shows a secret once, and makes one token however often it is asked', async () => {
    const [key, name] = [randomUUID(), randomUUID()];
    const ask = () => post('/tokens', { name, scopes: ['read'], days: 1 }, key);
    const all = await Promise.all(Array.from({ length: 20 }, ask));
    const made = all.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    const late = await ask();
    expect([late.status, late.json.code]).toEqual([409, 'http.answered-once']);
    for (const { text } of [...all.filter(({ status }) => status !== 201), late]) expect(text).not.toContain(made[0]!.json.token);
    expect(await count('select count(*) from api_token where name = $1', [name])).toBe(1);
    expect(await count(`select count(*) from idempotency where key = $1 and body is not null`, [key])).toBe(0); // at rest neither
  });

  it('of a request that was refused may be used again', async () => {
    const [key, reference] = [randomUUID(), randomUUID()];
    expect((await post('/cases', { reference: ' ' }, key)).status).toBe(422);
    expect((await post('/cases', { reference }, key)).status).toBe(201);
    expect((await post(`/cases/${randomUUID()}/exhibits`, { label: 'x' }, randomUUID())).status).toBe(404);
  });

  it('of another account is another key', async () => {
    const other = await service.person(await service.agency(), ['lab-lead']);
    const [key, reference] = [randomUUID(), randomUUID()];
    const mine = await post('/cases', { reference }, key);
    const theirs = await post('/cases', { reference }, key, other.token);
    expect([mine.status, theirs.status, theirs.headers.get('idempotency-replayed')]).toEqual([201, 201, null]);
    expect(theirs.json.id).not.toBe(mine.json.id);
  });

  it.each([['a b'], ['x'.repeat(201)], ['']])('of a wrong form is refused: %j', async (key) => {
    const { status, json } = await post('/cases', { reference: randomUUID() }, key);
    expect([status, json.code]).toEqual([400, 'http.idempotency-key']);
  });

  it('is free again when the process that held it has died', async () => {
    const { database } = service.installation;
    const [key, reference] = [randomUUID(), randomUUID()];
    const hold = (age: string) =>
      database.query(
        `insert into idempotency (account_id, key, request_sha256, created_at) values ($1, $2, $3, clock_timestamp() - $4::interval)
         on conflict (account_id, key) do update set created_at = excluded.created_at`,
        [lead.id, key, Buffer.alloc(32), age],
      );
    await hold('1 minute');
    expect((await post('/cases', { reference }, key)).json.code).toBe('http.in-progress');
    await hold('3 minutes');
    expect((await post('/cases', { reference }, key)).status).toBe(201);
  });
});

describe('a tag', () => {
  interface Changing {
    readonly path: string;
    readonly change: (nth: number) => { readonly path?: string; readonly method: string; readonly body?: unknown };
  }
  const changing: readonly (readonly [string, () => Promise<Changing>])[] = [
    [
      'an account',
      async () => {
        const { id } = await service.person(agency);
        return { path: `/accounts/${id}`, change: (nth) => ({ method: 'PATCH', body: { name: `N. ${nth}` } }) };
      },
    ],
    [
      'an agency',
      async () => ({ path: `/agencies/${await service.agency()}`, change: (nth) => ({ method: 'PATCH', body: { maxUploads: nth + 10 } }) }),
    ],
    ['a case', async () => ({ path: `/cases/${caseId}`, change: (nth) => ({ method: 'PATCH', body: { title: `title ${nth}` } }) })],
    [
      'members: set',
      async () => {
        const { id } = await service.person(agency);
        const roles = (nth: number) => (nth % 2 === 0 ? ['submitter'] : ['examiner']);
        return {
          path: `/cases/${caseId}/members`,
          change: (nth) => ({ path: `/cases/${caseId}/members/${id}`, method: 'PUT', body: { roles: roles(nth) } }),
        };
      },
    ],
    [
      'members: removed',
      async () => {
        const people = await Promise.all([1, 2].map(() => service.person(agency)));
        for (const { id } of people)
          await service.ask(`/api/v1/cases/${caseId}/members/${id}`, { token, method: 'PUT', body: { roles: ['submitter'] } });
        return {
          path: `/cases/${caseId}/members`,
          change: (nth) => ({ path: `/cases/${caseId}/members/${people[nth]!.id}`, method: 'DELETE' }),
        };
      },
    ],
  ];

  it.each(changing)('of %s: 304 while it is the same, 412 for whoever has not seen the change', async (_what, open) => {
    const { path, change } = await open();
    const read = (known?: string) =>
      service.ask(`/api/v1${path}`, { token, headers: known === undefined ? {} : { 'if-none-match': known } });
    const alter = (nth: number, condition: string) => {
      const { path: where = path, ...asked } = change(nth);
      return service.ask(`/api/v1${where}`, { token, ...asked, headers: { 'if-match': condition } });
    };
    const first = await read();
    const tag = first.headers.get('etag')!;
    expect(tag).toMatch(/^"[A-Za-z0-9_-]{22}"$/);
    const same = await read(`"other", W/${tag}`); // weak comparison: RFC 9110 section 13.1.2
    expect([same.status, same.text, same.headers.get('etag')]).toEqual([304, '', tag]);

    const weak = await alter(0, `W/${tag}`); // strong comparison: section 13.1.1
    expect([weak.status, weak.json.code]).toEqual([412, 'http.changed']);
    expect((await read()).text).toBe(first.text);
    const changed = await alter(0, `"other", ${tag}`);
    expect(changed.status, changed.text).toBeLessThan(300);
    const second = await read(tag);
    expect([second.status, second.headers.get('etag') === tag]).toEqual([200, false]);
    if (changed.headers.has('etag')) expect(changed.headers.get('etag')).toBe(second.headers.get('etag'));

    const late = await alter(1, tag);
    expect([late.status, late.json.code]).toEqual([412, 'http.changed']);
    expect((await read()).text).toBe(second.text);
    expect((await alter(1, '*')).status).toBeLessThan(300);
  });

  it('of a resource that is only read: 304 until it becomes another', async () => {
    const exhibitId = await service.exhibitOf(caseId);
    await service.ask(`/api/v1/exhibits/${exhibitId}/segments`, { token, body: { root: 'vault', path: 'disk.E01' } });
    const { id } = (await service.ask(`/api/v1/exhibits/${exhibitId}/examinations`, { token, body: {} })).json;
    for (const path of ['/self', `/exhibits/${exhibitId}`, `/examinations/${id}`, `/examinations/${id}/volumes`]) {
      const tag = (await service.ask(`/api/v1${path}`, { token })).headers.get('etag')!;
      const again = await service.ask(`/api/v1${path}`, { token, headers: { 'if-none-match': tag } });
      expect([path, again.status, again.text]).toEqual([path, 304, '']);
    }
    const tag = (await service.ask(`/api/v1/examinations/${id}`, { token })).headers.get('etag')!;
    await service.ask(`/api/v1/examinations/${id}`, { token, method: 'PATCH', body: { priority: 9 } });
    const changed = await service.ask(`/api/v1/examinations/${id}`, { token, headers: { 'if-none-match': tag } });
    expect([changed.status, changed.json.priority]).toEqual([200, 9]);
  });
});
