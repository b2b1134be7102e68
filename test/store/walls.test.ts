/**
 * The second wall: what each role sees with plain SQL as the role of the API, and that nothing is writable. The table of what is to be seen was
 * written from docs/adr/0011-two-walls.md and src/access/policy.ts by hand. Every policy, grant and function of the wall is then broken in turn:
 * each time what is seen must differ from the table.
 */
import { randomUUID } from 'node:crypto';
import { type PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
let client: PoolClient;

/** Ids as they are called in the table below. */
const names = new Map<string, string>([[localAgency, 'local']]);
const people = new Map<string, string>();

const inCase = ['submitter', 'investigator', 'examiner', 'lab-lead', 'custodian', 'auditor'];

const insert = async (statement: string, values: readonly unknown[]): Promise<string> =>
  (await client.query<{ id: string }>(`${statement} returning id`, [...values])).rows[0]!.id;

async function person(name: string, agency: string, roles: readonly string[] = []): Promise<string> {
  const id = await insert('insert into account (agency_id, login, name, roles, password) values ($1, $2, $2, $3, $4)', [
    agency,
    name,
    roles,
    'x',
  ]);
  people.set(name, id);
  return id;
}

async function matter(letter: string, agency: string): Promise<{ caseId: string; examination: string }> {
  const caseId = await insert('insert into case_file (agency_id, reference) values ($1, $2)', [agency, letter]);
  const exhibit = await insert('insert into exhibit (case_id, label, examiner) values ($1, $2, $2)', [caseId, letter]);
  const examination = await insert(
    `insert into examination (exhibit_id, examiner, image, received, profile) values ($1, 'x', '{}', '[]', '{}')`,
    [exhibit],
  );
  const unit = await insert(`insert into unit (examination_id, kind, priority) values ($1, 'survey', 1)`, [examination]);
  const key = letter === 'A' ? -1 : -2;
  const statements: [string, unknown[]][] = [
    [`insert into volume values ($1, 'image:', $2, 0, '{}')`, [examination, unit]],
    [`insert into entry values ($1, $2, 'image:/a', '/a', 'file', 1, true, null, null, $3)`, [examination, unit, record]],
    [`insert into problem values ($1, $2, 'image:', 'x.y', 'm', null, false)`, [examination, unit]],
    [`insert into ledger values ($1, 0, 'e', 'd', 'k')`, [exhibit]],
    ['insert into search (key, examination_id) values ($1, $2)', [key, examination]],
    [`insert into found values ($1, 0, 'image:/a', '/a', 'a', 'a', '', 'file', 1, true, '', 0, null, null, null, '{}', null, '')`, [key]],
    [`insert into moment values ($1, 0, 0, 0, 'modified')`, [key]],
    [`insert into audit values ((select count(*) from audit), 'e', 'd', null, $1, 'a', 'o', now())`, [agency]],
    [
      `insert into segment (exhibit_id, account_id, origin, name, size, root, root_path, received) values ($1, $2, 'place', 'n', 1, 'r', 'p', '{}')`,
      [exhibit, people.get('first')],
    ],
    [
      `insert into upload (exhibit_id, agency_id, account_id, credential, origin, name, size) values ($1, $2, $3, 'token', 'upload', 'n', 1)`,
      [exhibit, agency, people.get('first')],
    ],
  ];
  for (const [statement, values] of statements) await client.query(statement, values);
  for (const id of [caseId, exhibit, examination]) names.set(id, letter);
  return { caseId, examination };
}

/** An entry with one fact, as the program writes them. */
const record = JSON.stringify({ facts: { camera: 'x' }, extracted: [{ facts: { camera: 'x' } }] });
const examinations: string[] = [];

beforeAll(async () => {
  database = await testDatabase();
  client = await database.pool.connect();
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
  for (const [id, name] of [
    [a, 'A'],
    [b, 'B'],
    [c, 'C'],
  ] as const) {
    await client.query('insert into agency (id, name) values ($1, $2)', [id, name]);
    names.set(id, name);
  }
  await person('first', localAgency);
  const [one, two] = [await matter('A', a), await matter('B', b)];
  examinations.push(one.examination, two.examination);
  const member = (caseId: string, account: string, role: string) =>
    client.query('insert into case_member (case_id, account_id, role) values ($1, $2, $3)', [caseId, account, role]);
  for (const role of inCase) await member(one.caseId, await person(role, a), role);
  await member(two.caseId, await person('foreigner', b), 'investigator');
  await member(one.caseId, await person('left', a), 'lab-lead');
  await person('nobody', a);
  await person('auditor of A', a, ['auditor']);
  await person('lab lead of A', a, ['lab-lead']);
  await person('ops', c, ['ops']);
  await person('administrator', c, ['administrator']);
  await member(two.caseId, await person('ops and administrator, left', b, ['ops', 'administrator', 'auditor']), 'examiner');
  await client.query(`update account set disabled_at = now() where login like '%left'`);
  for (const name of ['investigator', 'foreigner']) {
    const id = people.get(name)!;
    await client.query(`insert into session (account_id, secret_sha256, expires_at) values ($1, $2, now())`, [id, Buffer.from(name)]);
    await client.query(`insert into api_token (account_id, name, secret_sha256, scopes, expires_at) values ($1, 'n', $2, '{}', now())`, [
      id,
      Buffer.from(name),
    ]);
  }
  await client.query(`insert into fleet (host, workers) values ('h', 1)`);
  await client.query(`insert into worker (id, host, pid, started, version, threads, concurrency) values (uuidv7(), 'h', 1, '', '1', 1, 1)`);
}, 60_000);
afterAll(async () => {
  client.release();
  await database.close();
});

/** What of each relation tells whose the row is; of the fleet there is only one row. */
const seenBy: Record<string, string> = {
  agency: 'id',
  account: 'agency_id',
  session: 'account_id',
  api_token: 'account_id',
  case_file: 'id',
  case_member: 'case_id',
  exhibit: 'id',
  examination: 'id',
  unit: 'examination_id',
  volume: 'examination_id',
  problem: 'examination_id',
  ledger: 'exhibit_id',
  upload: 'exhibit_id',
  segment: 'exhibit_id',
  audit: 'agency_id',
  seen_entry: 'examination_id',
  seen_search: 'examination_id',
  seen_fact: 'examination_id',
  seen_found: `case key when -1 then 'A' when -2 then 'B' end`,
  seen_moment: `case key when -1 then 'A' when -2 then 'B' end`,
  worker: `'one'`,
  queue_control: `'one'`,
  fleet: `'one'`,
};

const content = ['seen_entry', 'seen_search', 'seen_fact', 'seen_found', 'seen_moment', 'volume', 'problem'];
const custody = ['case_file', 'case_member', 'exhibit', 'upload', 'segment'];
const work = ['examination', 'unit'];
const each = (relations: readonly string[], rows: string) => Object.fromEntries(relations.map((relation) => [relation, rows]));

/** By hand. What is not named is not seen. */
const toBeSeen: Record<string, Record<string, string>> = {
  submitter: { agency: 'A', account: 'A', ...each([...custody, ...work], 'A') },
  investigator: { agency: 'A', account: 'A', session: 'own', api_token: 'own', ...each([...custody, ...work, ...content, 'ledger'], 'A') },
  examiner: { agency: 'A', account: 'A', ...each([...custody, ...work, ...content, 'ledger'], 'A') },
  'lab-lead': { agency: 'A', account: 'A', ...each([...custody, ...work, ...content, 'ledger'], 'A') },
  custodian: { agency: 'A', account: 'A', ...each([...custody, ...work, 'ledger'], 'A') },
  auditor: { agency: 'A', account: 'A', ...each([...custody, ...work, 'ledger'], 'A') },
  foreigner: { agency: 'B', account: 'B', session: 'own', api_token: 'own', ...each([...custody, ...work, ...content, 'ledger'], 'B') },
  left: {},
  'ops and administrator, left': {},
  nobody: { agency: 'A', account: 'A' },
  'auditor of A': { agency: 'A', account: 'A', audit: 'A', ...each([...custody, ...work, 'ledger'], 'A') },
  'lab lead of A': { agency: 'A', account: 'A' },
  ops: { agency: 'A B C local', account: 'C', ...each(work, 'A B'), ...each(['worker', 'queue_control', 'fleet'], 'one') },
  administrator: {
    agency: 'A B C local',
    account: 'A B C local',
    session: 'foreigner investigator',
    api_token: 'foreigner investigator',
    audit: 'A B',
  },
};

/** Inside a transaction of the caller: what `who` sees of every relation. */
async function seen(who: string): Promise<Record<string, string>> {
  const id = people.get(who)!;
  const rows = new Map<string, Set<string>>();
  await client.query(`set local role custodia_api; set local custodia.account = '${id}'`);
  for (const examination of examinations) {
    await client.query(`set local custodia.examination = '${examination}'`);
    const parts = Object.entries(seenBy).map(
      ([relation, column]) => `select distinct '${relation}' as relation, (${column})::text as row from ${relation}`,
    );
    const found = await client.query<{ relation: string; row: string }>(parts.join(' union all '));
    for (const { relation, row } of found.rows) {
      const name = names.get(row) ?? (row === id ? 'own' : ([...people].find(([, each]) => each === row)?.[0] ?? row));
      rows.set(relation, (rows.get(relation) ?? new Set()).add(name));
    }
  }
  await client.query('reset role');
  return Object.fromEntries([...rows].map(([relation, found]) => [relation, [...found].sort().join(' ')]));
}

/** Runs in a transaction that is undone. */
async function undone<T>(work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    return await work();
  } finally {
    await client.query('rollback');
  }
}

describe('as the role of the API', () => {
  it.each(Object.keys(toBeSeen))('%s sees what is to be seen, and nothing else', async (who) => {
    expect(await undone(() => seen(who))).toEqual(toBeSeen[who]);
  });

  it('reads the relations of this test only, and writes none', async () => {
    const { rows } = await client.query<{ name: string; readable: boolean; writable: boolean; kind: string; walled: boolean }>(
      `select relname as name, relkind as kind, relrowsecurity and relforcerowsecurity as walled,
         has_table_privilege('custodia_api', pg_class.oid, 'select') or has_any_column_privilege('custodia_api', pg_class.oid, 'select') as readable,
         has_table_privilege('custodia_api', pg_class.oid, 'insert, update, delete, truncate, references, trigger')
           or has_any_column_privilege('custodia_api', pg_class.oid, 'insert, update, references') as writable
       from pg_class join pg_namespace on pg_namespace.oid = relnamespace where nspname = 'public' and relkind in ('r', 'p', 'v', 'm', 'f')`,
    );
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter(({ writable }) => writable)).toEqual([]);
    const readable = rows.filter((row) => row.readable);
    expect(readable.map(({ name }) => name).sort()).toEqual(Object.keys(seenBy).sort());
    expect(readable.filter(({ kind, walled }) => kind === 'r' && !walled)).toEqual([]);
  });

  it('reads no password, no digest of a secret, no name at an identity provider', async () => {
    const { rows } = await client.query(
      `select attrelid::regclass || '.' || attname as name from pg_attribute
       where attname ~ 'password|secret|sha256|oidc' and attrelid in ('account'::regclass, 'session'::regclass, 'api_token'::regclass)
         and has_column_privilege('custodia_api', attrelid, attname, 'select')`,
    );
    expect(rows).toEqual([]);
  });

  it('has no right that it could take: it cannot sign in, owns nothing, bypasses nothing', async () => {
    const { rows } = await client.query(
      `select rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = 'custodia_api'`,
    );
    expect(rows[0]).toEqual({ rolcanlogin: false, rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false });
    const { rows: owned } = await client.query(`select relname from pg_class where pg_get_userbyid(relowner) = 'custodia_api'`);
    expect(owned).toEqual([]);
  });
});

/** True where somebody sees something else than before, or an error. */
async function isNoticed(mutation: string): Promise<boolean> {
  return undone(async () => {
    await client.query(mutation);
    for (const who of Object.keys(toBeSeen)) {
      const now = await seen(who).catch(() => null);
      if (now === null || JSON.stringify(Object.entries(now).sort()) !== JSON.stringify(Object.entries(toBeSeen[who]!).sort())) return true;
    }
    return false;
  });
}

/** Each clause of a condition taken out of it, and each role out of its lists. */
function weakened(definition: string): string[] {
  const without = [...definition.matchAll(/(?<=\[|, )'(?:submitter|investigator|examiner|lab-lead|custodian|auditor)'::text(?:, )?/g)].map(
    (match) => {
      const text = definition.slice(0, match.index) + definition.slice(match.index + match[0].length);
      return text.replace(/, \]/, ']');
    },
  );
  const clauses = definition.replace(/^\(([\s\S]*)\)$/, '$1').split(' OR ');
  return [
    ...without,
    ...(definition.includes(' AND ') ? [definition.replace(' AND ', ' OR ')] : []),
    ...(clauses.length > 1 ? clauses.map((_, at) => clauses.filter((__, index) => index !== at).join(' OR ')) : []),
  ];
}

describe('a wall that is broken', () => {
  it('is noticed, policy by policy: opened, shut, or with a clause or a role less', async () => {
    const { rows } = await client.query<{ table: string; condition: string }>(
      `select polrelid::regclass::text as table, pg_get_expr(polqual, polrelid) as condition from pg_policy where polname = 'api_reads'`,
    );
    expect(rows.length).toBeGreaterThan(15);
    expect(await isNoticed('select 1')).toBe(false); // the table fits while nothing is broken
    const mutations = rows.flatMap(({ table, condition }) => [
      `alter table ${table} disable row level security`,
      `revoke all on ${table} from custodia_api; ${revokeColumns(table)}`,
      ...['true', 'false', ...weakened(condition)].map((changed) => `alter policy api_reads on ${table} using (${changed})`),
    ]);
    const unnoticed: string[] = [];
    for (const mutation of mutations) if (!(await isNoticed(mutation))) unnoticed.push(mutation);
    expect(mutations.length).toBeGreaterThan(100);
    expect(unnoticed).toEqual([]);
  }, 60_000);

  it('is noticed, function by function and view by view', async () => {
    const { rows } = await client.query<{ definition: string }>(
      `select pg_get_functiondef(oid) as definition from pg_proc where proname in ('custodia_is', 'custodia_agency', 'custodia_cases')
       union all select format('create or replace view %I as %s', relname, pg_get_viewdef(oid)) from pg_class where relname ~ '^seen_'`,
    );
    const changes: [RegExp, string][] = [
      [/disabled_at is null/g, 'true'],
      [/account_id = custodia_account\(\)/g, 'true'],
      [/ id = custodia_account\(\)/g, ' true'],
      [/role = any \(asked\)/g, 'true'],
      [/asked = any \(roles\)/g, 'true'],
      [/'auditor' = any \(asked\)/g, 'true'],
      [/custodia_is\('auditor'\)/g, 'true'],
      [/agency_id = custodia_agency\(\)/g, 'true'],
      [/'(?:investigator|examiner|lab-lead)'::text/g, `'nobody'::text`],
      [/WHERE[\s\S]*/g, ''],
    ];
    const mutations = rows.flatMap(({ definition }) =>
      changes.flatMap(([pattern, to]) =>
        [...definition.matchAll(pattern)].map(
          ({ 0: found, index }) => definition.slice(0, index) + to + definition.slice(index + found.length),
        ),
      ),
    );
    const unnoticed: string[] = [];
    for (const mutation of mutations) if (!(await isNoticed(mutation))) unnoticed.push(mutation);
    expect(mutations.length).toBeGreaterThan(20);
    expect(unnoticed).toEqual([]);
  }, 60_000);
});

/** Rights to single columns outlive a revoke of the table's. */
const revokeColumns = (table: string) =>
  `do $$ declare c name; begin
     for c in select attname from pg_attribute where attrelid = '${table}'::regclass and attnum > 0 and not attisdropped loop
       execute format('revoke all (%I) on ${table} from custodia_api', c);
     end loop;
   end $$`;
