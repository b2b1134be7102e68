/** The description of the API. Witnesses: openapi-spec-validator (Python, where it is installed); the answers of a real service; the server's own list of routes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Errors } from 'typebox/schema';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scopes } from '../../src/access/policy.ts';
import { allRoutes } from '../../src/http/all-routes.ts';
import { type OidcSettings } from '../../src/http/oidc-settings.ts';
import { oidcRoutes } from '../../src/http/routes/oidc.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { fixturePath } from '../support/fixture.ts';
import { openService, type TestService } from '../support/service.ts';

const hasValidator = spawnSync('python3', ['-c', 'import openapi_spec_validator']).status === 0;

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: parts of a document
  readonly responses: Readonly<Record<string, any>>;
}

let service: TestService;
let place: string;
// biome-ignore lint/suspicious/noExplicitAny: a document
let document: any;
let routes: string[];
let operations: (readonly [key: string, operation: Operation])[];

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'custodia-root-'));
  copyFileSync(fixturePath('disk-mbr-e01'), join(place, 'disk.E01'));
  service = await openService({ works: true, environment: { CUSTODIA_EVIDENCE_ROOTS: `vault=${place}` } });
  const oidc: OidcSettings = {
    issuer: new URL('https://login.example'),
    clientId: 'custodia',
    clientSecret: 'x',
    publicUrl: new URL('https://custodia.example'),
    agencyId: null,
  };
  const whole = await createServer({
    service: createService(service.installation),
    version: '1.2.3',
    routes: [...allRoutes, oidcRoutes(oidc)],
    rootRoutes: [],
  });
  document = (await whole.inject('/api/docs/json')).json();
  // of its own accord the server answers HEAD wherever it answers GET; only the upload protocol gives it a meaning of its own
  routes = whole.declaredRoutes
    .flatMap(({ method, url }) => [method].flat().map((verb) => `${verb} ${url.replaceAll(/:(\w+)/g, '{$1}')}`))
    .filter((route) => /^\w+ \/api\/v1\//.test(route) && (!route.startsWith('HEAD ') || route.endsWith('/uploads/{uploadId}')));
  await whole.close();
  operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  );
}, 60_000);
afterAll(async () => {
  await service.close();
  rmSync(place, { recursive: true, force: true });
});

it('tells of every route, and of nothing else', () => {
  expect(routes.length).toBeGreaterThan(60);
  expect(operations.map(([key]) => key).sort()).toEqual([...new Set(routes)].sort());
});

it('each operation has an id of its own, a summary, a tag, all its parameters, and says how it succeeds and how it refuses', () => {
  const ids = operations.map(([, { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const tags = new Set(document.tags.map(({ name }: { name: string }) => name));
  for (const [key, { operationId, summary, tags: own, parameters = [], requestBody, responses, security }] of operations) {
    expect(operationId, key).toMatch(/^[a-z][A-Za-z]+$/);
    expect(summary?.length, key).toBeGreaterThan(5);
    expect(
      own!.every((tag) => tags.has(tag)),
      key,
    ).toBe(true);
    const inPath = [...key.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(
      parameters
        .filter((parameter) => parameter.in === 'path' && parameter.required)
        .map(({ name }) => name)
        .sort(),
      key,
    ).toEqual(inPath.sort());
    expect(
      Object.keys(responses).some((status) => /^[23]\d\d$/.test(status)),
      key,
    ).toBe(true);
    expect(responses.default, key).toEqual({ $ref: '#/components/responses/Problem' });
    const headers = parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name);
    const isTus = headers.includes('Tus-Resumable');
    if (key.startsWith('POST ')) expect(headers.includes('Idempotency-Key'), key).toBe(!isTus && security === undefined);
    if (/^(PUT|PATCH) /.test(key)) expect(requestBody, key).toBeDefined();
  }
  const open = operations.filter(([, { security }]) => security?.length === 0).map(([key]) => key);
  expect(open.sort()).toEqual(
    ['GET /api/v1/oidc/callback', 'GET /api/v1/oidc/login', 'OPTIONS /api/v1/uploads', 'POST /api/v1/sessions'].sort(),
  );
});

it.skipIf(!hasValidator)('is valid OpenAPI 3.1, its schemas valid JSON Schema 2020-12 (openapi-spec-validator)', () => {
  const script =
    'import json, sys\nfrom openapi_spec_validator import OpenAPIV31SpecValidator\n' +
    'print(*(f"{list(e.path)}: {e.message}" for e in OpenAPIV31SpecValidator(json.load(sys.stdin)).iter_errors()), sep="\\n")';
  const check = (given: unknown) => execFileSync('python3', ['-c', script], { input: JSON.stringify(given), encoding: 'utf8' }).trim();
  expect(check(document)).toBe('');
  expect(check({ ...document, openapi: '3.1.0', info: {} })).toContain("'title' is a required property"); // it does look
});

it('tells what the service answers', async () => {
  const agency = await service.agency();
  const lead = await service.person(agency, ['lab-lead', 'ops', 'auditor', 'administrator']);
  const token = await service.token(lead.id, scopes, new Date(Date.now() + 30 * 86_400_000));
  const ask = async (operationId: string, path: string, asked: { method?: string; body?: unknown; refused?: number } = {}) => {
    const answer = await service.ask(`/api/v1${path}`, { token, ...asked });
    expect([operationId, answer.status < 400 ? undefined : answer.status], answer.text).toEqual([operationId, asked.refused]);
    const [key, operation] = operations.find(([, { operationId: id }]) => id === operationId)!;
    const pattern = new RegExp(`^${key.split(' ')[1]!.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    expect(`/api/v1${path.split('?')[0]}`).toMatch(pattern);
    const response = operation.responses[answer.status] ?? document.components.responses.Problem;
    const media = Object.keys(response.content ?? {})[0];
    const type = answer.headers.get('content-type')?.split(';')[0] ?? undefined;
    expect([operationId, type], answer.text).toEqual([operationId, media]);
    const schema = response.content?.[media!]?.schema;
    if (schema !== undefined) {
      const [right, errors] = Errors({ ...schema, components: document.components }, answer.json);
      expect([operationId, right, errors], answer.text.slice(0, 500)).toEqual([operationId, true, []]);
    }
    return answer.json;
  };
  const opened = await ask('createCase', '/cases', { body: { reference: '2026-117' } });
  const exhibit = await ask('createExhibit', `/cases/${opened.id}/exhibits`, { body: { label: 'A-1' } });
  await ask('takeIn', `/exhibits/${exhibit.id}/segments`, { body: { root: 'vault', path: 'disk.E01' } });
  const { id } = await ask('beginExamination', `/exhibits/${exhibit.id}/examinations`, { body: {} });
  await ask('prioritiseExamination', `/examinations/${id}`, { method: 'PATCH', body: { priority: 2 } });
  while ((await ask('readExamination', `/examinations/${id}`)).conclusion === null) await sleep(100);
  expect((await ask('readExamination', `/examinations/${id}`)).status).toBe('complete');
  await ask('pauseExamination', `/examinations/${id}/pause`, { body: {}, refused: 409 }); // it has ended
  const { items: workers } = await ask('listWorkers', '/workers');
  await ask('orderWorker', `/workers/${workers[0].id}`, { method: 'PATCH', body: { threads: 2 } });
  const { items: found } = await ask('searchEntries', `/examinations/${id}/entries?type=file&limit=2`);
  await ask('readEntry', `/examinations/${id}/entries/${encodeURIComponent(found[0].locator)}`);
  await ask('createToken', '/tokens', { body: { name: 'nightly', scopes: ['read'], days: 1 } });
  for (const [name, path] of [
    ['whoAmI', '/self'],
    ['listTokens', '/tokens'],
    ['listAccounts', '/accounts'],
    ['readAccount', `/accounts/${lead.id}`],
    ['listAgencies', '/agencies'],
    ['readAgency', `/agencies/${agency}`],
    ['listAudit', '/audit?limit=5'],
    ['listCases', '/cases'],
    ['readCase', `/cases/${opened.id}`],
    ['listMembers', `/cases/${opened.id}/members`],
    ['listExhibits', `/cases/${opened.id}/exhibits`],
    ['readExhibit', `/exhibits/${exhibit.id}`],
    ['listSegments', `/exhibits/${exhibit.id}/segments`],
    ['listPlaces', '/evidence-roots'],
    ['listLedger', `/exhibits/${exhibit.id}/ledger`],
    ['proveEvent', `/exhibits/${exhibit.id}/ledger/1`],
    ['listExaminations', '/examinations'],
    ['listUnits', `/examinations/${id}/units`],
    ['listVolumes', `/examinations/${id}/volumes`],
    ['listProblems', `/examinations/${id}/problems`],
    ['countProblems', `/examinations/${id}/problems/summary`],
    ['readTimeline', `/examinations/${id}/timeline?limit=5`],
    ['listFleet', '/fleet'],
    ['readQueue', '/queues'],
  ] as const)
    await ask(name, path);
});
