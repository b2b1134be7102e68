/** How the client asks: against a server of the test's own that answers as it is told, and is cut off as it is told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/client/api-error.ts';
import { openConnection, path, serverAddress } from '../../src/client/connection.ts';
import { followEvents } from '../../src/client/event-stream.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** Gives the answers in order, the last one again and again. */
async function serving(...answers: readonly Answer[]) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answers[Math.min(asked.length, answers.length) - 1]!(response, request);
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const json =
  (value: unknown, status = 200, headers = {}): Answer =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
const cutOff: Answer = (response) => response.destroy();
const token = `cst_${'a'.repeat(43)}`;

describe('a request', () => {
  it('is sent again with the same key when the connection is lost', async () => {
    const { url, asked } = await serving(cutOff, cutOff, json({ id: 'x' }));
    expect(await openConnection(url, token).ask('POST', '/cases', { body: { reference: 'C' } })).toEqual({ id: 'x' });
    const keys = asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([keys[0], keys[0], keys[0]]);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has another key than the one before', async () => {
    const { url, asked } = await serving(json({}));
    const connection = openConnection(url, token);
    await connection.ask('POST', '/cases', { body: {} });
    await connection.ask('POST', '/cases', { body: {} });
    expect(asked[0]!.headers['idempotency-key']).not.toBe(asked[1]!.headers['idempotency-key']);
  });

  it('waits as long as it is told to, and while its first try is under way', async () => {
    const busy = json({ code: 'http.rate', detail: 'slower' }, 429, { 'retry-after': '1' });
    const underWay = json({ code: 'http.in-progress', detail: 'under way' }, 409);
    const { url } = await serving(busy, underWay, json({ ok: true }));
    const begun = performance.now();
    expect(await openConnection(url, token).ask('POST', '/x')).toEqual({ ok: true });
    expect(performance.now() - begun).toBeGreaterThan(1000);
  });

  it('tells a problem document with its code, and is not repeated', async () => {
    const { url, asked } = await serving(
      json({ type: 'x', title: 't', status: 404, code: 'http.not-found', detail: 'nothing is here' }, 404),
    );
    const failed = await openConnection(url, token)
      .ask('GET', '/x')
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ApiError);
    expect(failed).toMatchObject({ status: 404, code: 'http.not-found', message: 'nothing is here', refused: true });
    expect(asked.length).toBe(1);
  });

  it.each<readonly [string, Answer]>([
    ['a page of something else', (response) => void response.writeHead(403).end('<html>proxy</html>')],
    ['no JSON', (response) => void response.writeHead(200).end('{')],
  ])('says so when the answer is %s', async (_what, answer) => {
    const { url } = await serving(answer);
    await expect(openConnection(url, token).ask('GET', '/x')).rejects.toMatchObject({ code: 'client.answer', refused: false });
  });

  it('takes the token nowhere else', async () => {
    const other = await serving(json({}));
    const { url } = await serving((response) => void response.writeHead(307, { location: `${other.url}/api/v1/x` }).end());
    await expect(openConnection(url, token).ask('GET', '/x')).rejects.toMatchObject({ code: 'client.answer' });
    expect(other.asked).toEqual([]);
  });
});

describe('pages', () => {
  it('are followed to the last, with the question in each', async () => {
    const { url, asked } = await serving(
      json({ items: [1, 2], next: 'a+b/c=' }),
      json({ items: [], next: 'd' }),
      json({ items: [3], next: null }),
    );
    const found: number[] = [];
    for await (const item of openConnection(url, token).all<number>('/entries', { name: '*.jpg', limit: 2 })) found.push(item);
    expect(found).toEqual([1, 2, 3]);
    const queries = asked.map((request) => Object.fromEntries(new URL(request.url!, url).searchParams));
    expect(queries).toEqual([
      { name: '*.jpg', limit: '2' },
      { name: '*.jpg', limit: '2', cursor: 'a+b/c=' },
      { name: '*.jpg', limit: '2', cursor: 'd' },
    ]);
  });
});

describe('events', () => {
  it('are taken up again where they were cut off', async () => {
    const begin: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 4\nevent: progress\ndata: a\n\n');
      setTimeout(() => response.destroy(), 50);
    };
    const end: Answer = (response) => void response.writeHead(200).end('id: 5\nevent: end\ndata: b\n\n');
    const { url, asked } = await serving(begin, end);
    const seen: string[] = [];
    const isLast = ({ event }: { event: string }) => event === 'end';
    for await (const { data } of followEvents(openConnection(url, token), '/events', isLast, AbortSignal.timeout(10_000))) seen.push(data);
    expect(seen).toEqual(['a', 'b']);
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '4']);
  });
});

describe('addresses', () => {
  it.each(['', 'custodia.example', 'ftp://x', 'http://user@x', 'http://x/?a=b', 'http://x/#a', 'javascript:x'])('refuses %j', (text) => {
    expect(() => serverAddress(text)).toThrow(expect.objectContaining({ code: 'client.server' }));
  });

  it('keeps what stands in a hole in one segment', () => {
    // RFC 3986, section 2.1: the slash as %2F
    expect(path`/examinations/${'a'}/entries/${'image:/mbr:1/ext:12/zip:a b?.jpg'}/content`).toBe(
      '/examinations/a/entries/image%3A%2Fmbr%3A1%2Fext%3A12%2Fzip%3Aa%20b%3F.jpg/content',
    );
    for (const text of ['', '.', '..']) expect(() => path`/cases/${text}`).toThrow(expect.objectContaining({ code: 'client.id' }));
    expect(new URL(path`/cases/${'../../x'}`, 'http://h/api/').pathname).toBe('/cases/..%2F..%2Fx');
  });
});
