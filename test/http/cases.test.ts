/** Agencies, cases, members and exhibits; and the audit log as a stranger verifies it. Witness: docs/LEDGER.md's rules of a chain, RFC 9110 (conditions). */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verifyAudit } from '../../src/custody/audit-event.ts';
import { keyIdOf } from '../../src/custody/dsse.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let agency: string;
let administrator: Person;
let lead: Person;
let other: Person;

beforeAll(async () => {
  service = await openService();
  agency = await service.agency('East');
  administrator = await service.person(await service.agency('Head'), ['administrator']);
  lead = await service.person(agency, ['lab-lead']);
  other = await service.person(agency);
}, 60_000);
afterAll(() => service.close());

const openCase = async (reference: string): Promise<string> =>
  (await service.ask('/api/v1/cases', { token: lead.token, body: { reference } })).json.id;

it('makes agencies with quotas, for administrators', async () => {
  const body = { name: 'West', maxBytes: 1000, maxUploads: 2 };
  expect((await service.ask('/api/v1/agencies', { token: lead.token, body })).status).toBe(404);
  const { status, json } = await service.ask('/api/v1/agencies', { token: administrator.token, body });
  expect(status).toBe(201);
  expect(json).toMatchObject({ name: 'West', maxBytes: 1000, maxUploads: 2 });
  expect((await service.ask('/api/v1/agencies', { token: administrator.token, body })).json.code).toBe('agency.name');
  const path = `/api/v1/agencies/${json.id}`;
  const changed = await service.ask(path, { token: administrator.token, method: 'PATCH', body: { maxBytes: 2000 } });
  expect(changed.json).toMatchObject({ maxBytes: 2000, maxUploads: 2 });
  expect((await service.ask(path, { token: lead.token })).status).toBe(404);
  expect((await service.ask('/api/v1/agencies', { token: lead.token })).json.items.map(({ id }: { id: string }) => id)).toEqual([agency]);
});

it('lets who opens a case lead it, and nobody else see it', async () => {
  const { status, json, headers } = await service.ask('/api/v1/cases', { token: lead.token, body: { reference: 'E-1', title: 'First' } });
  expect(status).toBe(201);
  expect(headers.get('location')).toBe(`/api/v1/cases/${json.id}`);
  const members = await service.ask(`/api/v1/cases/${json.id}/members`, { token: lead.token });
  expect(members.json.items).toEqual([{ accountId: lead.id, login: expect.any(String), roles: ['lab-lead'] }]);
  expect((await service.ask(`/api/v1/cases/${json.id}`, { token: other.token })).status).toBe(404);
  expect((await service.ask('/api/v1/cases', { token: other.token })).json.items).toEqual([]);
  expect((await service.ask('/api/v1/cases', { token: other.token, body: { reference: 'E-9' } })).status).toBe(404);
  expect((await service.ask('/api/v1/cases', { token: lead.token, body: { reference: 'E-1' } })).json.code).toBe('case.reference');
});

it('gives and takes roles, and never leaves a case without a lead', async () => {
  const id = await openCase('E-2');
  const member = (account: string, method: string, body?: object) =>
    service.ask(`/api/v1/cases/${id}/members/${account}`, { token: lead.token, method, ...(body === undefined ? {} : { body }) });
  expect((await member(other.id, 'PUT', { roles: ['investigator'] })).status).toBe(200);
  expect((await service.ask(`/api/v1/cases/${id}`, { token: other.token })).status).toBe(200);
  const raise = { token: other.token, method: 'PUT', body: { roles: ['lab-lead'] } };
  expect((await service.ask(`/api/v1/cases/${id}/members/${other.id}`, raise)).status).toBe(404);
  expect((await member(lead.id, 'DELETE')).json.code).toBe('case.last-lead');
  expect((await member(lead.id, 'PUT', { roles: ['examiner'] })).json.code).toBe('case.last-lead');
  expect((await service.ask(`/api/v1/cases/${id}`, { token: lead.token })).status).toBe(200);
  expect((await member(other.id, 'DELETE')).status).toBe(204);
  expect((await service.ask(`/api/v1/cases/${id}`, { token: other.token })).status).toBe(404);
  expect((await member(other.id, 'DELETE')).status).toBe(404);
  expect((await member(administrator.id, 'PUT', { roles: ['auditor'] })).json.code).toBe('case.no-member'); // of an agency that a lead does not see
  expect((await member(other.id, 'PUT', { roles: ['king'] })).status).toBe(400);
});

it('lets two leads who remove each other at once not both succeed', async () => {
  const id = await openCase('E-3');
  await service.ask(`/api/v1/cases/${id}/members/${other.id}`, { token: lead.token, method: 'PUT', body: { roles: ['lab-lead'] } });
  const answers = await Promise.all([
    service.ask(`/api/v1/cases/${id}/members/${other.id}`, { token: lead.token, method: 'DELETE' }),
    service.ask(`/api/v1/cases/${id}/members/${lead.id}`, { token: other.token, method: 'DELETE' }),
  ]);
  expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
});

it('answers conditions with the tag of what was seen', async () => {
  const id = await openCase('E-4');
  const path = `/api/v1/cases/${id}`;
  const tag = (await service.ask(path, { token: lead.token })).headers.get('etag')!;
  const again = await service.ask(path, { token: lead.token, headers: { 'if-none-match': `"x", ${tag}` } });
  expect([again.status, again.text]).toEqual([304, '']);
  const patch = (title: string) => service.ask(path, { token: lead.token, method: 'PATCH', body: { title }, headers: { 'if-match': tag } });
  const both = await Promise.all([patch('one'), patch('two')]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
});

it('takes exhibits once under a label that hides nothing', async () => {
  const id = await openCase('E-5');
  const make = (label: string, token = lead.token) => service.ask(`/api/v1/cases/${id}/exhibits`, { token, body: { label } });
  const made = await make('AB/1');
  expect(made.status).toBe(201);
  expect((await make('AB/1')).json.code).toBe('exhibit.taken');
  expect((await make('AB/2', other.token)).status).toBe(404);
  // U+202E turns text around, U+200B is not seen, U+0000 PostgreSQL cannot keep
  for (const bad of ['AB\u202e1', 'AB\u200b1', 'AB\u00001', ' AB1', 'AB\n1', 'AB\ud800'])
    expect((await make(bad)).json.code).toBe('http.text');
  for (const label of ['AB/2', 'AB/3']) await make(label);
  const first = await service.ask(`/api/v1/cases/${id}/exhibits?limit=2`, { token: lead.token });
  const rest = await service.ask(`/api/v1/cases/${id}/exhibits?limit=2&cursor=${first.json.next}`, { token: lead.token });
  expect([...first.json.items, ...rest.json.items].map(({ label }) => label)).toEqual(['AB/1', 'AB/2', 'AB/3']);
  expect((await service.ask(`/api/v1/exhibits/${made.json.id}`, { token: lead.token })).json.label).toBe('AB/1');
  expect((await service.ask(`/api/v1/exhibits/${made.json.id}`, { token: other.token })).status).toBe(404);
});

it('tells in the audit log who was allowed what, who was denied, and what was changed: verifiable by anybody', async () => {
  const auditor = await service.person(agency, ['auditor']);
  const id = await openCase('E-6');
  await service.ask(`/api/v1/cases/${id}`, { token: other.token });
  await service.ask(`/api/v1/cases/${id}/members/${other.id}`, { token: lead.token, method: 'PUT', body: { roles: ['examiner'] } });
  await service.ask('/api/v1/self', { token: administrator.token }); // of another agency
  const found = async (query: string, token = auditor.token) => (await service.ask(`/api/v1/audit?${query}`, { token })).json.items;
  expect((await found(`account=${other.id}&outcome=denied&action=case.read`))[0]).toMatchObject({
    who: { account: other.id, agency, credential: expect.stringMatching(/^token:/), address: '127.0.0.1' },
    route: 'GET /api/v1/cases/:caseId',
    about: { case: id },
    request: expect.any(String),
  });
  expect((await found('action=case.member'))[0]).toMatchObject({
    outcome: 'done',
    about: { case: id, account: other.id },
    detail: { before: [], after: ['examiner'] },
  });
  expect((await found('action=case.members&outcome=allowed')).length).toBeGreaterThan(0);
  expect((await service.ask('/api/v1/audit', { token: lead.token })).status).toBe(404);

  const key = createPublicKey(service.installation.signer.publicKeyPem);
  const keys = new Map<string, KeyObject>([[keyIdOf(key), key]]);
  const exported = async (token: string) =>
    verifyAudit((await service.ask('/api/v1/audit/export.jsonl', { token })).text.trimEnd().split('\n'), keys);
  const whole = await exported(administrator.token);
  expect([whole.faults, whole.missing]).toEqual([[], 0]);
  const part = await exported(auditor.token);
  expect(part.faults).toEqual([]);
  expect(part.missing).toBeGreaterThan(0);
  expect(part.events.every(({ who, about }) => [who.agency, about.agency].includes(agency))).toBe(true);
});

it('changes nothing where the audit log cannot be written', async () => {
  const { database } = service.installation;
  const before = (await database.query('select count(*) from case_file')).rows[0].count;
  await database.query('alter table audit_head rename to audit_head_away');
  try {
    expect((await service.ask('/api/v1/cases', { token: lead.token, body: { reference: 'E-7' } })).status).toBe(500);
  } finally {
    await database.query('alter table audit_head_away rename to audit_head');
  }
  expect((await database.query('select count(*) from case_file')).rows[0].count).toBe(before);
});
