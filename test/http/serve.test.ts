/** `custodia serve` as its users meet it: started for real, asked over HTTP, stopped by a signal. */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Desk, jsonLines, openDesk, processesIn, type Running } from '../cli/custodia.ts';
import { fixturePath } from '../support/fixture.ts';

let desk: Desk;
let server: Running;
let address: string;
let token: string;

beforeAll(async () => {
  desk = openDesk();
  mkdirSync(desk.path('evidence'));
  copyFileSync(fixturePath('disk-mbr-e01'), desk.path('evidence/disk.E01'));
  server = desk.start(['serve', '--port', '0', '--json']);
  const serving = jsonLines(await server.until('\n'))[0];
  address = serving.address;
  token = readFileSync(serving.token, 'utf8').trim();
  expect(serving.token).toBe(join(desk.data, 'keys', 'api.token'));
}, 120_000);
afterAll(() => desk.close());

interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly raw?: string;
  readonly bearer?: string | null;
}

async function ask(path: string, { method, body, raw, bearer = token }: Asked = {}) {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${address}${path}`, {
    method: method ?? (sent === undefined ? 'GET' : 'POST'),
    headers: {
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: answers of many forms
  const json = (): any => JSON.parse(text);
  return { status: response.status, headers: response.headers, text, json };
}

const order = (more: Record<string, unknown> = {}) => ({
  image: desk.path('evidence/disk.E01'),
  case: 'Case 7',
  exhibit: 'E-1',
  examiner: 'Exam Iner',
  ...more,
});

async function concluded(id: string) {
  for (;;) {
    const { status, json } = await ask(`/examinations/${id}`);
    expect(status).toBe(200);
    if (!['open', 'concluding'].includes(json().status)) return json();
    await sleep(100);
  }
}

describe('who may ask', () => {
  it('anybody, for its health only', async () => {
    const { status, json } = await ask('/healthz', { bearer: null });
    expect([status, json()]).toEqual([200, { ok: true, checks: { database: true, queue: true } }]);
  });

  it('nobody else without the token, and it is a secret of the owner', async () => {
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(desk.data, 'keys', 'api.token')).mode & 0o777).toBe(0o600);
    for (const bearer of [null, '', 'x', token.slice(1), `${token}0`, token.toUpperCase()]) {
      for (const path of ['/examinations', '/examinations/1', '/nothing', '/HEALTHZ', '/healthz/']) {
        const { status, text } = await ask(path, { bearer });
        expect([status, text], `${path} ${bearer}`).toEqual([401, '{"code":"http.token","message":"a bearer token is needed"}']);
      }
      expect((await ask('/examinations', { bearer, body: order() })).status).toBe(401);
    }
  });
});

describe('what is asked', () => {
  it.each<readonly [string, Asked, number, RegExp]>([
    ['no JSON', { raw: '{' }, 400, /http\.request/],
    ['nothing', { raw: '' }, 400, /http\.request/],
    ['a list', { body: [] }, 400, /http\.request/],
    ['a member too few', { body: { image: 'x', case: 'c', exhibit: 'e' } }, 400, /examiner/],
    ['a member too many', { body: { image: 'x', case: 'c', exhibit: 'e', examiner: 'x', admin: true } }, 400, /additional/],
    ['a number for a name', { body: { image: 'x', case: 7, exhibit: 'e', examiner: 'x' } }, 400, /string/],
    ['an empty name', { body: { image: 'x', case: '', exhibit: 'e', examiner: 'x' } }, 400, /http\.request/],
    ['a long name', { body: { image: 'x', case: 'a'.repeat(501), exhibit: 'e', examiner: 'x' } }, 400, /http\.request/],
    ['a name of 1 MB', { body: { image: 'x', case: 'a'.repeat(1_000_000), exhibit: 'e', examiner: 'x' } }, 413, /http\.request/],
    ['a name with NUL', { body: { image: 'x', case: 'a\0', exhibit: 'e', examiner: 'x' } }, 422, /name\.case/],
    ['half a surrogate', { raw: '{"image":"x","case":"c","exhibit":"\\ud800","examiner":"x"}' }, 422, /name\.exhibit/],
    ['a name that turns', { body: { image: 'x', case: 'c', exhibit: 'e', examiner: 'a\u202eb' } }, 422, /name\.examiner/],
    ['an image that is not there', { body: { image: '/nowhere.E01', case: 'c', exhibit: 'e', examiner: 'x' } }, 422, /image\.not-found/],
    ['a folder', { body: { image: '/tmp', case: 'c', exhibit: 'e', examiner: 'x' } }, 422, /image\.folder/],
    ['a device', { body: { image: '/dev/null', case: 'c', exhibit: 'e', examiner: 'x' } }, 422, /image\.kind/],
    ['a path with NUL', { body: { image: '/tmp/\0', case: 'c', exhibit: 'e', examiner: 'x' } }, 422, /image\.not-found/],
    ['a path with half a surrogate', { raw: '{"image":"/tmp/\\udfff","case":"c","exhibit":"e","examiner":"x"}' }, 422, /image\.not-found/],
    ['__proto__', { raw: '{"__proto__":{"image":"/tmp"},"image":"x","case":"c","exhibit":"e","examiner":"x"}' }, 400, /http\.request/],
  ])('is refused in words when it is %s', async (_what, asked, expected, words) => {
    const { status, text } = await ask('/examinations', { method: 'POST', ...asked });
    expect([status, text]).toEqual([expected, expect.stringMatching(words)]);
    expect(text).not.toMatch(/\n\s+at |node_modules/);
  });

  it('is not there: unknown ids, other paths, ways out of the folder', async () => {
    const unknown = '01a20dca-0000-7000-8000-7c6da4a1f423';
    for (const path of [
      `/examinations/${unknown}`,
      `/examinations/${unknown}/report/report.html`,
      `/examinations/${unknown}/report/..%2f..%2f..%2fkeys%2fsigning-key.pem`,
      `/examinations/..%2f..%2fkeys/report/report.html`,
      '/../../keys/api.token',
      '/examinations/%00/report/report.json',
      '/nothing',
    ]) {
      const { status, text } = await ask(path);
      expect([400, 404], path).toContain(status);
      expect(text).not.toContain('PRIVATE');
    }
  });
});

describe('the main job', () => {
  it('is taken, goes on when it is asked for twice, is listed, reported, and worked on by a second worker', async () => {
    const worker = desk.start(['work', '--json', '--threads', '1']);
    await worker.until('"working"');
    const [first, twin] = await Promise.all([ask('/examinations', { body: order() }), ask('/examinations', { body: order() })]);
    const { id } = first.json();
    expect([first.status, twin.status, twin.json().id]).toEqual([202, 202, id]);
    expect([first.json().resumed, twin.json().resumed].sort()).toEqual([false, true]);
    const early = await ask(`/examinations/${id}/report/report.json`);
    expect(early.status).toBe(404);

    const others = await Promise.all(['E-2', 'E-3'].map((exhibit) => ask('/examinations', { body: order({ exhibit }) })));
    const done = await concluded(id);
    expect(done).toMatchObject({ status: 'complete', case: 'Case 7', exhibit: 'E-1', conclusion: { integrity: 'intact' } });
    const roots = await Promise.all(others.map(async (other) => (await concluded(other.json().id)).conclusion.catalogue.root));
    expect(new Set([...roots, done.conclusion.catalogue.root]).size).toBe(1);

    const listed = (await ask('/examinations')).json();
    expect(listed.map(({ exhibit }: { exhibit: string }) => exhibit).sort()).toEqual(['E-1', 'E-2', 'E-3']);

    await reportIsWhole(id);
    worker.process.kill('SIGTERM');
    expect((await worker.ended).status).toBe(0);
  });

  async function reportIsWhole(id: string): Promise<void> {
    const types: Readonly<Record<string, string>> = {
      ...{ 'report.json': 'application/json', 'report.html': 'text/html', 'entries.csv': 'text/csv', 'entries.jsonl': 'application/jsonl' },
      ...{ 'problems.jsonl': 'application/jsonl', 'ledger.jsonl': 'application/jsonl', 'leaves.json': 'application/json' },
      ...{ 'signer.pub': 'application/x-pem-file', 'manifest.dsse.json': 'application/json' },
    };
    mkdirSync(desk.path('fetched'));
    const answers = await Promise.all(Object.keys(types).map((name) => ask(`/examinations/${id}/report/${name}`))); // all at once: written once
    for (const [index, name] of Object.keys(types).entries()) {
      const { status, headers, text } = answers[index]!;
      expect(status, name).toBe(200);
      expect(headers.get('content-type'), name).toContain(types[name]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'; sandbox");
      writeFileSync(desk.path(join('fetched', name)), text);
    }
    const verified = await desk.run('verify', 'fetched', '--evidence', 'evidence/disk.E01');
    expect(verified.status, verified.stdout).toBe(0);
    for (const name of ['toString', '__proto__', 'constructor', 'report.json.bak', '..%2fentries.jsonl', '%2e%2e', 'REPORT.JSON']) {
      expect((await ask(`/examinations/${id}/report/${name}`)).status, name).toBe(404);
    }
    expect((await ask(`/examinations/${id}/report/report.json`, { method: 'DELETE' })).status).toBe(404);
  }
});

describe('starting and stopping', () => {
  it.each([
    ['a port that is none', ['--port', '70000'], /number from 0 to 65535/],
    [
      'an address of another machine',
      ['--host', '192.0.2.1', '--port', '0'],
      /192\.0\.2\.1, port 0: cannot be listened on \(EADDRNOTAVAIL\) \[serve\.address\]/,
    ],
    ['threads that are none', ['--threads', 'many'], /whole number from 1 to 256/],
  ])('is refused with %s, without a stack', async (_what, args, words) => {
    const { status, stderr, stdout } = await desk.run('serve', ...args);
    expect([status, stdout, stderr]).toEqual([3, '', expect.stringMatching(words)]);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('is refused on a port that is taken', async () => {
    const { status, stderr } = await desk.run('serve', '--port', new URL(address).port);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/cannot be listened on \(EADDRINUSE\) \[serve\.address\]/)]);
    expect((await ask('/healthz', { bearer: null })).status).toBe(200);
  });

  it('ends cleanly at SIGTERM, and its database with it', async () => {
    expect(processesIn(desk.folder).length).toBeGreaterThan(0);
    server.process.kill('SIGTERM');
    const { status, stderr } = await server.ended;
    expect([status, stderr]).toEqual([0, '']);
    expect(processesIn(desk.folder)).toEqual([]);
  });
});
