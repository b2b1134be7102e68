/** Hostile requests, byte by byte: each is answered with a problem document or cut off, none with 500, and the server goes on. Witnesses: RFC 9112 (framing), CWE-444, CWE-1321. */
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let administrator: Person;
let agency: string;

beforeAll(async () => {
  service = await openService();
  agency = await service.agency();
  administrator = await service.person(agency, ['administrator']);
}, 60_000);
afterAll(() => service.close());
afterEach(async () => expect((await service.ask('/api/v1/self', { token: administrator.token })).status).toBe(200));

const authorization = () => `Authorization: Bearer ${administrator.token}\r\n`;

/** All that comes back for these bytes until the other side closes, or has been silent for a while. */
const raw = (bytes: string | Buffer): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    let text = '';
    const end = () => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(700, end);
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', end);
    socket.on('close', end);
    socket.write(bytes);
  });

const statusesOf = (text: string): number[] => [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));

describe('bodies', () => {
  const attempt = (body: string | Buffer, type = 'application/json') =>
    service.ask('/api/v1/accounts', { token: administrator.token, raw: body, headers: { 'content-type': type } });
  const account = (more: string) => `{"agencyId":"${agency}","login":"hostile","name":"H"${more}}`;

  it.each<readonly [string, () => string | Buffer, number]>([
    ['100,000 arrays in each other', () => `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400],
    ['objects in each other, in a field', () => account(`,"roles":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`), 400],
    ['larger than the limit', () => JSON.stringify({ name: 'x'.repeat(300_000) }), 413],
    ['a NUL in a text', () => account('').replace('"H"', '"a\\u0000b"'), 422],
    ['a NUL between', () => `${account('')}\0`, 400],
    ['half of a pair', () => account('').replace('"H"', '"\\ud800"'), 422],
    ['no UTF-8', () => Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 400],
    ['__proto__', () => account(',"__proto__":{"roles":["administrator"]}'), 400],
    ['__proto__, escaped', () => account(',"\\u005f_proto__":{"x":1}'), 400],
    ['constructor.prototype', () => account(',"constructor":{"prototype":{"x":1}}'), 400],
    ['a member that is not known', () => account(',"admin":true'), 400],
    ['a number for a text', () => account('').replace('"H"', '1e999'), 400],
    ['nothing', () => '', 400],
    ['an array', () => '[]', 400],
  ])('%s', async (_what, body, status) => {
    const answer = await attempt(body());
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(Object.hasOwn(Object.prototype, 'x') || Object.hasOwn(Object.prototype, 'roles')).toBe(false);
  });

  it('of a doubled member the last counts, and is checked', async () => {
    expect((await attempt(account(',"name":5'))).status).toBe(400);
  });

  it('of another type than JSON are refused', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'])
      expect((await attempt('a=1', type)).status, type).toBe(415);
  });
});

describe('requests', () => {
  const get = (path: string, headers: Record<string, string> = {}) => service.ask(path, { token: administrator.token, headers });

  it.each([
    '/api/v1/accounts?limit=1&limit=2',
    '/api/v1/accounts?limit[]=1',
    '/api/v1/accounts?limit=0',
    '/api/v1/accounts?__proto__[x]=1',
    '/api/v1/accounts?cursor=%00',
    '/api/v1/accounts?cursor=..%2f..%2f',
  ])('%s is refused', async (path) => {
    expect((await get(path)).status).toBe(400);
  });

  it.each([
    '/api/v1/%2e%2e/%2e%2e/etc/passwd',
    '//api/v1/self',
    '/api/v1//self',
    '/api/v1/accounts%2fself',
    '/api%2fv1%2fself',
    '/api/v1/self/',
    '/api/v1/self;a=b',
    '/API/v1/self',
    '/api/docs/static/%2e%2e%2f%2e%2e%2fpackage.json',
    '/api/docs/static/..%5c..%5cpackage.json',
    '/api/v1/accounts/%zz',
  ])('%s leads nowhere', async (path) => {
    const [head = '', body = ''] = (await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\n${authorization()}Connection: close\r\n\r\n`)).split(
      '\r\n\r\n',
    );
    expect(statusesOf(head)[0], head).toBeGreaterThanOrEqual(400);
    expect(statusesOf(head)[0]).toBeLessThan(500);
    expect(body).not.toContain('"dependencies"');
    expect(JSON.parse(body)).toMatchObject({ code: expect.stringMatching(/^http\./) });
  });

  it('an address that is too long leads nowhere', async () => {
    const { status, json } = await get(`/api/v1/accounts/${'a'.repeat(5000)}`);
    expect([status, json.code]).toEqual([400, 'http.request']);
  });

  it('a method is what the request line says', async () => {
    const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE', 'x-http-method': 'DELETE' };
    const { id } = (await get('/api/v1/self', headers)).json;
    expect(id).toBe(administrator.id);
    expect((await service.ask('/api/v1/self?_method=DELETE', { token: administrator.token, body: {}, headers })).status).toBe(404);
  });

  it('a Host that lies comes back in no answer', async () => {
    for (const host of ['evil.example', 'evil.example:80@x', '127.0.0.1, evil.example']) {
      const text = await raw(
        `GET /api/v1/nowhere HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Host: evil.example\r\n${authorization()}Connection: close\r\n\r\n`,
      );
      expect(statusesOf(text)[0]).toBeLessThan(500);
      expect(text).not.toContain('evil');
    }
  });
});

describe('framing (RFC 9112 sections 3.2, 5.1, 6.1, 6.3, 7.1)', () => {
  const smuggled = 'GET /api/v1/agencies HTTP/1.1\r\nHost: x\r\n\r\n';
  const post = (headers: string, body: string) =>
    `POST /api/v1/accounts HTTP/1.1\r\nHost: x\r\n${authorization()}Content-Type: application/json\r\n${headers}\r\n${body}`;

  it.each<readonly [string, () => string]>([
    ['both lengths', () => post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['two lengths', () => post('Content-Length: 2\r\nContent-Length: 50\r\n', `{}${smuggled}`)],
    ['a length with a sign', () => post('Content-Length: +2\r\n', `{}${smuggled}`)],
    ['a length that is none', () => post('Content-Length: 2, 2\r\n', `{}${smuggled}`)],
    ['chunked, and not last', () => post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${smuggled}`)],
    ['chunked, misspelt', () => post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['space before the colon', () => post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['a folded header', () => post('X-A: b\r\n c\r\nContent-Length: 2\r\n', `{}${smuggled}`)],
    ['a chunk size with more behind it', () => post('Transfer-Encoding: chunked\r\n', `2 x\r\n{}\r\n0\r\n\r\n${smuggled}`)],
    ['a bare LF in the head', () => `GET /api/v1/self HTTP/1.1\nHost: x\n\n${smuggled}`],
    ['a NUL in a header', () => `GET /api/v1/self HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n${smuggled}`],
    ['no Host', () => `GET /api/v1/self HTTP/1.1\r\n\r\n${smuggled}`],
    [
      '40,000 bytes of headers',
      () => `GET /api/v1/self HTTP/1.1\r\nHost: x\r\n${`X-A: ${'a'.repeat(100)}\r\n`.repeat(400)}\r\n${smuggled}`,
    ],
    ['a method nobody knows', () => `HACK /api/v1/self HTTP/1.1\r\nHost: x\r\n\r\n${smuggled}`],
    ['TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/2 without asking', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s ends the connection, and nothing behind it is heard', async (_what, bytes) => {
    const text = await raw(bytes());
    const statuses = statusesOf(text);
    expect(statuses.length).toBeLessThanOrEqual(1);
    for (const status of statuses) expect([400, 431]).toContain(status);
    // without a Host Node itself answers, with an empty body
    if (text.includes('application/problem+json'))
      expect(JSON.parse(text.split('\r\n\r\n')[1]!)).toMatchObject({ code: expect.stringMatching(/^http\./) });
  });

  it('a hundred requests that never end hold up nobody', async () => {
    const port = Number(new URL(service.url).port);
    const slow = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    for (const socket of slow)
      socket.write('POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{');
    const begun = performance.now();
    expect((await service.ask('/api/v1/self', { token: administrator.token })).status).toBe(200);
    expect(performance.now() - begun).toBeLessThan(2000);
    for (const socket of slow) socket.destroy();
  });
});
