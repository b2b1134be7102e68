/** The service in the test's own process, on a database of its own: agencies, accounts and cases to order, asked over real HTTP. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgencyRole, scopes as allScopes, type CaseRole, type Scope } from '../../src/access/policy.ts';
import { readConfig } from '../../src/config.ts';
import { allRoutes } from '../../src/http/all-routes.ts';
import { type Rates } from '../../src/http/rate-limits.ts';
import { type Api, type Routes } from '../../src/http/route.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';
import { type WorkerProcess } from '../../src/pipeline/worker-process.ts';
import { testDatabase } from './database.ts';

export interface Asked {
  readonly token?: string | null;
  readonly method?: string;
  readonly body?: unknown;
  readonly raw?: string | Uint8Array;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers of many forms
  readonly json: any;
}

export interface Person {
  readonly id: string;
  readonly agencyId: string;
  /** Good for everything that the account may do. */
  readonly token: string;
}

export interface TestService {
  readonly url: string;
  readonly api: Api;
  readonly installation: Installation;
  agency(name?: string): Promise<string>;
  person(agencyId: string, roles?: readonly AgencyRole[]): Promise<Person>;
  token(accountId: string, scopes?: readonly Scope[], expires?: Date): Promise<string>;
  caseOf(agencyId: string, members?: readonly (readonly [Person, CaseRole])[]): Promise<string>;
  exhibitOf(caseId: string, label?: string): Promise<string>;
  ask(path: string, asked?: Asked): Promise<Answer>;
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly rootRoutes?: readonly Routes[];
  /** Requests in a minute; as usual where none are given. */
  readonly rates?: Rates;
  readonly trustedProxies?: readonly string[];
  /** With a worker that takes units. */
  readonly works?: boolean;
}

export async function openService({
  environment = {},
  rootRoutes = [],
  works = false,
  rates,
  trustedProxies = [],
}: ServiceOptions = {}): Promise<TestService> {
  const database = await testDatabase();
  const dataFolder = mkdtempSync(join(tmpdir(), 'custodia-service-'));
  const given = { CUSTODIA_DATA: dataFolder, DATABASE_URL: database.url, CUSTODIA_LOG: 'fatal', ...environment };
  const installation = await openInstallation(readConfig({ threads: 2, isService: true }, given, 2));
  const worker: WorkerProcess | null = works ? await installation.startWorker(() => undefined) : null;
  const api = await createServer({
    service: createService(installation),
    version: installation.version,
    routes: allRoutes,
    rootRoutes,
    trustedProxies,
    ...(rates === undefined ? {} : { rates }),
  });
  const url = await api.listen({ port: 0, host: '127.0.0.1' });
  const insert = async (statement: string, values: readonly unknown[]) =>
    (await database.pool.query<{ id: string }>(`${statement} returning id`, [...values])).rows[0]!.id;

  const token: TestService['token'] = async (accountId, scopes = allScopes, expires = new Date(Date.now() + 3_600_000)) => {
    const text = `cst_${randomBytes(32).toString('base64url')}`;
    const digest = createHash('sha256').update(text).digest();
    await insert('insert into api_token (account_id, name, secret_sha256, scopes, expires_at) values ($1, $2, $3, $4, $5)', [
      accountId,
      'test',
      digest,
      scopes,
      expires,
    ]);
    return text;
  };
  return {
    url,
    api,
    installation,
    token,
    agency: (name = `agency ${randomUUID()}`) => insert('insert into agency (name) values ($1)', [name]),
    async person(agencyId, roles = []) {
      const login = `login-${randomUUID()}`;
      const id = await insert('insert into account (agency_id, login, name, roles) values ($1, $2, $3, $4)', [
        agencyId,
        login,
        login,
        roles,
      ]);
      return { id, agencyId, token: await token(id) };
    },
    async caseOf(agencyId, members = []) {
      const id = await insert('insert into case_file (agency_id, reference) values ($1, $2)', [agencyId, `case ${randomUUID()}`]);
      for (const [person, role] of members)
        await database.pool.query('insert into case_member (case_id, account_id, role) values ($1, $2, $3)', [id, person.id, role]);
      return id;
    },
    exhibitOf: (caseId, label = `E-${randomUUID()}`) =>
      insert('insert into exhibit (case_id, label, examiner) values ($1, $2, $3)', [caseId, label, 'Exam Iner']),
    ask: (path, asked) => ask(url, path, asked),
    async close() {
      await api.close();
      await worker?.stop({ abort: true });
      await installation.close();
      await database.close();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

async function ask(url: string, path: string, { token = null, method, body, raw, headers = {}, signal }: Asked = {}): Promise<Answer> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${url}${path}`, {
    method: method ?? (sent === undefined ? 'GET' : 'POST'),
    redirect: 'manual',
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent as string | Uint8Array<ArrayBuffer> }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' && !text.includes('\n{') ? JSON.parse(text) : null,
  };
}
