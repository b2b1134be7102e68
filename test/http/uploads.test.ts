/** Uploads over HTTP. Witness of the protocol: tus-js-client 4.3.1, and the text of tus 1.0; of the content: sha256sum. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Upload as TusUpload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let submitter: Person;
let stranger: Person;
let exhibit: string;
let exhibitElsewhere: string;

beforeAll(async () => {
  service = await openService({ environment: { CUSTODIA_UPLOAD_IDLE_SECONDS: '1' } });
  const agency = await service.agency();
  submitter = await service.person(agency);
  stranger = await service.person(await service.agency());
  exhibit = await service.exhibitOf(await service.caseOf(agency, [[submitter, 'submitter']]));
  exhibitElsewhere = await service.exhibitOf(await service.caseOf(stranger.agencyId, [[stranger, 'lab-lead']]));
});
afterAll(async () => {
  await service.close();
});

const tus = { 'tus-resumable': '1.0.0' };
const part = { ...tus, 'content-type': 'application/offset+octet-stream' };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const digest = (bytes: Uint8Array, algorithm = 'sha256') => createHash(algorithm).update(bytes).digest('hex');
let count = 0;

async function create(
  bytes: Uint8Array,
  { sha256 = digest(bytes), name = `disk ${++count}.raw`, token = submitter.token, more = {} } = {},
) {
  const metadata = `filename ${base64(name)},sha256 ${base64(sha256)}`;
  const headers = { ...tus, 'upload-length': String(bytes.length), 'upload-metadata': metadata, ...more };
  return service.ask(`/api/v1/exhibits/${exhibit}/uploads`, { token, method: 'POST', headers });
}
const begun = async (bytes: Uint8Array, options = {}) => {
  const { status, headers, text } = await create(bytes, options);
  expect(status, text).toBe(201);
  return headers.get('location')!;
};
const patch = (path: string, offset: number, bytes: Uint8Array, headers = {}) =>
  service.ask(path, {
    token: submitter.token,
    method: 'PATCH',
    raw: bytes,
    headers: { ...part, 'upload-offset': String(offset), ...headers },
  });
const head = (path: string) => service.ask(path, { token: submitter.token, method: 'HEAD', headers: tus });
const objectAt = (sha256: string) => join(service.installation.config.dataFolder, 'store', 'sha256', sha256.slice(0, 2), sha256);

describe('an upload', () => {
  it('by a client of the tus project, in parts, becomes what sha256sum says', async () => {
    const bytes = randomBytes(1_000_000);
    const url = await new Promise<string>((resolve, reject) => {
      const upload = new TusUpload(bytes, {
        endpoint: `${service.url}/api/v1/exhibits/${exhibit}/uploads`,
        chunkSize: 300_000,
        headers: { authorization: `Bearer ${submitter.token}` },
        metadata: { filename: 'by tus-js-client.raw', sha256: digest(bytes) },
        onSuccess: () => resolve(upload.url!),
        onError: reject,
      });
      upload.start();
    });
    const { json } = await service.ask(new URL(url).pathname, { token: submitter.token });
    expect(json).toMatchObject({ status: 'accepted', received: 1_000_000, sha256: digest(bytes), problem: null });
    expect(execFileSync('sha256sum', [objectAt(digest(bytes))], { encoding: 'utf8' }).slice(0, 64)).toBe(digest(bytes));
    const { json: listed } = await service.ask(`/api/v1/exhibits/${exhibit}/segments`, { token: submitter.token });
    expect(listed.items).toMatchObject([{ origin: 'upload', name: 'by tus-js-client.raw', size: 1_000_000, sha256: digest(bytes) }]);
  });

  it('tells where it is, and takes nothing elsewhere', async () => {
    const bytes = randomBytes(1000);
    const path = await begun(bytes);
    expect((await head(path)).headers.get('upload-offset')).toBe('0');
    expect(await patch(path, 0, bytes.subarray(0, 400))).toMatchObject({ status: 204 });
    const { headers } = await head(path);
    expect([headers.get('upload-offset'), headers.get('upload-length'), headers.get('cache-control')]).toEqual(['400', '1000', 'no-store']);
    expect(Date.parse(headers.get('upload-expires')!)).toBeGreaterThan(Date.now());
    for (const offset of [0, 399, 401, 1000]) {
      const { status, json } = await patch(path, offset, bytes.subarray(0, 1));
      expect([status, json.code]).toEqual([409, 'upload.offset']);
    }
    expect((await head(path)).headers.get('upload-offset')).toBe('400');
    expect(await patch(path, 400, bytes.subarray(400))).toMatchObject({ status: 204 });
  });

  it('of another digest than was told is refused by name, and leaves an entry in the audit log', async () => {
    const bytes = randomBytes(1000);
    const path = await begun(bytes, { sha256: digest(randomBytes(10)) });
    const { status, json } = await patch(path, 0, bytes);
    expect([status, json.code]).toEqual([422, 'upload.digest']);
    expect((await head(path)).status).toBe(410);
    const id = path.split('/').at(-1);
    const audited = () =>
      service.installation.database.query(
        "select outcome from audit where action = 'evidence.submit' and envelope::jsonb->>'payload' is not null and convert_from(decode(envelope::jsonb->>'payload', 'base64'), 'UTF8') like $1 and outcome = 'failed'",
        [`%${id}%`],
      );
    await expect.poll(async () => (await audited()).rowCount, { timeout: 3000 }).toBe(1);
  });

  it('checks the checksum of a part before it takes it', async () => {
    const bytes = randomBytes(1000);
    const path = await begun(bytes);
    const of = (algorithm: string, value: Uint8Array) => ({
      'upload-checksum': `${algorithm} ${Buffer.from(digest(value, algorithm), 'hex').toString('base64')}`,
    });
    const wrong = await patch(path, 0, bytes, of('sha1', randomBytes(5)));
    expect([wrong.status, wrong.json.code]).toEqual([460, 'upload.checksum']);
    expect((await patch(path, 0, bytes, { 'upload-checksum': 'crc32 AAAA' })).status).toBe(400);
    expect((await head(path)).headers.get('upload-offset')).toBe('0');
    expect((await patch(path, 0, bytes, of('sha1', bytes))).status).toBe(204);
  });

  it('that is aborted keeps what came, and is gone on with', async () => {
    const bytes = randomBytes(200_000);
    const path = await begun(bytes);
    await new Promise<void>((resolve) => {
      const sent = httpRequest(`${service.url}${path}`, {
        method: 'PATCH',
        headers: { ...part, authorization: `Bearer ${submitter.token}`, 'upload-offset': '0', 'content-length': String(bytes.length) },
      });
      sent.on('error', () => resolve());
      sent.write(bytes.subarray(0, 100_000), () => setTimeout(() => sent.destroy(new Error('gone')), 200));
    });
    await expect.poll(async () => (await head(path)).headers.get('upload-offset'), { timeout: 3000 }).toBe('100000');
    expect((await patch(path, 100_000, bytes.subarray(100_000))).status).toBe(204);
    expect((await service.ask(path, { token: submitter.token })).json.status).toBe('accepted');
  });

  it('that stops sending is told so and cut', async () => {
    const path = await begun(randomBytes(1000));
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = httpRequest(`${service.url}${path}`, {
        method: 'PATCH',
        headers: { ...part, authorization: `Bearer ${submitter.token}`, 'upload-offset': '0', 'content-length': '1000' },
      });
      sent.on('error', reject);
      sent.on('response', (response) => {
        let text = '';
        response.on('data', (bytes) => (text += bytes));
        response.on('end', () => resolve({ status: response.statusCode!, text }));
      });
      sent.write(Buffer.alloc(10));
    });
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([408, 'upload.idle']);
    expect((await head(path)).headers.get('upload-offset')).toBe('10');
  });

  it('is given up by DELETE', async () => {
    const path = await begun(randomBytes(1000));
    const remove = () => service.ask(path, { token: submitter.token, method: 'DELETE', headers: tus });
    expect((await remove()).status).toBe(204);
    expect([(await head(path)).status, (await remove()).status]).toEqual([410, 410]);
  });
});

describe('what is refused', () => {
  it('is an upload that tells too little or nonsense', async () => {
    const bytes = randomBytes(10);
    const bad: [string, Record<string, string>, number][] = [
      ['another version', { 'tus-resumable': '0.2.2' }, 412],
      ['no length', { 'upload-length': '' }, 400],
      ['a length of nothing', { 'upload-length': '0' }, 400],
      ['a negative length', { 'upload-length': '-5' }, 400],
      ['a length beyond numbers', { 'upload-length': '99999999999999999' }, 400],
      ['ten million terabytes', { 'upload-length': '9000000000000000' }, 413],
      ['no metadata', { 'upload-metadata': '' }, 400],
      ['no digest', { 'upload-metadata': `filename ${base64('x')}` }, 400],
      ['a digest too short', { 'upload-metadata': `filename ${base64('x')},sha256 ${base64('abc')}` }, 400],
      ['one name twice', { 'upload-metadata': `filename ${base64('x')},filename ${base64('y')}` }, 400],
      ['a name with a line break', { 'upload-metadata': `filename ${base64('x\ny')},sha256 ${base64(digest(bytes))}` }, 422],
    ];
    for (const [what, more, status] of bad) {
      const answer = await create(bytes, { more });
      expect([answer.status, answer.headers.get('content-type')], what).toEqual([
        status,
        expect.stringContaining('application/problem+json'),
      ]);
    }
  });

  it('is a second one of the same name, and a part of another type or too long', async () => {
    const bytes = randomBytes(1000);
    const path = await begun(bytes, { name: 'same.raw' });
    const again = await create(bytes, { name: 'same.raw' });
    expect([again.status, again.json.code]).toEqual([409, 'upload.name-taken']);
    expect((await patch(path, 0, randomBytes(1001))).status).toBe(413);
    expect((await patch(path, 0, bytes, { 'content-type': 'application/json' })).status).toBeGreaterThanOrEqual(400);
    expect((await head(path)).headers.get('upload-offset')).toBe('0');
  });

  it('is whoever may not: as if it were not there', async () => {
    const bytes = randomBytes(10);
    const path = await begun(bytes);
    const nothing = await service.ask('/api/v1/uploads/00000000-0000-7000-8000-00000000dead', { token: stranger.token });
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const raw = method === 'PATCH' ? bytes : undefined;
      const answer = await service.ask(path, {
        token: stranger.token,
        method,
        headers: { ...part, 'upload-offset': '0' },
        ...(raw === undefined ? {} : { raw }),
      });
      expect([answer.status, answer.text], method).toEqual([404, nothing.text]);
    }
    expect((await create(bytes, { token: stranger.token })).status).toBe(404);
    expect((await service.ask(`/api/v1/exhibits/${exhibitElsewhere}/segments`, { token: submitter.token })).status).toBe(404);
    const place = { root: 'lab', path: 'disk.raw' };
    expect((await service.ask(`/api/v1/exhibits/${exhibit}/segments`, { token: submitter.token, body: place })).status).toBe(404); // a submitter places nothing
  });
});

it('answers 507 while the disk is short', async () => {
  const short = await openService({ environment: { CUSTODIA_RESERVE: String(Number.MAX_SAFE_INTEGER) } });
  try {
    const person = await short.person(await short.agency());
    const full = await short.exhibitOf(await short.caseOf(person.agencyId, [[person, 'submitter']]));
    const headers = {
      ...tus,
      'upload-length': '10',
      'upload-metadata': `filename ${base64('x')},sha256 ${base64(digest(randomBytes(10)))}`,
    };
    const answer = await short.ask(`/api/v1/exhibits/${full}/uploads`, { token: person.token, method: 'POST', headers });
    expect([answer.status, answer.json.code]).toEqual([507, 'disk.short']);
  } finally {
    await short.close();
  }
});
