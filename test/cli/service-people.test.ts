/** Who may do what, from the command line: an administrator makes accounts, a lab lead a case, and each is refused what is not its own. */
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scopes } from '../../src/access/policy.ts';
import { openService, type TestService } from '../support/service.ts';
import { type Colleague, colleague } from './service-desk.ts';

let service: TestService;
let agency: string;
let administrator: Colleague;
const desks: Colleague[] = [];

const sit = (token: string | null): Colleague => {
  const sitting = colleague(service.url, token);
  desks.push(sitting);
  return sitting;
};

beforeAll(async () => {
  service = await openService();
  agency = await service.agency('Lab of the North');
  administrator = sit((await service.person(agency, ['administrator'])).token);
}, 60_000);
afterAll(async () => {
  await Promise.all(desks.map((each) => each.close()));
  await service.close();
});

const password = 'seven grey herons at the weir';

it('an account is made, signs in with its password, keeps a token as a secret, and signs out', async () => {
  const made = await administrator.types(
    password,
    'accounts',
    'create',
    'lead',
    '--name',
    'Lea D.',
    '--role',
    'lab-lead',
    '--password',
    '--json',
  );
  expect(JSON.parse(made.stdout), made.stderr).toMatchObject({ login: 'lead', name: 'Lea D.', agencyId: agency, roles: ['lab-lead'] });

  const lead = sit(null);
  const unknown = await lead.tries('whoami');
  expect([unknown.status, unknown.stderr]).toEqual([3, expect.stringContaining('[client.token]')]);
  const wrong = await lead.types('not the password', 'login', '--login', 'lead');
  expect([wrong.status, wrong.stderr]).toEqual([3, expect.stringContaining('[session.refused]')]);

  const signedIn = await lead.types(password, 'login', '--login', 'lead');
  expect([signedIn.status, signedIn.stdout]).toEqual([0, expect.stringContaining(`signed in at ${service.url} as lead`)]);
  const file = join(lead.home, '.config/custodia/token');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const [server, token] = readFileSync(file, 'utf8').trim().split(' ');
  expect([server, token]).toEqual([service.url, expect.stringMatching(/^cst_[A-Za-z0-9_-]{43}$/)]);
  expect(signedIn.stdout + signedIn.stderr).not.toContain(token);
  expect(await lead.does('whoami')).toMatchObject([{ login: 'lead', roles: ['lab-lead'], credential: { kind: 'token' } }]);

  expect((await lead.tries('logout')).status).toBe(0);
  expect((await service.ask('/api/v1/self', { token: token! })).status).toBe(401);
  expect((await lead.tries('whoami')).status).toBe(3);
});

it('a case is made, members are added and removed role by role, the last lead stays', async () => {
  const person = await service.person(agency, ['lab-lead']);
  const lead = sit(person.token);
  const investigator = await service.person(agency);
  const [opened] = await lead.does('cases', 'create', '2026-117', '--title', 'The weir');
  expect(await lead.does('cases')).toMatchObject([{ id: opened.id, reference: '2026-117', title: 'The weir' }]);

  const login = (await service.ask('/api/v1/self', { token: investigator.token })).json.login;
  await lead.does('cases', 'members', 'add', '2026-117', login, 'investigator');
  expect(await lead.does('cases', 'members', 'add', '2026-117', investigator.id, 'auditor')).toMatchObject([
    { roles: ['investigator', 'auditor'] },
  ]);
  expect(await lead.does('cases', 'members', 'remove', opened.id, login, 'investigator')).toMatchObject([{ roles: ['auditor'] }]);
  const members = await lead.does('cases', 'members', '2026-117');
  expect(members.map(({ accountId, roles }) => [accountId, roles]).sort()).toEqual(
    [
      [person.id, ['lab-lead']],
      [investigator.id, ['auditor']],
    ].sort(),
  );
  expect(await lead.does('cases', 'members', 'remove', '2026-117', login, 'auditor')).toMatchObject([{ roles: [] }]);
  const last = await lead.tries('cases', 'members', 'remove', '2026-117', person.id, 'lab-lead');
  expect([last.status, last.stderr]).toEqual([3, expect.stringContaining('[case.last-lead]')]);

  await lead.does('exhibits', 'create', '2026-117', 'A-1', '--description', 'a disk');
  expect(await lead.does('exhibits', '2026-117')).toMatchObject([{ label: 'A-1', description: 'a disk' }]);
  const table = await lead.tries('exhibits', '2026-117');
  expect(table.stdout.split('\n')[0]).toMatch(/^ID +LABEL +DESCRIPTION/);

  const stranger = sit(investigator.token);
  expect(await stranger.does('cases')).toEqual([]);
  const hidden = await stranger.tries('exhibits', '2026-117');
  const absent = await stranger.tries('exhibits', '2026-118');
  expect([hidden.status, hidden.stderr.replace('117', '118')]).toEqual([absent.status, absent.stderr]);
});

it('a token of few scopes does no more than it may, and is over when it is revoked; a disabled account is out', async () => {
  const person = await service.person(agency, ['lab-lead']);
  const owner = sit(await service.token(person.id, scopes, new Date(Date.now() + 30 * 86_400_000)));
  const [made] = await owner.does('tokens', 'create', 'nightly', '--scope', 'read', '--days', '7');
  expect(made).toMatchObject({ name: 'nightly', scopes: ['read'], token: expect.stringMatching(/^cst_/) });
  const nightly = sit(made.token);
  expect(await nightly.does('whoami')).toMatchObject([{ scopes: ['read'] }]);
  expect((await nightly.tries('cases', 'create', '2026-118')).status).toBe(3);
  await owner.does('tokens', 'revoke', made.id);
  expect((await nightly.tries('whoami')).stderr).toContain('[http.identity]');
  const listed = await owner.does('tokens');
  expect(listed.find(({ id }) => id === made.id)).toMatchObject({ revokedAt: expect.any(String) });
  expect(listed.every((token) => !('token' in token))).toBe(true);

  await administrator.does('accounts', 'roles', person.id, 'lab-lead', 'auditor');
  expect(await owner.does('whoami')).toMatchObject([{ roles: ['lab-lead', 'auditor'] }]);
  await administrator.does('accounts', 'disable', person.id);
  expect((await owner.tries('whoami')).status).toBe(3);
});

it('what was decided stands in the audit log, told to those who may read it', async () => {
  const events = await administrator.does('audit', '--action', 'account.create', '--outcome', 'done');
  expect(events.length).toBeGreaterThan(0);
  expect(events[0]).toMatchObject({ action: 'account.create', outcome: 'done', route: expect.stringContaining('/accounts') });
  const { status } = await sit((await service.person(agency)).token).tries('audit');
  expect(status).toBe(3);
  expect(await administrator.does('agencies', 'create', 'Lab of the South', '--max-uploads', '3')).toMatchObject([{ maxUploads: 3 }]);
  expect(await administrator.does('agencies', 'set', 'Lab of the South', '--max-uploads', '4')).toMatchObject([{ maxUploads: 4 }]);
});

it.each([
  [['cases', '--server', 'custodia'], 'client.server'],
  [['tokens', 'revoke', 'all'], 'client.id'],
  [['cases', 'members', 'add', 'x', 'y', 'king'], undefined],
  [['examinations', 'priority', 'x', '11'], undefined],
  [['tokens', 'create', 'x', '--scope', 'all'], undefined],
  [['workers', 'scale', 'many'], undefined],
])('%j is refused in words, without a stack', async (args, code) => {
  const { status, stderr, stdout } = await administrator.tries(...args);
  expect([status, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(code === undefined ? /expected/i : new RegExp(`\\[${code}\\]\n$`));
  expect(stderr).not.toMatch(/^\s+at /m);
});

it('a token that others may read is none, and one server’s is not sent to another', async () => {
  const person = await service.person(agency);
  const reader = sit(null);
  expect((await reader.types(person.token, 'login')).status).toBe(0);
  const file = join(reader.home, '.config/custodia/token');
  const other = await reader.tries('whoami', '--server', service.url.replace('127.0.0.1', 'localhost'));
  expect([other.status, other.stderr]).toEqual([3, expect.stringContaining('no token for http://localhost')]);
  chmodSync(file, 0o640);
  const open = await reader.tries('whoami');
  expect([open.status, open.stderr]).toEqual([3, expect.stringContaining('its mode is 0640, expected 0600')]);
});
