/** A store that breaks off, falls silent, redirects. It is played by a server of the test's own, as RFC 9110 lets servers answer. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Intake } from '../../src/intake/intake.ts';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { type Bench, openBench } from './bench.ts';

const bytes = randomBytes(300_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
let bench: Bench;
let intake: Intake;
let server: Server;
let gets: string[] = [];
const asked: string[] = [];

/** What becomes of a GET, by the name of the object and how often it was asked. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  asked.push(request.url!);
  const { pathname } = new URL(request.url!, 'http://store');
  if (pathname.endsWith('redirects.raw')) {
    response.writeHead(307, { location: `http://127.0.0.1:${port()}/elsewhere/same.raw` }).end();
    return;
  }
  const whole = { etag: '"one"', 'content-length': bytes.length, 'accept-ranges': 'bytes' };
  if (request.method === 'HEAD') {
    response.writeHead(200, whole).end();
    return;
  }
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]);
  const rest = bytes.subarray(from);
  gets.push(`${pathname} ${from}`);
  response.writeHead(206, {
    ...{ etag: '"one"', 'content-length': rest.length },
    'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
  });
  if (gets.length > 1) return void response.end(rest);
  response.write(rest.subarray(0, 100_000), () => {
    if (pathname.endsWith('breaks.raw')) setTimeout(() => response.destroy(), 100);
  });
}
const port = () => (server.address() as { port: number }).port;

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  bench = await openBench({ CUSTODIA_UPLOAD_IDLE_SECONDS: '0.5' });
  const source = { name: 'lab', endpoint: `http://127.0.0.1:${port()}`, region: 'us-east-1', bucket: 'evidence' };
  const sources = [{ ...source, accessKeyId: 'reader', secretAccessKey: 'secret', agencies: null }];
  intake = bench.intake({ settings: { ...bench.settings, sources } });
});
afterAll(async () => {
  await bench.close();
  server.closeAllConnections();
  server.close();
});

const fetchFrom = async (key: string) =>
  intake.fetch({
    ...{ exhibitId: await bench.exhibit(), agencyId: localAgency, accountId: bench.accountId, credential: 'token' },
    ...{ expectedSha256: sha256, source: 'lab', key },
  });

describe('an object', () => {
  it.each(['breaks.raw', 'falls silent.raw'])(
    'that %s in the middle is gone on with where it stopped',
    async (key) => {
      gets = [];
      const upload = await fetchFrom(key);
      await expect.poll(async () => (await intake.waitForEnd(upload.id, 0)).status, { timeout: 20_000, interval: 100 }).toBe('accepted');
      const path = `/evidence/${encodeURIComponent(key)}`;
      expect(gets).toEqual([`${path} 0`, `${path} 100000`]);
    },
    25_000,
  );

  it('that is said to be elsewhere is not followed there', async () => {
    await expect(fetchFrom('redirects.raw')).rejects.toMatchObject({ code: 's3.redirect' });
    expect(asked.filter((url) => url.includes('elsewhere'))).toEqual([]);
  });

  it.each(['../elsewhere/same.raw', 'a/../../elsewhere/same.raw', './same.raw', 'a\\..\\b', 'a\0b'])(
    'is not asked for by the key %j, which may lead out of the bucket',
    async (key) => {
      asked.length = 0;
      await expect(fetchFrom(key)).rejects.toMatchObject({ code: 's3.key' });
      expect(asked).toEqual([]);
    },
  );
});
