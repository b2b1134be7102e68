/** How far a request reaches: roots of other agencies, bodies without end, uploads of those who lost their right, answers given twice. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let ours: Person;
let theirs: Person;
let exhibit: string;
let theirExhibit: string;
const root = mkdtempSync(join(tmpdir(), 'custodia-root-'));
const s3 = {
  ...{ CUSTODIA_S3_SOURCES: 'vault', CUSTODIA_S3_VAULT_ENDPOINT: 'http://127.0.0.1:9', CUSTODIA_S3_VAULT_REGION: 'us-east-1' },
  ...{
    CUSTODIA_S3_VAULT_BUCKET: 'b',
    CUSTODIA_S3_VAULT_KEY_ID: 'k',
    CUSTODIA_S3_VAULT_SECRET: 's',
    CUSTODIA_S3_VAULT_AGENCIES: localAgency,
  },
};

beforeAll(async () => {
  writeFileSync(join(root, 'disk.raw'), randomBytes(8192));
  service = await openService({ environment: { ...s3, CUSTODIA_EVIDENCE_ROOTS: `lab@${localAgency}=${root};all=${root}` } });
  ours = await service.person(localAgency);
  exhibit = await service.exhibitOf(await service.caseOf(localAgency, [[ours, 'examiner']]));
  theirs = await service.person(await service.agency());
  theirExhibit = await service.exhibitOf(await service.caseOf(theirs.agencyId, [[theirs, 'examiner']]));
});
afterAll(async () => {
  await service.close();
  rmSync(root, { recursive: true, force: true });
});

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const tus = { 'tus-resumable': '1.0.0' };
const creation = (name: string, bytes: Uint8Array) => ({
  ...tus,
  'upload-length': String(bytes.length),
  'upload-metadata': `filename ${base64(name)},sha256 ${base64(digest(bytes))}`,
});
const create = (name: string, bytes: Uint8Array, more: Record<string, string> = {}) =>
  service.ask(`/api/v1/exhibits/${exhibit}/uploads`, { token: ours.token, method: 'POST', headers: { ...creation(name, bytes), ...more } });
const list = (what: string, query = '') => service.ask(`/api/v1/exhibits/${exhibit}/${what}${query}`, { token: ours.token });

describe('an evidence root or S3 source of one agency', () => {
  it('is not there for another, neither by its list nor by its name', async () => {
    const place = (at: string, { token }: Person, name: string) =>
      service.ask(`/api/v1/exhibits/${at}/segments`, { token, body: { root: name, path: 'disk.raw' } });
    const unknown = await place(theirExhibit, theirs, 'nothing');
    const hidden = await place(theirExhibit, theirs, 'lab');
    expect([hidden.status, hidden.text]).toEqual([422, unknown.text]);
    const fetched = await service.ask(`/api/v1/exhibits/${theirExhibit}/segments`, {
      token: theirs.token,
      body: { source: 'vault', key: 'x' },
    });
    expect([fetched.status, fetched.json.code]).toEqual([422, 's3.source']);
    const roots = ({ token }: Person) => service.ask('/api/v1/evidence-roots', { token });
    expect((await roots(theirs)).json).toEqual({ roots: [{ name: 'all' }], sources: [] });
    expect((await roots(ours)).json).toEqual({ roots: [{ name: 'lab' }, { name: 'all' }], sources: [{ name: 'vault' }] });
    expect((await place(exhibit, ours, 'lab')).status).toBe(201);
    expect((await place(theirExhibit, theirs, 'all')).status).toBe(201);
  });
});

describe('an upload', () => {
  it('takes no body of another type into memory: what is no part of an upload ends at the limit of every body', async () => {
    const path = (await create('no json.raw', randomBytes(2_000_000))).headers.get('location')!;
    const raw = Buffer.from(`"${'x'.repeat(1_000_000)}"`);
    const headers = { ...tus, 'content-type': 'application/json', 'upload-offset': '0' };
    const answer = await service.ask(path, { token: ours.token, method: 'PATCH', raw, headers });
    expect([answer.status, answer.json.code]).toEqual([413, 'http.request']);
  });

  it('is cut within a second when the token that sends it is revoked; what came is kept', async () => {
    const path = (await create('revoked.raw', randomBytes(1_000_000))).headers.get('location')!;
    const token = await service.token(ours.id);
    let revokedAt = 0;
    const endedAt = await new Promise<number>((resolve) => {
      const sent = httpRequest(`${service.url}${path}`, {
        method: 'PATCH',
        headers: { ...tus, authorization: `Bearer ${token}`, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' },
      });
      const drip = setInterval(() => sent.write(Buffer.alloc(1000)), 20);
      sent.on('error', () => undefined);
      sent.on('close', () => {
        clearInterval(drip);
        resolve(performance.now());
      });
      setTimeout(async () => {
        await service.installation.database.query('update api_token set revoked_at = clock_timestamp() where secret_sha256 = $1', [
          createHash('sha256').update(token).digest(),
        ]);
        revokedAt = performance.now();
      }, 500);
    });
    expect(revokedAt).toBeGreaterThan(0);
    expect(endedAt - revokedAt).toBeLessThan(1000);
    const kept = await service.ask(path, { token: ours.token });
    expect(kept.json.received).toBeGreaterThan(0);
    expect(kept.json.status).toBe('receiving');
  });

  it('that is begun twice with one Idempotency-Key is one, found at the same place; with other words it is refused', async () => {
    const bytes = randomBytes(1000);
    const key = { 'idempotency-key': 'begin-once' };
    const first = await create('once.raw', bytes, key);
    const again = await create('once.raw', bytes, key);
    expect([first.status, again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 201, 'true']);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    const other = await create('another.raw', bytes, key);
    expect([other.status, other.json.code]).toEqual([422, 'http.idempotency-reused']);
  });
});

describe('lists', () => {
  it('show the uploads of an exhibit in pages, newest first, and to nobody else', async () => {
    const names = ['page 1', 'page 2', 'page 3'];
    for (const name of names) expect((await create(name, randomBytes(10))).status).toBe(201);
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const { json } = await list('uploads', `?limit=2${next === '' ? '' : `&cursor=${next}`}`);
      expect(json.items.length).toBeLessThanOrEqual(2);
      seen.push(...json.items.map(({ name }: { name: string }) => name));
      next = json.next;
    }
    expect(seen.slice(0, 3)).toEqual(names.toReversed());
    expect(new Set(seen).size).toBe(seen.length);
    const stranger = await service.ask(`/api/v1/exhibits/${exhibit}/uploads`, { token: theirs.token });
    const nothing = await service.ask('/api/v1/exhibits/00000000-0000-7000-8000-00000000dead/uploads', { token: theirs.token });
    expect([stranger.status, stranger.text]).toEqual([404, nothing.text]);
    expect((await list('uploads', `?cursor=${Buffer.from('["x","y"]').toString('base64url')}`)).status).toBe(400);
  });

  it('show segments in pages', async () => {
    for (const name of ['a', 'b']) {
      await service.installation.database.query(
        `insert into segment (exhibit_id, account_id, origin, name, size, root, root_path, received) values ($1, $2, 'place', $3, 1, 'lab', 'x', '{}')`,
        [exhibit, ours.id, name],
      );
    }
    const { json } = await list('segments', '?limit=1');
    const rest = await list('segments', `?cursor=${json.next}`);
    expect([json.items.length, rest.json.next]).toEqual([1, null]);
    expect(rest.json.items.map(({ id }: { id: string }) => id)).not.toContain(json.items[0].id);
    expect(rest.json.items.length).toBeGreaterThanOrEqual(1);
  });
});

it('of many requests with one Idempotency-Key at the same moment one has an effect', async () => {
  const lead = await service.person(theirs.agencyId, ['lab-lead']);
  const body = { reference: 'once and no more' };
  const headers = { 'idempotency-key': 'at-the-same-moment' };
  const answers = await Promise.all(Array.from({ length: 20 }, () => service.ask('/api/v1/cases', { token: lead.token, body, headers })));
  const made = answers.filter(({ status }) => status === 201);
  expect(new Set(made.map(({ json }) => json.id)).size).toBe(1);
  expect(made.filter(({ headers: told }) => told.get('idempotency-replayed') === null)).toHaveLength(1);
  expect(answers.filter(({ status }) => status !== 201).every(({ json }) => json.code === 'http.in-progress')).toBe(true);
  const { rows } = await service.installation.database.query('select id from case_file where reference = $1', [body.reference]);
  expect(rows).toHaveLength(1);
});

it('a member whose login is hidden from the asker does not stand in the way of If-Match, and none is taken out unseen', async () => {
  const lead = await service.person(theirs.agencyId);
  const added = await service.person(theirs.agencyId);
  const caseId = await service.caseOf(theirs.agencyId, [
    [lead, 'lab-lead'],
    [ours, 'examiner'], // of another agency
  ]);
  const members = () => service.ask(`/api/v1/cases/${caseId}/members`, { token: lead.token });
  const before = await members();
  expect(before.json.items.map(({ login }: { login: string }) => login)).toContain('');
  const seen = { 'if-match': before.headers.get('etag')! };
  const at = `/api/v1/cases/${caseId}/members/${added.id}`;
  const put = await service.ask(at, { token: lead.token, method: 'PUT', body: { roles: ['submitter'] }, headers: seen });
  expect(put.status).toBe(200);
  const late = await service.ask(at, { token: lead.token, method: 'DELETE', headers: seen });
  expect([late.status, late.json.code]).toEqual([412, 'http.changed']);
  const now = { 'if-match': (await members()).headers.get('etag')! };
  expect((await service.ask(at, { token: lead.token, method: 'DELETE', headers: now })).status).toBe(204);
});

it('an account has only so many good tokens, also when they are made at the same moment', async () => {
  const maker = await service.person(theirs.agencyId);
  const token = await service.token(maker.id, ['manage', 'read'], new Date(Date.now() + 10 * 86_400_000)); // its second
  await service.installation.database.query(
    `insert into api_token (account_id, name, secret_sha256, scopes, expires_at)
     select $1, 'many', sha256(n::text::bytea), '{read}', clock_timestamp() + interval '1 day' from generate_series(1, 196) as n`,
    [maker.id],
  );
  const body = { name: 'one more', scopes: ['read'], days: 1 };
  const make = () => service.ask('/api/v1/tokens', { token, body });
  const answers = await Promise.all([make(), make(), make(), make(), make()]);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
  expect(answers.filter(({ json }) => json.code === 'token.many')).toHaveLength(3);
});

it('answers that are kept for a repeated request go after a day', async () => {
  const { database } = service.installation;
  for (let made = 0; made < 25; made++) {
    await database.query(
      `insert into idempotency (account_id, key, request_sha256, status, body, created_at)
       values ($1, $2, '', 201, '{}', clock_timestamp() - interval '25 hours')`,
      [theirs.id, `old ${made}`],
    );
  }
  for (const name of ['sweep-1', 'sweep-2']) await create(name, randomBytes(10), { 'idempotency-key': name });
  const { rows } = await database.query(`select count(*)::int as old from idempotency where key like 'old %'`);
  expect(rows[0].old).toBe(0);
});
