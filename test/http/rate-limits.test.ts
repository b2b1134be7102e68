/** Rates: who asks too often waits as long as it is told (RFC 6585 section 4, RFC 9110 section 10.2.3), by account and by address. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allRoutes } from '../../src/http/all-routes.ts';
import { type Api } from '../../src/http/route.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { openService, type TestService } from '../support/service.ts';

let service: TestService;
const servers: Api[] = [];

beforeAll(async () => {
  service = await openService();
}, 60_000);
afterAll(async () => {
  for (const server of servers) await server.close();
  await service.close();
});

async function limited(rates: { address: number; account: number }): Promise<(token: string | null) => Promise<Response>> {
  const options = { version: '0', routes: allRoutes, rootRoutes: [], rates };
  const server = await createServer({ ...options, service: createService(service.installation) });
  servers.push(server);
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  return (token) => fetch(`${url}/api/v1/self`, { headers: token === null ? {} : { authorization: `Bearer ${token}` } });
}

it('counts an account over all of its tokens, and others apart', async () => {
  const ask = await limited({ address: 1000, account: 5 });
  const agency = await service.agency();
  const [one, other] = [await service.person(agency), await service.person(agency)];
  const second = await service.token(one.id);
  const answers: Response[] = [];
  for (let round = 0; round < 6; round++) answers.push(await ask(round % 2 === 0 ? one.token : second));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429]);
  const refused = answers[5]!;
  expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  expect(((await refused.json()) as { code: string }).code).toBe('http.rate');
  expect((await ask(other.token)).status).toBe(200);
});

it('lets an address try to sign in 30 times a minute, whatever it is answered', async () => {
  const statuses = await Promise.all(
    Array.from({ length: 32 }, async () => (await service.ask('/api/v1/sessions', { body: { login: 'x' } })).status), // no password: not even checked
  );
  expect(statuses.filter((status) => status === 400)).toHaveLength(30);
  expect(statuses.filter((status) => status === 429)).toHaveLength(2);
});

it('counts an address before it is known who asks', async () => {
  const ask = await limited({ address: 5, account: 1000 });
  const statuses: number[] = [];
  for (let round = 0; round < 6; round++) statuses.push((await ask(null)).status);
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
});
