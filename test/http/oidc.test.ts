/** Signing in through a real provider (oidc-provider 9, over HTTP on this machine): witness of the protocol is that provider. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allRoutes } from '../../src/http/all-routes.ts';
import { readOidcSettings } from '../../src/http/oidc-settings.ts';
import { type Api } from '../../src/http/route.ts';
import { oidcRoutes } from '../../src/http/routes/oidc.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { openService, type TestService } from '../support/service.ts';

let service: TestService;
let api: Api;
let agency: string;
let provider: Server;
let issuer: string;
let here: string;
const secret = 'a secret of the client, of more than 256 bits';

const freePort = () =>
  new Promise<number>((resolve) => {
    const socket = createSocket().listen(0, '127.0.0.1', () => {
      const { port } = socket.address() as AddressInfo;
      socket.close(() => resolve(port));
    });
  });

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  const file = join(mkdtempSync(join(tmpdir(), 'custodia-oidc-')), 'secret');
  writeFileSync(file, `${secret}\n`);
  return {
    CUSTODIA_OIDC_ISSUER: issuer,
    CUSTODIA_OIDC_CLIENT: 'custodia',
    CUSTODIA_OIDC_SECRET_FILE: file,
    CUSTODIA_URL: here,
    CUSTODIA_OIDC_AGENCY: agency,
    CUSTODIA_OIDC_INSECURE: 'loopback',
    ...more,
  };
};

beforeAll(async () => {
  service = await openService();
  agency = await service.agency();
  const [port, hers] = [await freePort(), await freePort()];
  here = `http://127.0.0.1:${port}`;
  issuer = `http://127.0.0.1:${hers}`;
  const client = {
    client_id: 'custodia',
    client_secret: secret,
    redirect_uris: [`${here}/api/v1/oidc/callback`],
    post_logout_redirect_uris: [`${here}/`],
  };
  const op = new Provider(issuer, {
    clients: [client],
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['test'] },
    findAccount: (_context, sub) => ({ accountId: sub, claims: async () => ({ sub, name: `Name of ${sub}`, preferred_username: sub }) }),
  });
  provider = createHttpServer(op.callback()).listen(hers, '127.0.0.1');
  api = await createServer({
    service: createService(service.installation),
    version: '0',
    routes: [...allRoutes, oidcRoutes(readOidcSettings(environment())!)],
    rootRoutes: [],
  });
  await api.listen({ port, host: '127.0.0.1' });
}, 60_000);
afterAll(async () => {
  provider.closeAllConnections();
  provider.close();
  await api.close();
  await service.close();
});

/** A browser: follows redirections, keeps cookies by origin, fills in the forms of the provider. */
function browser() {
  const jars = new Map<string, Map<string, string>>();
  const visit = async (address: string, form?: Record<string, string>) => {
    const url = new URL(address);
    const jar = jars.get(url.origin) ?? new Map<string, string>();
    jars.set(url.origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';');
      jar.set(pair!.slice(0, pair!.indexOf('=')), pair!.slice(pair!.indexOf('=') + 1));
    }
    return answer;
  };
  /** Until the provider sends back: gives that address. */
  async function towardsCallback(login: string): Promise<string> {
    let next = (await visit(`${here}/api/v1/oidc/login`)).headers.get('location')!;
    for (let steps = 0; steps < 12; steps++) {
      if (next.startsWith(`${here}/`)) return next;
      const prompt = next.includes('/interaction/')
        ? (await (await visit(next)).text()).includes('name="login"')
          ? 'login'
          : 'consent'
        : null;
      const answer = await (prompt === null ? visit(next) : visit(next, { prompt, login, password: 'x' }));
      next = new URL(answer.headers.get('location')!, next).href;
    }
    throw new Error(`the provider did not send back, but to ${next}`);
  }
  const cookies = () => [...(jars.get(here) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  return { visit, towardsCallback, cookies };
}

const self = (cookie: string) => fetch(`${here}/api/v1/self`, { headers: { cookie } });

it('signs in whom the provider knows, makes one account for it, and finds it again', async () => {
  const ids: string[] = [];
  for (let round = 0; round < 2; round++) {
    const { visit, towardsCallback, cookies } = browser();
    const back = await visit(await towardsCallback('ada'));
    expect(back.status).toBe(200);
    expect(back.headers.getSetCookie().find((line) => line.startsWith('custodia='))).toMatch(/HttpOnly; SameSite=Strict/);
    const account = (await (await self(cookies())).json()) as { id: string; agencyId: string; roles: string[] };
    expect(account).toMatchObject({ agencyId: agency, roles: [] });
    ids.push(account.id);
  }
  expect(ids[0]).toBe(ids[1]);
  const { rows } = await service.installation.database.query('select oidc_issuer, oidc_subject, password from account where id = $1', [
    ids[0],
  ]);
  expect(rows).toEqual([{ oidc_issuer: issuer, oidc_subject: 'ada', password: null }]);
});

it('never leads to an account that only bears the same login', async () => {
  const { database } = service.installation;
  const { rows } = await database.query(`insert into account (agency_id, login, name) values ($1, 'Grace', 'G') returning id`, [agency]);
  const { visit, towardsCallback, cookies } = browser();
  await visit(await towardsCallback('grace'));
  const account = (await (await self(cookies())).json()) as { id: string };
  expect(account.id).not.toBe(rows[0].id);
});

it('takes an answer once, in the browser that asked for it, with the state that was given', async () => {
  const victim = browser();
  const address = await victim.towardsCallback('ada');
  expect((await browser().visit(address)).status).toBe(401); // another browser
  const forged = new URL(address);
  forged.searchParams.set('state', 'x'.repeat(43));
  expect((await victim.visit(forged.href)).status).toBe(401);
  expect((await victim.visit(address)).status).toBe(401); // the flow is used up by the forged answer
  const other = browser();
  const good = await other.towardsCallback('ada');
  expect((await other.visit(good)).status).toBe(200);
  expect((await other.visit(good)).status).toBe(401);
});

it('lets nobody in whose account is disabled', async () => {
  const first = browser();
  await first.visit(await first.towardsCallback('edsger'));
  await service.installation.database.query(`update account set disabled_at = now() where oidc_subject = 'edsger'`);
  expect((await self(first.cookies())).status).toBe(401);
  const again = browser();
  const back = await again.visit(await again.towardsCallback('edsger'));
  expect([back.status, ((await back.json()) as { code: string }).code]).toEqual([401, 'oidc.account']);
});

it('signs out here, and says where to sign out there', async () => {
  const { visit, towardsCallback, cookies } = browser();
  await visit(await towardsCallback('ada'));
  const cookie = cookies();
  const answer = await fetch(`${here}/api/v1/oidc/logout`, { method: 'POST', headers: { cookie, 'x-custodia-csrf': '1' } });
  expect(((await answer.json()) as { next: string }).next).toContain(`${issuer}/session/end?`);
  expect((await self(cookie)).status).toBe(401);
});

it('uses a provider without TLS on this machine only, where it is asked for', () => {
  expect(() => readOidcSettings(environment({ CUSTODIA_OIDC_INSECURE: '' }))).toThrow('without TLS');
  expect(() => readOidcSettings(environment({ CUSTODIA_OIDC_ISSUER: 'http://idp.example' }))).toThrow('without TLS');
  expect(readOidcSettings(environment({ CUSTODIA_OIDC_ISSUER: 'https://idp.example' }))?.issuer.href).toBe('https://idp.example/');
  expect(readOidcSettings({})).toBeNull();
});
