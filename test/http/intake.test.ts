/** From bytes sent to an examination concluded: E01 segments in another order under other names; a server killed while it receives. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let examiner: Person;
let caseId: string;
const root = mkdtempSync(join(tmpdir(), 'custodia-root-'));
const segments = ['E01', 'E02', 'E03'].map((extension) =>
  join(import.meta.dirname, '..', '..', 'fixtures', 'ewf-split', `image.${extension}`),
);

beforeAll(async () => {
  mkdirSync(join(root, 'case 7'));
  for (const path of segments) copyFileSync(path, join(root, 'case 7', basename(path)));
  symlinkSync('/etc', join(root, 'etc'));
  service = await openService({ works: true, environment: { CUSTODIA_EVIDENCE_ROOTS: `lab=${root}` } });
  const agency = await service.agency();
  examiner = await service.person(agency);
  caseId = await service.caseOf(agency, [[examiner, 'examiner']]);
});
afterAll(async () => {
  await service.close();
  rmSync(root, { recursive: true, force: true });
});

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const tus = { 'tus-resumable': '1.0.0' };
const ask = (path: string, body?: unknown) =>
  service.ask(`/api/v1${path}`, { token: examiner.token, ...(body === undefined ? {} : { body }) });

async function begin(url: string, token: string, exhibit: string, name: string, bytes: Uint8Array): Promise<string> {
  const metadata = `filename ${base64(name)},sha256 ${base64(digest(bytes))}`;
  const headers = { ...tus, authorization: `Bearer ${token}`, 'upload-length': String(bytes.length), 'upload-metadata': metadata };
  const answer = await fetch(`${url}/api/v1/exhibits/${exhibit}/uploads`, { method: 'POST', headers });
  expect(answer.status, await answer.text()).toBe(201);
  return answer.headers.get('location')!;
}

const patch = (url: string, token: string, path: string, offset: number, bytes: Uint8Array) =>
  fetch(`${url}${path}`, {
    method: 'PATCH',
    headers: {
      ...tus,
      authorization: `Bearer ${token}`,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(offset),
    },
    body: bytes as Uint8Array<ArrayBuffer>,
  });

async function upload(exhibit: string, name: string, path: string) {
  const bytes = readFileSync(path);
  const at = await begin(service.url, examiner.token, exhibit, name, bytes);
  expect((await patch(service.url, examiner.token, at, 0, bytes)).status).toBe(204);
}

async function concluded(id: string) {
  for (const deadline = Date.now() + 25_000; Date.now() < deadline; await sleep(100)) {
    const { json } = await ask(`/examinations/${id}`);
    if (json.concluded !== null) return json;
  }
  throw new Error(`examination ${id} did not conclude`);
}

describe('an examination', () => {
  it('of segments that were uploaded in another order finds what one in place finds', async () => {
    const [uploaded, placed] = [await service.exhibitOf(caseId), await service.exhibitOf(caseId)];
    await upload(uploaded, 'image.E01', segments[2]!);
    await upload(uploaded, 'a', segments[0]!);
    const missing = await ask(`/exhibits/${uploaded}/examinations`, {});
    expect([missing.status, missing.json.code, missing.json.detail]).toEqual([
      409,
      'segments.missing',
      expect.stringContaining('missing: segment 2;'),
    ]);
    await upload(uploaded, 'letter.txt', segments[1]!);
    const begun = await ask(`/exhibits/${uploaded}/examinations`, { digests: ['blake3'], priority: 2, deadline: '2027-01-01T00:00:00Z' });
    expect([begun.status, begun.json]).toMatchObject([201, { resumed: false, missing: [] }]);

    const roots = await ask('/evidence-roots');
    expect(roots.json).toEqual({ roots: [{ name: 'lab' }], sources: [] });
    const inPlace = await ask(`/exhibits/${placed}/segments`, { root: 'lab', path: 'case 7/image.E03' });
    expect([inPlace.status, inPlace.json.items.map(({ path }: { path: string }) => path)]).toEqual([
      201,
      ['case 7/image.E01', 'case 7/image.E02', 'case 7/image.E03'],
    ]);
    const other = await ask(`/exhibits/${placed}/examinations`, { digests: ['blake3'] });
    const [one, two] = [await concluded(begun.json.id), await concluded(other.json.id)];
    expect(one).toMatchObject({
      status: 'complete',
      priority: 2,
      image: { format: 'ewf', files: 3 },
      conclusion: { integrity: 'intact' },
    });
    expect(one.conclusion).toEqual(two.conclusion);

    const volumes = await ask(`/examinations/${begun.json.id}/volumes`);
    expect(volumes.json.items.length).toBeGreaterThan(0);
    const listed = await ask('/examinations?limit=1');
    const next = await ask(`/examinations?limit=1&cursor=${listed.json.next}`);
    expect([listed.json.items[0].id, next.json.items[0].id, next.json.next]).toEqual([other.json.id, begun.json.id, null]);
    const { rows } = await service.installation.database.query('select submitted_by from examination where id = $1', [begun.json.id]);
    expect(rows[0].submitted_by).toBe(examiner.id);
  });

  it.each([
    ['../passwd', 422, 'place.path'],
    ['/etc/passwd', 422, 'place.path'],
    ['etc/passwd', 422, 'place.link'],
    ['case 7', 422, 'place.kind'],
    ['case 7/image.E09', 422, 'place.not-found'],
  ])('is not begun over %s', async (path, status, code) => {
    const exhibit = await service.exhibitOf(caseId);
    const answer = await ask(`/exhibits/${exhibit}/segments`, { root: 'lab', path });
    expect([answer.status, answer.json.code, answer.text.includes(root)]).toEqual([status, code, false]);
    expect((await ask(`/exhibits/${exhibit}/examinations`, {})).json.code).toBe('segments.none');
  });

  it('takes an upload of any length of time: only silence cuts it', () => {
    expect(service.api.server.requestTimeout).toBe(0);
  });
});

describe('a server killed while it receives', () => {
  it('goes on, started again, where the bytes on its disk end', async () => {
    const { dataFolder, databaseUrl } = service.installation.config;
    const exhibit = await service.exhibitOf(caseId);
    const bytes = randomBytes(3_000_000);
    let path = '';
    let offset = 0;
    for (const most of [0, 1_000_000, 2_999_999]) {
      const server = await startServer(dataFolder, databaseUrl!);
      path ||= await begin(server.url, examiner.token, exhibit, 'killed.raw', bytes);
      offset = await offsetOf(server.url, path);
      await sendAndKill(server, path, offset, bytes.subarray(offset, Math.max(offset, most)));
    }
    const server = await startServer(dataFolder, databaseUrl!);
    offset = await offsetOf(server.url, path);
    expect(offset).toBe(2_999_999);
    expect((await goOn(server.url, path, offset, bytes.subarray(offset))).status).toBe(204);
    const answer = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${examiner.token}` } });
    expect(await answer.json()).toMatchObject({ status: 'accepted', sha256: digest(bytes) });
    server.kill();
    await server.ended;
  }, 60_000);

  const offsetOf = async (url: string, path: string) => {
    const answer = await fetch(`${url}${path}`, { method: 'HEAD', headers: { ...tus, authorization: `Bearer ${examiner.token}` } });
    return Number(answer.headers.get('upload-offset'));
  };

  /** The hold of the server that was killed lasts some seconds. */
  async function goOn(url: string, path: string, offset: number, bytes: Uint8Array): Promise<Response> {
    for (;;) {
      const answer = await patch(url, examiner.token, path, offset, bytes);
      if (answer.status !== 423) return answer;
      await sleep(300);
    }
  }

  async function sendAndKill(server: Server, path: string, offset: number, bytes: Uint8Array): Promise<void> {
    expect((await goOn(server.url, path, offset, new Uint8Array(0))).status).toBe(204);
    const sent = httpRequest(`${server.url}${path}`, {
      method: 'PATCH',
      headers: {
        ...{ ...tus, authorization: `Bearer ${examiner.token}`, 'content-type': 'application/offset+octet-stream' },
        ...{ 'upload-offset': String(offset), 'content-length': String(3_000_000 - offset) },
      },
    });
    sent.on('error', () => undefined);
    sent.write(bytes);
    for (const deadline = Date.now() + 3000; Date.now() < deadline && (await offsetOf(server.url, path)) < offset + bytes.length; )
      await sleep(20);
    server.kill();
    await server.ended;
    sent.destroy();
  }
});

interface Server {
  readonly url: string;
  readonly ended: Promise<unknown>;
  kill(): void;
}

async function startServer(dataFolder: string, databaseUrl: string): Promise<Server> {
  const serveFile = join(import.meta.dirname, '..', '..', 'src', 'serve.ts');
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn(process.execPath, [serveFile, '--port', '0', '--json', '--threads', '1'], {
    env: { PATH, HOME, TMPDIR, CUSTODIA_DATA: dataFolder, DATABASE_URL: databaseUrl, CUSTODIA_LOG: 'fatal' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('utf8');
      if (text.includes('\n')) resolve((JSON.parse(text.slice(0, text.indexOf('\n'))) as { address: string }).address);
    });
    void ended.then(() => reject(new Error('the server ended before it served')));
  });
  return { url, ended, kill: () => void child.kill('SIGKILL') };
}
