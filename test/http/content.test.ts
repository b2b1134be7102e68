/** Content, reports and ledger over HTTP, from a FAT16 volume made by hand. Witnesses: RFC 9110 section 14, RFC 6266, and the bytes that were put in. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submit } from '../../src/pipeline/submit.ts';
import { readExamination } from '../../src/store/examinations.ts';
import { profile } from '../support/laboratory.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

const clusterSize = 32_768;
const clusters = 4200;
const size = 4096 * clusterSize; // 128 MiB: more than what lies between server and reader
const small = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));

/** Microsoft FAT specification 1.03: boot sector, one table of 17 sectors, 512 entries of the root directory (32 sectors), data. */
function writeVolume(path: string): void {
  const boot = Buffer.alloc(512);
  boot.set([0xeb, 0x3c, 0x90]);
  boot.write('MSDOS5.0', 3, 'latin1');
  boot.writeUInt16LE(512, 11);
  boot[13] = clusterSize / 512;
  boot.writeUInt16LE(1, 14);
  boot[16] = 1;
  boot.writeUInt16LE(512, 17);
  boot[21] = 0xf8;
  boot.writeUInt16LE(17, 22);
  boot.writeUInt32LE(1 + 17 + 32 + clusters * 64, 32);
  boot[38] = 0x29;
  boot.write('FAT16   ', 54, 'latin1');
  boot.writeUInt16LE(0xaa55, 510);
  const table = Buffer.alloc(17 * 512);
  table.writeUInt16LE(0xfff8, 0);
  table.writeUInt16LE(0xffff, 2);
  for (let cluster = 2; cluster < 2 + 4096; cluster++) table.writeUInt16LE(cluster === 2 + 4095 ? 0xffff : cluster + 1, 2 * cluster);
  table.writeUInt16LE(0xffff, 2 * 4098);
  const entry = (name: string, first: number, length: number) => {
    const bytes = Buffer.alloc(32);
    bytes.write(name, 0, 'latin1');
    bytes[11] = 0x20;
    bytes.writeUInt16LE(first, 26);
    bytes.writeUInt32LE(length, 28);
    return bytes;
  };
  const file = openSync(path, 'w');
  writeSync(
    file,
    Buffer.concat([boot, table, entry('LARGE   BIN', 2, size), entry("A'(B)   TXT", 4098, small.length), entry('EMPTY   TXT', 0, 0)]),
  );
  ftruncateSync(file, (1 + 17 + 32) * 512 + clusters * clusterSize);
  writeSync(file, small, 0, small.length, (1 + 17 + 32) * 512 + 4096 * clusterSize);
  closeSync(file);
}

let service: TestService;
let reader: Person;
let folder: string;
let examinationId: string;
const places: Record<string, string> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-content-'));
  const path = join(folder, 'disk.raw');
  writeVolume(path);
  service = await openService({ works: true });
  reader = await service.person(await service.agency());
  const { database, recorder, queue } = service.installation;
  const submission = {
    caseReference: 'case 7',
    exhibit: 'E-1',
    examiner: 'Exam Iner',
    image: { format: 'raw', paths: [path] },
    profile,
  } as const;
  const request = { agencyId: reader.agencyId, accountId: reader.id };
  ({ examinationId } = await submit(database, await queue(), recorder, { ...submission, request }));
  await database.query(
    `insert into case_member (case_id, account_id, role) select case_id, $1, 'examiner' from exhibit join examination on exhibit_id = exhibit.id where examination.id = $2`,
    [reader.id, examinationId],
  );
  while ((await readExamination(database, examinationId))!.examination.concluded_at === null) await sleep(50);
  for (const { name, locator } of (await ask('entries')).json.items) places[name] = `entries/${encodeURIComponent(locator)}`;
}, 60_000);
afterAll(async () => {
  await service.close();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (what: string, headers: Record<string, string> = {}, method = 'GET', token = reader.token) =>
  service.ask(`/api/v1/examinations/${examinationId}/${what}`, { token, headers, method });
const contentOf = (name: string) => `${places[name]}/content`;

it('an entry is shown with its record and its problems', async () => {
  const { status, json } = await ask(places['LARGE.BIN']!);
  expect([status, json.record.size, json.problems]).toEqual([200, size, []]);
  expect((await ask(`entries/${encodeURIComponent('image:/fat:999')}`)).status).toBe(404);
  for (const locator of ['..%2f..%2fetc%2fpasswd', 'x', '%00', '%25zz']) expect((await ask(`entries/${locator}`)).status).toBe(404);
});

describe('content', () => {
  const tag = `"${createHash('sha256').update(small).digest('hex')}"`;

  it('leaves as a download that nothing shows or runs', async () => {
    const { status, headers, text } = await ask(contentOf("A'(B).TXT"));
    expect([status, Buffer.from(text).length > 0]).toEqual([200, true]);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '1000',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'content-disposition': `attachment; filename="A'(B).TXT"; filename*=UTF-8''A%27%28B%29.TXT`,
      etag: tag,
    });
  });

  it.each<readonly [string, Record<string, string>, number, string | null, Buffer | null]>([
    ['the first byte', { range: 'bytes=0-0' }, 206, 'bytes 0-0/1000', small.subarray(0, 1)],
    ['the last byte', { range: 'bytes=999-' }, 206, 'bytes 999-999/1000', small.subarray(999)],
    ['past the end', { range: 'bytes=990-5000' }, 206, 'bytes 990-999/1000', small.subarray(990)],
    ['the last five', { range: 'bytes=-5' }, 206, 'bytes 995-999/1000', small.subarray(995)],
    ['more than there is, from the end', { range: 'bytes=-5000' }, 206, 'bytes 0-999/1000', small],
    ['behind the end', { range: 'bytes=1000-' }, 416, 'bytes */1000', null],
    ['none from the end', { range: 'bytes=-0' }, 416, 'bytes */1000', null],
    ['backwards: not understood, so all', { range: 'bytes=5-4' }, 200, null, small],
    ['two ranges: all', { range: 'bytes=0-0,5-5' }, 200, null, small],
    ['another unit: all', { range: 'lines=0-1' }, 200, null, small],
    ['nonsense: all', { range: 'bytes=a-b' }, 200, null, small],
    ['numbers beyond all', { range: `bytes=${'9'.repeat(400)}-` }, 416, 'bytes */1000', null],
    ['If-Range with the tag', { range: 'bytes=0-0', 'if-range': tag }, 206, 'bytes 0-0/1000', small.subarray(0, 1)],
    ['If-Range with another', { range: 'bytes=0-0', 'if-range': '"x"' }, 200, null, small],
    ['If-Range with a weak tag', { range: 'bytes=0-0', 'if-range': `W/${tag}` }, 200, null, small],
    ['If-None-Match with the tag', { 'if-none-match': tag }, 304, null, Buffer.alloc(0)],
  ])('in part: %s', async (_what, headers, expected, range, bytes) => {
    const response = await fetch(`${service.url}/api/v1/examinations/${examinationId}/${contentOf("A'(B).TXT")}`, {
      headers: { authorization: `Bearer ${reader.token}`, ...headers },
    });
    const body = Buffer.from(await response.arrayBuffer());
    expect([response.status, response.headers.get('content-range')]).toEqual([expected, range]);
    if (bytes !== null) expect(body.equals(bytes)).toBe(true);
    else expect(JSON.parse(body.toString()).code).toBe('http.range');
  });

  it('of nothing is nothing, and HEAD tells the size', async () => {
    const empty = await ask(contentOf('EMPTY.TXT'));
    expect([empty.status, empty.text, empty.headers.get('content-length')]).toEqual([200, '', '0']);
    const head = await ask(contentOf('LARGE.BIN'), {}, 'HEAD');
    expect([head.status, head.text, head.headers.get('content-length')]).toEqual([200, '', String(size)]);
  });

  it('is cut within a second when the token is revoked, and ends its thread when the reader goes', async () => {
    const token = await service.token(reader.id);
    const response = await fetch(`${service.url}/api/v1/examinations/${examinationId}/${contentOf('LARGE.BIN')}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    const body = response.body!.getReader();
    await body.read();
    await service.installation.database.query('update api_token set revoked_at = now() where secret_sha256 = $1', [
      createHash('sha256').update(token).digest(),
    ]);
    const revoked = performance.now();
    await sleep(900); // nothing is read meanwhile: what the reader gets then has waited in buffers, and ends in a cut
    await expect(
      (async () => {
        while (!(await body.read()).done);
      })(),
    ).rejects.toThrow();
    expect(performance.now() - revoked).toBeLessThan(1500);
    const leaving = new AbortController();
    for (let round = 0; round < 4; round++) {
      // more than there are threads: each must have been given back
      const gone = await fetch(`${service.url}/api/v1/examinations/${examinationId}/${contentOf('LARGE.BIN')}`, {
        headers: { authorization: `Bearer ${reader.token}` },
        signal: leaving.signal,
      });
      await gone.body!.getReader().cancel();
    }
    expect((await ask(contentOf("A'(B).TXT"))).status).toBe(200);
  });
});

it('the report is served in parts, with the digest that its manifest tells', async () => {
  const whole = await ask('report/report.json');
  expect(whole.headers.get('etag')).toBe(`"${createHash('sha256').update(whole.text).digest('hex')}"`);
  const part = await ask('report/signer.pub', { range: 'bytes=0-9' });
  expect([part.status, part.text]).toEqual([206, '-----BEGIN']);
  for (const name of ['toString', '__proto__', 'REPORT.JSON', '..%2fentries.jsonl']) expect((await ask(`report/${name}`)).status).toBe(404);
});

it('the ledger is paged, and every event is linked to the head', async () => {
  const { exhibit } = (await readExamination(service.installation.database, examinationId))!;
  const { json } = await service.ask(`/api/v1/exhibits/${exhibit.id}/ledger/0`, { token: reader.token });
  let digest = createHash('sha256').update(json.envelope).digest('hex');
  expect(json.digest).toBe(digest);
  expect(json.proof.links.length).toBeGreaterThan(3);
  for (const { envelope } of json.proof.links) {
    expect(JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString()).predicate.prev.sha256).toBe(digest);
    digest = createHash('sha256').update(envelope).digest('hex');
  }
  const page = await service.ask(`/api/v1/exhibits/${exhibit.id}/ledger?limit=2`, { token: reader.token });
  const next = await service.ask(`/api/v1/exhibits/${exhibit.id}/ledger?limit=2&cursor=${page.json.next}`, { token: reader.token });
  expect([...page.json.items, ...next.json.items].map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
  expect((await service.ask(`/api/v1/exhibits/${exhibit.id}/ledger/99999`, { token: reader.token })).status).toBe(404);
});
