/** Who is who: sessions, passwords, tokens, accounts; and what the audit log tells of it. Witnesses: RFC 6265bis (cookies), RFC 9110 (conditions, Retry-After). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPasswordChecker } from '../../src/access/password.ts';
import { bootstrap, makeOneTimeToken } from '../../src/store/tokens.ts';
import { transaction } from '../../src/store/transaction.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

const password = 'correct horse battery';
let service: TestService;
let agency: string;
let administrator: Person;

beforeAll(async () => {
  service = await openService();
  agency = await service.agency('North');
  administrator = await service.person(agency, ['administrator']);
}, 60_000);
afterAll(() => service.close());

/** One of its own for each test: what one test does with it is not seen by another. */
async function member(login: string): Promise<{ id: string; login: string }> {
  const { status, json } = await service.ask('/api/v1/accounts', {
    token: administrator.token,
    body: { agencyId: agency, login, name: 'A. Member', password },
  });
  expect(status).toBe(201);
  return json;
}

const signIn = (login: string, given = password, headers: Record<string, string> = {}) =>
  service.ask('/api/v1/sessions', { body: { login, password: given }, headers });

async function cookieOf(login: string): Promise<string> {
  const { status, headers } = await signIn(login);
  expect(status).toBe(201);
  return headers.get('set-cookie')!.split(';')[0]!;
}

const csrf = { 'x-custodia-csrf': '1' };
const selfStatus = async (cookie: string) => (await service.ask('/api/v1/self', { headers: { cookie } })).status;

it('signs in with a cookie that no script and no other site gets, and out again at once', async () => {
  await member('cookie');
  const { headers, json } = await signIn('Cookie');
  expect(Object.keys(json)).toEqual(['accountId', 'expiresAt']);
  const [pair, ...attributes] = headers.get('set-cookie')!.split('; ');
  expect(pair).toMatch(/^custodia=[A-Za-z0-9_-]{43}$/); // 256 bits: 43 characters of base64url
  expect(attributes).toEqual(expect.arrayContaining(['Path=/', 'HttpOnly', 'SameSite=Strict']));
  expect(await selfStatus(pair!)).toBe(200);
  expect((await service.ask('/api/v1/sessions', { method: 'DELETE', headers: { cookie: pair!, ...csrf } })).status).toBe(204);
  expect(await selfStatus(pair!)).toBe(401);
});

it('keeps no secret of a session in the database', async () => {
  await member('secretless');
  const secret = (await cookieOf('secretless')).split('=')[1]!;
  const { rows } = await service.installation.database.query('select session::text as row from session');
  expect(rows.length).toBeGreaterThan(0);
  for (const { row } of rows) expect(row).not.toContain(secret);
});

it('ends a session that idles 30 minutes, or is 12 hours old', async () => {
  const { id } = await member('idle');
  const cookie = await cookieOf('idle');
  const { database } = service.installation;
  await database.query("update session set used_at = clock_timestamp() - interval '29 minutes' where account_id = $1", [id]);
  expect(await selfStatus(cookie)).toBe(200); // and is in use again
  await database.query("update session set used_at = used_at - interval '29 minutes' where account_id = $1", [id]);
  expect(await selfStatus(cookie)).toBe(200);
  await database.query("update session set used_at = clock_timestamp() - interval '31 minutes' where account_id = $1", [id]);
  expect(await selfStatus(cookie)).toBe(401);
  const other = await cookieOf('idle');
  const { rows } = await database.query(
    'select extract(epoch from max(expires_at) - max(created_at)) as s from session where account_id = $1',
    [id],
  );
  expect(Math.round(Number(rows[0].s))).toBe(12 * 3600);
  await database.query('update session set expires_at = clock_timestamp() where account_id = $1', [id]);
  expect(await selfStatus(other)).toBe(401);
});

it('answers a stranger as it answers a wrong password', async () => {
  await member('known');
  const [wrong, stranger] = [await signIn('known', 'wrong horse battery'), await signIn('nobody-at-all', 'wrong horse battery')];
  expect([wrong.status, stranger.status]).toEqual([401, 401]);
  expect(wrong.text).toBe(stranger.text);
  expect(wrong.json.code).toBe('session.refused');
});

it('slows down whoever guesses: five tries, then a wait that a right password does not shorten', async () => {
  await member('guessed');
  for (let round = 0; round < 5; round++) expect((await signIn('guessed', `guess number ${round}`)).status).toBe(401);
  const over = await signIn('guessed');
  expect(over.status).toBe(429);
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
  await service.installation.database.query("update sign_in_failure set at = at - interval '2 hours'");
  expect((await signIn('guessed')).status).toBe(201);
});

it('refuses what another site sends with the cookie', async () => {
  await member('forged');
  const cookie = await cookieOf('forged');
  const attempt = async (headers: Record<string, string>) =>
    (await service.ask('/api/v1/tokens', { headers: { cookie, ...headers }, body: { name: 't', scopes: ['read'], days: 1 } })).status;
  expect(await attempt({})).toBe(403);
  expect(await attempt({ ...csrf, origin: 'https://evil.example' })).toBe(403);
  expect(await attempt({ ...csrf, origin: 'null' })).toBe(403);
  expect(await attempt({ ...csrf, 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await attempt({ ...csrf, 'sec-fetch-site': 'same-site' })).toBe(403);
  expect(await attempt({ ...csrf, origin: service.url, 'sec-fetch-site': 'same-origin' })).toBe(201);
  expect((await signIn('forged', password, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
});

it('changes a password for who knows it, and ends all other sessions', async () => {
  await member('changer');
  const [one, other] = [await cookieOf('changer'), await cookieOf('changer')];
  const change = (body: object) => service.ask('/api/v1/self/password', { method: 'PUT', headers: { cookie: one, ...csrf }, body });
  expect((await change({ current: 'wrong horse battery', password: 'another horse staple' })).json.code).toBe('account.current');
  expect((await change({ current: password, password: 'short' })).json.code).toBe('account.password');
  expect((await change({ current: password, password: 'another horse staple' })).status).toBe(204);
  expect([await selfStatus(one), await selfStatus(other)]).toEqual([200, 401]);
  expect((await signIn('changer', 'another horse staple')).status).toBe(201);
  const { rows } = await service.installation.database.query(`select password from account where login = 'changer'`);
  expect(await createPasswordChecker().check(rows[0].password, 'another horse staple')).toBe(true);
});

it('renews what is kept of a password at the next sign-in when the cost has changed', async () => {
  const { id } = await member('renewed');
  const { database } = service.installation;
  const kept = async () => (await database.query('select password from account where id = $1', [id])).rows[0].password as string;
  // phc-winner-argon2, src/test.c: "password" and "somesalt" at 64 MiB
  const old = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  await database.query('update account set password = $2 where id = $1', [id, old]);
  expect((await signIn('renewed', 'wrong horse battery')).status).toBe(401);
  expect(await kept()).toBe(old);
  expect((await signIn('renewed', 'password')).status).toBe(201);
  const renewed = await kept();
  expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/); // OWASP Password Storage Cheat Sheet
  expect((await signIn('renewed', 'password')).status).toBe(201);
  expect(await kept()).toBe(renewed);
});

it('makes tokens that are shown once, limited, and revoked at once; none makes a wider one', async () => {
  await member('tokens');
  const headers = { cookie: await cookieOf('tokens'), ...csrf };
  const made = await service.ask('/api/v1/tokens', { headers, body: { name: 'script', scopes: ['read', 'manage'], days: 10 } });
  const { id, token } = made.json;
  expect(token).toMatch(/^cst_[A-Za-z0-9_-]{43}$/);
  const listed = await service.ask('/api/v1/tokens', { token });
  expect(listed.text).not.toContain(token);
  expect(listed.json.items[0]).toMatchObject({ id, name: 'script', scopes: ['read', 'manage'], revokedAt: null });
  expect(listed.json.items[0].usedAt).not.toBeNull();
  const more = (body: object) => service.ask('/api/v1/tokens', { token, body: { name: 'x', ...body } });
  expect((await more({ scopes: ['content'], days: 1 })).json.code).toBe('token.wider');
  expect((await more({ scopes: ['read'], days: 11 })).json.code).toBe('token.wider');
  expect((await more({ scopes: ['read'], days: 367 })).status).toBe(400); // a year at most
  expect((await more({ scopes: ['read'], days: 9 })).status).toBe(201);
  expect((await service.ask(`/api/v1/tokens/${id}`, { method: 'DELETE', headers })).status).toBe(204);
  expect((await service.ask('/api/v1/self', { token })).status).toBe(401);
  const foreign = await service.ask('/api/v1/tokens', { token: administrator.token });
  const theirs = foreign.json.items[0].id;
  expect((await service.ask(`/api/v1/tokens/${theirs}`, { method: 'DELETE', headers })).status).toBe(404);
});

it('gives a one-time token at the first start only, good for one account or token', async () => {
  const { database } = service.installation;
  expect(await bootstrap(database)).toBeNull(); // there is an administrator
  const token = await transaction(database, makeOneTimeToken);
  const body = { name: 'first', scopes: ['read', 'manage'], days: 300 };
  const both = await Promise.all([service.ask('/api/v1/tokens', { token, body }), service.ask('/api/v1/tokens', { token, body })]);
  expect(both.map(({ status }) => status).sort()).toEqual([201, 401]);
  expect((await service.ask('/api/v1/self', { token })).status).toBe(401);
  const again = await transaction(database, makeOneTimeToken);
  const failed = await service.ask('/api/v1/accounts', { token: again, body: { agencyId: agency, login: 'cookie', name: 'Taken' } });
  expect(failed.status).toBe(409);
  expect((await service.ask('/api/v1/self', { token: again })).status).toBe(200); // not spent by what had no effect
});

it('disables an account: its sessions and tokens end at once, the last administrator stays', async () => {
  const { id } = await member('leaver');
  const cookie = await cookieOf('leaver');
  const token = await service.token(id);
  const patch = (body: object, account = id, headers: Record<string, string> = {}) =>
    service.ask(`/api/v1/accounts/${account}`, { method: 'PATCH', token: administrator.token, body, headers });
  const tag = (await service.ask(`/api/v1/accounts/${id}`, { token: administrator.token })).headers.get('etag')!;
  expect((await patch({ name: 'B. Member' }, id, { 'if-match': tag })).status).toBe(200);
  expect((await patch({ name: 'C. Member' }, id, { 'if-match': tag })).status).toBe(412); // RFC 9110 section 13.1.1
  expect((await patch({ disabled: true })).status).toBe(200);
  expect(await selfStatus(cookie)).toBe(401);
  expect((await service.ask('/api/v1/self', { token })).status).toBe(401);
  expect((await signIn('leaver')).json.code).toBe('session.refused');
  await service.installation.database.query(`update account set disabled_at = clock_timestamp() where login = 'administrator'`);
  expect((await patch({ roles: [] }, administrator.id)).json.code).toBe('account.last-administrator');
  expect((await patch({ disabled: true }, administrator.id)).json.code).toBe('account.last-administrator');
});

it('leaves accounts to administrators', async () => {
  const plain = await service.person(agency);
  const body = { agencyId: agency, login: 'intruder', name: 'I', roles: ['administrator'] };
  expect((await service.ask('/api/v1/accounts', { token: plain.token, body })).status).toBe(404);
  const self = await service.ask(`/api/v1/accounts/${plain.id}`, {
    token: plain.token,
    method: 'PATCH',
    body: { roles: ['administrator'] },
  });
  expect(self.status).toBe(404);
  expect((await service.ask(`/api/v1/accounts/${plain.id}`, { token: plain.token })).status).toBe(200);
  const stranger = await service.person(await service.agency());
  expect((await service.ask(`/api/v1/accounts/${plain.id}`, { token: stranger.token })).status).toBe(404);
  expect((await service.ask('/api/v1/accounts', { token: stranger.token })).json.items).toHaveLength(1);
});

it('gives every account once over pages', async () => {
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { json } = await service.ask(`/api/v1/accounts?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`, {
      token: administrator.token,
    });
    seen.push(...json.items.map(({ login }: { login: string }) => login));
    cursor = json.next;
  }
  const { rows } = await service.installation.database.query('select login from account');
  expect(seen.length).toBeGreaterThan(6);
  expect([...seen].sort()).toEqual(rows.map(({ login }) => login).sort());
});
