/** The skeleton of the API. Witnesses: RFC 9457 (problem documents), RFC 9110 (401 with WWW-Authenticate), OpenAPI 3.1 of @fastify/swagger. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, type Routes } from '../../src/http/route.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let person: Person;
beforeAll(async () => {
  service = await openService();
  person = await service.person(await service.agency());
}, 60_000);
afterAll(() => service.close());

describe('a route', () => {
  const serverWith = (routes: readonly Routes[]): Promise<Api> =>
    createServer({ service: createService(service.installation), version: '0', routes, rootRoutes: [] });

  it('that declares no policy ends the start', async () => {
    await expect(serverWith([(api) => api.get('/open', async () => 'for all')])).rejects.toThrow(
      /http\.policy: GET \/api\/v1\/open declares no policy/,
    );
  });

  it('of any plugin has one, too', async () => {
    const { status, json } = await service.ask('/api/docs/json');
    expect([status, json.openapi]).toEqual([200, '3.1.0']);
  });
});

describe('who is not known', () => {
  it.each([
    ['nobody', {}],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['a token of the right form', { authorization: `Bearer cst_${'A'.repeat(43)}` }],
    ['a short one', { authorization: 'Bearer cst_A' }],
  ])('%s: 401 everywhere, also where nothing is', async (_what, headers: Record<string, string>) => {
    for (const path of ['/api/v1/self', '/api/v1/nothing', '/nothing', '/api/v1/cases/0190aaaa-0000-7000-8000-000000000001']) {
      const { status, json, headers: answered } = await service.ask(path, { headers });
      expect([path, status, json?.code]).toEqual([path, 401, 'http.identity']);
      expect(answered.get('www-authenticate')).toBe('Bearer');
      expect(answered.get('content-type')).toMatch(/^application\/problem\+json/);
    }
  });

  it('an expired token, a revoked one, one of a disabled account', async () => {
    const other = await service.person(person.agencyId);
    const expired = await service.token(other.id, ['read'], new Date(Date.now() - 1));
    expect((await service.ask('/nothing', { token: expired })).status).toBe(401);
    expect((await service.ask('/nothing', { token: other.token })).status).toBe(404);
    await service.installation.database.query('update account set disabled_at = now() where id = $1', [other.id]);
    expect((await service.ask('/nothing', { token: other.token })).status).toBe(401);
  });
});

it('what is not there is a problem document of RFC 9457, with the headers of a careful server', async () => {
  const { status, json, headers } = await service.ask('/api/v1/nothing', { token: person.token });
  expect([status, json]).toEqual([
    404,
    {
      type: 'urn:custodia:problem:http.not-found',
      title: 'Not found',
      status: 404,
      code: 'http.not-found',
      detail: 'nothing is here, or nothing that you may see',
    },
  ]);
  expect(Object.fromEntries(headers)).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'SAMEORIGIN',
    'content-security-policy': expect.stringContaining("default-src 'self'"),
  });
});
