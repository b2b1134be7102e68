/**
 * Every route, asked by everyone about everything. Witness: the table below, written from the roles of the issue ("submitter: write-only drop; ops: never
 * content; auditor: sees the ledger, not content; ..."), not from src/access/policy.ts. A body that is no JSON shows the decision and has no effect:
 * 400 for whoever may, 404 for whoever may not.
 */
import { Agent, request as ask } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Action, type AgencyRole, agencyRoles, type CaseRole, caseRoles, rules, type Scope, scopes } from '../../src/access/policy.ts';
import { type About, type DeclaredRoute } from '../../src/http/route.ts';
import { isLong } from '../support/long.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

/** Who may, by role: in the case, in its agency (`auditor@`, `lab-lead@`), in the whole installation (`ops@`, `administrator@`); `all`: whoever is known. */
const who: Readonly<Record<string, string>> = {
  'agency.list': 'all',
  'agency.manage': 'administrator@',
  'account.list': 'all',
  'account.manage': 'administrator@',
  'account.read': 'self auditor@ lab-lead@ administrator@',
  'self.read': 'all',
  'self.manage': 'all',
  'case.list': 'all',
  'case.create': 'lab-lead@',
  'case.read': 'submitter investigator examiner lab-lead custodian auditor auditor@',
  'case.members': 'lab-lead',
  'exhibit.create': 'submitter examiner lab-lead custodian',
  'exhibit.read': 'submitter investigator examiner lab-lead custodian auditor auditor@',
  'evidence.submit': 'submitter examiner lab-lead custodian',
  'evidence.place': 'examiner lab-lead custodian',
  'examination.start': 'submitter examiner lab-lead custodian',
  'examination.list': 'all',
  'examination.read': 'submitter investigator examiner lab-lead custodian auditor auditor@ ops@',
  'examination.control': 'examiner lab-lead ops@',
  'entries.read': 'investigator examiner lab-lead',
  'content.read': 'investigator examiner lab-lead',
  'report.read': 'investigator examiner lab-lead',
  'ledger.read': 'investigator examiner lab-lead custodian auditor auditor@',
  'audit.read': 'auditor@ administrator@',
  'ops.read': 'ops@',
  'ops.control': 'ops@',
};
/** What a token must be good for. */
const scopeOf: Readonly<Record<string, Scope>> = {
  'agency.list': 'read', 'agency.manage': 'manage', 'account.list': 'read', 'account.manage': 'manage', 'account.read': 'read', 'self.read': 'read', 'self.manage': 'manage',
  'case.list': 'read', 'case.create': 'manage', 'case.read': 'read', 'case.members': 'manage', 'exhibit.create': 'submit', 'exhibit.read': 'read',
  'evidence.submit': 'submit', 'evidence.place': 'submit', 'examination.start': 'submit', 'examination.list': 'read', 'examination.read': 'read',
  'examination.control': 'control', 'entries.read': 'content', 'content.read': 'content', 'report.read': 'content', 'ledger.read': 'read',
  'audit.read': 'read', 'ops.read': 'ops', 'ops.control': 'ops',
}; // biome-ignore format: a list

interface Asker {
  readonly name: string;
  readonly id: string | null;
  readonly token: string | null;
  readonly agency: 'A' | 'B' | null;
  readonly agencyRoles: readonly AgencyRole[];
  /** In the first case of A only. */
  readonly caseRoles: readonly CaseRole[];
  readonly scope: Scope | null;
}

interface Target {
  readonly name: string;
  readonly agency: 'A' | 'B' | null;
  /** The case in which the askers with case roles are members. */
  readonly first: boolean;
  readonly ids: Readonly<Record<string, string>>;
}

let service: TestService;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const askers: Asker[] = [];
const targets: Target[] = [];
const unknown = '01900000-0000-7000-8000-000000000099';

beforeAll(async () => {
  service = await openService({ rates: { address: 1e9, account: 1e9 } });
  const [a, b] = [await service.agency(), await service.agency()];
  const members: (readonly [Person, CaseRole])[] = [];
  for (const role of caseRoles) {
    const person = await service.person(a);
    members.push([person, role]);
    askers.push({ name: role, id: person.id, token: person.token, agency: 'A', agencyRoles: [], caseRoles: [role], scope: null });
    for (const scope of ['investigator', 'lab-lead'].includes(role) ? scopes : [])
      askers.push({
        name: `${role}, ${scope}`,
        id: person.id,
        token: await service.token(person.id, [scope]),
        agency: 'A',
        agencyRoles: [],
        caseRoles: [role],
        scope,
      });
  }
  for (const [agency, id] of [
    ['A', a],
    ['B', b],
  ] as const) {
    for (const role of [...agencyRoles, null]) {
      const person = await service.person(id, role === null ? [] : [role]);
      const held = role === null ? [] : [role];
      askers.push({
        name: `${role} of ${agency}`,
        id: person.id,
        token: person.token,
        agency,
        agencyRoles: held,
        caseRoles: [],
        scope: null,
      });
      for (const scope of agency === 'A' && role !== null ? scopes : [])
        askers.push({
          name: `${role} of ${agency}, ${scope}`,
          id: person.id,
          token: await service.token(person.id, [scope]),
          agency,
          agencyRoles: held,
          caseRoles: [],
          scope,
        });
    }
  }
  const off = await service.person(a, ['lab-lead', 'ops', 'administrator', 'auditor']);
  await service.installation.database.query('update account set disabled_at = now() where id = $1', [off.id]);
  for (const [name, token] of [
    ['nobody', null],
    ['unknown token', `cst_${'A'.repeat(43)}`],
    ['disabled', off.token],
  ] as const)
    askers.push({ name, id: null, token, agency: null, agencyRoles: [], caseRoles: [], scope: null });
  const accounts = { A: members[1]![0].id, B: (await service.person(b)).id };
  const cases = [
    ['first of A', 'A', true, await service.caseOf(a, members)],
    ['second of A', 'A', false, await service.caseOf(a)],
    ['of B', 'B', false, await service.caseOf(b)],
  ] as const;
  for (const [name, agency, first, caseId] of cases) {
    const exhibitId = await service.exhibitOf(caseId);
    for (const status of ['open', 'complete', 'cancelled'])
      targets.push({
        name: `${name}, ${status}`,
        agency,
        first,
        ids: {
          caseId,
          exhibitId,
          agencyId: agency === 'A' ? a : b,
          accountId: accounts[agency],
          ...(await examinationOf(exhibitId, status)),
        },
      });
  }
  const ids = { caseId: unknown, exhibitId: unknown, examinationId: unknown, unitId: unknown, agencyId: unknown, accountId: unknown };
  targets.push({ name: 'guessed', agency: null, first: false, ids });
}, 120_000);
afterAll(async () => {
  agent.destroy();
  await service.close();
});

/** Has no content, which is another 404 than that of a stranger. */
const folder = 'image:/fat:2';

async function examinationOf(exhibitId: string, status: string) {
  const { database } = service.installation;
  const examination = await database.query<{ id: string }>(
    `insert into examination (exhibit_id, examiner, image, received, profile, status) values ($1, 'x', '{"format":"raw","paths":["/nowhere"]}', '[]', '{}', $2) returning id`,
    [exhibitId, status],
  );
  const examinationId = examination.rows[0]!.id;
  const unit = await database.query<{ id: string }>(
    `insert into unit (examination_id, kind, priority, status) values ($1, 'survey', 1, 'done') returning id`,
    [examinationId],
  );
  await database.query(
    `insert into volume (examination_id, unit_id, locator, position, facts) values ($1, $2, 'image:', 0, '{"locator":"image:","offset":0,"length":0}')`,
    [examinationId, unit.rows[0]!.id],
  );
  const record = JSON.stringify({ locator: folder, path: '/d', type: 'directory' });
  await database.query(
    `insert into entry (examination_id, unit_id, locator, path, type, size, allocated, record) values ($1, $2, $3, '/d', 'directory', 0, true, $4)`,
    [examinationId, unit.rows[0]!.id, folder, record],
  );
  return { examinationId, unitId: unit.rows[0]!.id, locator: encodeURIComponent(folder), file: 'report.json' };
}

const inCases: readonly About[] = ['case', 'exhibit', 'examination', 'unit'];

function mayAsk(asker: Asker, action: string, about: About, target: Target): boolean {
  if (asker.scope !== null && scopeOf[action] !== asker.scope) return false;
  if (target.agency === null && !['installation', 'own'].includes(about)) return false;
  // an agency of others is not even seen, but by those who look after all of them
  if (about === 'agency' && target.agency !== asker.agency && !asker.agencyRoles.some((role) => role === 'administrator' || role === 'ops'))
    return false;
  return who[action]!.split(' ').some((name) => {
    if (name === 'all') return true;
    if (name === 'self') return asker.id === target.ids.accountId;
    if (!name.endsWith('@')) return inCases.includes(about) && target.first && asker.caseRoles.includes(name as CaseRole);
    const role = name.slice(0, -1) as AgencyRole;
    if (!asker.agencyRoles.includes(role)) return false;
    const everywhere = role === 'ops' || role === 'administrator';
    return everywhere || about === 'installation' || about === 'own' || target.agency === asker.agency;
  });
}

interface Question {
  readonly asker: Asker;
  readonly route: DeclaredRoute;
  readonly method: string;
  readonly target: Target;
}

/** Routes whose requests have bodies of another kind than JSON, or answer without end: shown by their own tests. */
const apart = /\/events$|\/uploads\/:|^\/ops\/board|^\/api\/docs/;

function* questions(actions: readonly string[]): Generator<Question> {
  for (const route of service.api.declaredRoutes) {
    if (route.policy === 'public' || apart.test(route.url) || !actions.includes(route.policy.action)) continue;
    const perTarget = [...inCases, 'agency', 'account'].includes(route.policy.about);
    for (const method of [route.method].flat().filter((name) => name !== 'HEAD'))
      for (const target of perTarget ? targets : targets.slice(0, 1)) {
        if (route.url.includes('/report/') && target.name.endsWith('complete')) continue; // it would be written
        for (const asker of askers) yield { asker, route, method, target };
      }
  }
}

function send({ asker, route, method, target }: Question): Promise<{ status: number; code: string }> {
  const path = route.url.replace(/:(\w+)|\*/g, (_, name: string) => target.ids[name] ?? unknown);
  const { port } = new URL(service.url);
  const headers = {
    ...(asker.token === null ? {} : { authorization: `Bearer ${asker.token}` }),
    ...(method === 'GET' ? {} : { 'content-type': 'application/json', 'content-length': 1 }),
  };
  return new Promise((resolve, reject) => {
    const sent = ask({ agent, port, path, method, headers, host: '127.0.0.1' }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        if (text.length < 10_000) text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode!, code: /"code":"([^"]*)"/.exec(text)?.[1] ?? '' }));
    });
    sent.on('error', reject);
    sent.end(method === 'GET' ? undefined : '{');
  });
}

/** Null: as expected. */
async function judge(question: Question): Promise<string | null> {
  const { asker, route, method, target } = question;
  const policy = route.policy as Exclude<DeclaredRoute['policy'], 'public'>;
  const { status, code } = await send(question).catch(() => send(question)); // a line that the server had closed is not told of before it is used
  const told = `${asker.name}: ${method} ${route.url} about ${target.name}: ${status}`;
  if (asker.agency === null) return status === 401 ? null : `${told}, expected 401`;
  if (!mayAsk(asker, policy.action, policy.about, target))
    return status === 404 && code === 'http.not-found' ? null : `${told}, expected 404`;
  if (method !== 'GET') return status === 400 ? null : `${told}, expected 400`;
  const isPart = /:(?!caseId|exhibitId|examinationId|unitId|agencyId|accountId|locator|file)\w+|\*/.test(route.url); // a thing inside, which is not there
  return status < 401 || status === 409 || (status === 404 && (code !== 'http.not-found' || isPart)) ? null : `${told}, expected an answer`;
}

async function unexpected(asked: Iterable<Question>): Promise<{ count: number; wrong: string[] }> {
  const wrong: string[] = [];
  let count = 0;
  const next = asked[Symbol.iterator]();
  const lane = async () => {
    for (let step = next.next(); step.done !== true; step = next.next()) {
      count++;
      const said = await judge(step.value);
      if (said !== null) wrong.push(said);
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return { count, wrong };
}

/** Of all questions every fourth asker, another one for each route and target; all of them in the long form. */
function* sampled(all: Iterable<Question>): Generator<Question> {
  let index = 0;
  for (const question of all) {
    if (isLong || (index + Math.floor(index / askers.length)) % 4 === 0) yield question;
    index++;
  }
}

it('all routes, roles, agencies, states: none answered otherwise than the roles say (20,000 requests and more in the long form)', async () => {
  expect(Object.keys(rules).sort()).toEqual(Object.keys(who).sort());
  const { count, wrong } = await unexpected(sampled(questions(Object.keys(rules))));
  console.log(`authorisation matrix: ${count} requests, ${wrong.length} unexpected`);
  expect(wrong.slice(0, 30)).toEqual([]);
  expect(count).toBeGreaterThanOrEqual(isLong ? 20_000 : 5000);
}, 240_000);

/** Where the policy is as before: nothing is added, whoever is known may already, or the second wall hides it (walls.test.ts shows that one). */
function isHarmless(mutant: Partial<Mutable>, kept: Mutable, { policy }: DeclaredRoute): boolean {
  if (JSON.stringify({ ...kept, ...mutant }) === JSON.stringify(kept)) return true;
  const about = policy === 'public' ? 'own' : policy.about;
  const more = mutant.inCase === caseRoles || mutant.inAgency === agencyRoles;
  if (kept.own === true && about === 'own') return mutant.inCase !== undefined || mutant.inAgency !== undefined;
  const hiddenToo = policy !== 'public' && policy.action === 'content.read'; // entries are seen by those who may read content only
  return more && (hiddenToo || (mutant.inCase === caseRoles ? !inCases.includes(about) : inCases.includes(about)));
}

interface Mutable {
  scope: Scope;
  inCase?: readonly CaseRole[];
  inAgency?: readonly AgencyRole[];
  own?: true;
}

/** Each check taken out of the policy, one at a time, must be noticed. */
it.each(Object.keys(rules) as Action[])(
  'a policy that lets more people do %s is noticed',
  async (action) => {
    const rule = rules[action] as Mutable;
    const kept = { ...rule };
    const asked = [...questions([action])];
    if (asked.length === 0) return; // an action that no route asks for: the pipeline does
    const mutants: Partial<Mutable>[] = [
      { inCase: caseRoles },
      { inAgency: agencyRoles },
      ...(rule.inCase ?? []).map((role) => ({ inCase: rule.inCase!.filter((other) => other !== role) })),
      ...(rule.inAgency ?? []).map((role) => ({ inAgency: rule.inAgency!.filter((other) => other !== role) })),
      ...scopes
        .filter((scope) => scope !== rule.scope)
        .slice(0, 1)
        .map((scope) => ({ scope })),
      ...(rule.own === true ? [{ own: undefined as never }] : []),
    ];
    const one = asked
      .filter(({ route, method }) => route === asked[0]!.route && method === asked[0]!.method)
      .filter(({ target }) => !/complete|cancelled|second/.test(target.name));
    for (const mutant of mutants) {
      if (isHarmless(mutant, kept, one[0]!.route)) continue;
      Object.assign(rule, mutant);
      const { wrong } = await unexpected(one);
      for (const key of Object.keys(rule)) delete (rule as unknown as Record<string, unknown>)[key];
      Object.assign(rule, kept);
      if (wrong.length === 0) expect.soft({ action, mutant }).toBe('noticed');
    }
  },
  120_000,
);
