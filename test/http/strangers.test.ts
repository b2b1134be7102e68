/** Who is not let in, and who forges requests, stands in the audit log; a flood of them is counted there and does not fill it. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type auditEventOf } from '../../src/http/audit.ts';
import { createStrangers } from '../../src/http/strangers.ts';
import { nextAuditLines, type ToldAuditEvent } from '../../src/store/audit.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let agency: string;
let administrator: Person;

beforeAll(async () => {
  service = await openService();
  agency = await service.agency('North');
  administrator = await service.person(agency, ['administrator']);
}, 60_000);
afterAll(() => service.close());

async function events(action: string): Promise<ToldAuditEvent[]> {
  const client = await service.installation.database.connect();
  const lines = await nextAuditLines(client, -1, 10_000).finally(() => client.release());
  return lines
    .map(({ envelope }) => JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString()).predicate as ToldAuditEvent)
    .filter((event) => event.action === action);
}

const stranger = () => `cst_${randomBytes(32).toString('base64url')}`;
const selfStatus = async (token: string) => (await service.ask('/api/v1/self', { token })).status;

it('tells of each credential that is not accepted whose it was and why, and never what was presented', async () => {
  const [revoked, expired, disabled, unknown] = [
    await service.person(agency),
    await service.person(agency),
    await service.person(agency),
    stranger(),
  ];
  const { database } = service.installation;
  await database.query('update api_token set revoked_at = clock_timestamp() where account_id = $1', [revoked.id]);
  await database.query('update api_token set expires_at = clock_timestamp() where account_id = $1', [expired.id]);
  await database.query('update account set disabled_at = clock_timestamp() where id = $1', [disabled.id]);
  for (const token of [revoked.token, expired.token, disabled.token, unknown]) expect(await selfStatus(token)).toBe(401);
  await expect.poll(() => events('credential.refused')).toHaveLength(4);
  const told = await events('credential.refused');
  expect(told.map(({ about, detail }) => [about.account, about.agency, detail?.reason])).toEqual([
    [revoked.id, agency, 'revoked'],
    [expired.id, agency, 'expired'],
    [disabled.id, agency, 'disabled'],
    [undefined, undefined, 'unknown'],
  ]);
  for (const event of told) {
    expect(event.who).toEqual({ account: null, agency: null, credential: null, address: '127.0.0.1' });
    for (const secret of [revoked.token, expired.token, disabled.token, unknown])
      expect(JSON.stringify(event)).not.toContain(secret.slice(4, 20));
  }
});

it('tells of an ended session, and of no one who presents nothing', async () => {
  const before = (await events('credential.refused')).length;
  expect((await service.ask('/api/v1/self')).status).toBe(401);
  const login = 'ended';
  const body = { agencyId: agency, login, name: 'E', password: 'correct horse battery' };
  expect((await service.ask('/api/v1/accounts', { token: administrator.token, body })).status).toBe(201);
  const { headers } = await service.ask('/api/v1/sessions', { body: { login, password: body.password } });
  const cookie = headers.get('set-cookie')!.split(';')[0]!;
  expect((await service.ask('/api/v1/tokens', { headers: { cookie }, body: {} })).status).toBe(403);
  await service.installation.database.query('update session set revoked_at = clock_timestamp()');
  expect((await service.ask('/api/v1/self', { headers: { cookie } })).status).toBe(401);
  await expect.poll(async () => (await events('credential.refused')).length).toBe(before + 1);
  expect((await events('credential.refused')).at(-1)).toMatchObject({
    detail: { reason: 'revoked' },
    about: { session: expect.any(String) },
  });
  expect(await events('request.forged')).toMatchObject([{ outcome: 'denied', detail: { reason: 'header' }, who: { agency } }]);
});

it('counts a flood instead of writing it down', async () => {
  const before = (await events('credential.refused')).length; // that of a secret which was never one of ours stands there already
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 10 }, () => selfStatus(stranger())));
  expect((await events('credential.refused')).length).toBe(before);
  await service.api.close(); // what is counted is told
  const told = (await events('credential.refused')).slice(before);
  expect(told.filter(({ detail }) => detail?.reason === 'unknown')).toMatchObject([{ detail: { further: 200 }, request: null }]);
});

it('counts those of very many addresses together', async () => {
  const written: ToldAuditEvent[] = [];
  const strangers = createStrangers((event) => void written.push(event));
  const request = (ip: string) => ({ ip, id: 'r', method: 'GET', routeOptions: {} }) as Parameters<typeof auditEventOf>[0];
  for (let address = 0; address < 5000; address++)
    strangers.note(request(`2001:db8::${address.toString(16)}`), { action: 'credential.refused', outcome: 'denied' });
  strangers.close();
  expect(written.length).toBe(502); // 500 addresses, all others together when they begin and as a count
  expect(written.at(-1)).toMatchObject({ who: { address: null }, detail: { reason: 'many', further: 4499 } });
});
