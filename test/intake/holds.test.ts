/** Who may write, check and end, when others do at the same time. Witness: the bytes on the disk, and sha256 of them. */
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Intake } from '../../src/intake/intake.ts';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { type Bench, eventsOf, openBench, pieces, someId } from './bench.ts';

let bench: Bench;
let intake: Intake;

beforeAll(async () => {
  bench = await openBench();
  intake = bench.intake();
});
afterAll(() => bench.close());

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const incomingAt = (id: string) => join(bench.folder, 'store', 'incoming', id);
const objectAt = (sha256: string) => join(bench.folder, 'store', 'sha256', sha256.slice(0, 2), sha256);

async function insertUpload(exhibitId: string, origin: 'upload' | 's3', status: string, sha256: string | null = null): Promise<string> {
  const { rows } = await bench.pool.query<{ id: string }>(
    `insert into upload (exhibit_id, agency_id, account_id, credential, origin, name, size, status, sha256, source, source_key, source_etag, created_at)
     values ($1, $2, $3, 'token', $4, $5, 1000, $6, $7, 'gone', 'key', 'tag', clock_timestamp() - interval '1 hour') returning id`,
    [exhibitId, localAgency, bench.accountId, origin, someId(), status, sha256],
  );
  return rows[0]!.id;
}

describe('a writer that was away while another took over', () => {
  it('cuts nothing off, though its own part had a checksum that it cannot compare any more', async () => {
    const bytes = randomBytes(3000);
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 5000);
    async function* broken() {
      yield bytes.subarray(0, 1000);
      await sleep(100);
      // as another process does it after the lease is over: it holds the upload, and writes where the file ends
      await bench.pool.query(`update upload set holder = $2, held_until = clock_timestamp() + interval '1 hour' where id = $1`, [
        upload.id,
        someId(),
      ]);
      appendFileSync(incomingAt(upload.id), bytes.subarray(1000));
      throw new Error('the connection broke');
    }
    const checksum = { algorithm: 'sha256', value: Buffer.alloc(32) } as const;
    await expect(intake.receive({ uploadId: upload.id, offset: 0, bytes: broken(), checksum })).rejects.toThrow('the connection broke');
    expect(digest(readFileSync(incomingAt(upload.id)))).toBe(digest(bytes));
  });
});

it('nothing can be sent to what the service fetches by itself: where it comes from is told in the ledger', async () => {
  const other = bench.intake({ isShort: async () => false });
  const id = await insertUpload(await bench.exhibit(), 's3', 'receiving');
  const sent = other.receive({ uploadId: id, offset: 0, bytes: pieces(randomBytes(1000)), checksum: null });
  await expect(sent).rejects.toMatchObject({ code: expect.stringMatching(/^upload\.(fetched|busy|ended)$/) });
  await expect.poll(async () => (await intake.waitForEnd(id, 0)).problem_code, { timeout: 5000 }).toBe('s3.source');
});

it('a content that the store holds damaged is not accepted a second time, and no event says that it was', async () => {
  const [bytes, exhibits] = [randomBytes(5000), [await bench.exhibit(), await bench.exhibit()]];
  const send = async (exhibit: string) => {
    const upload = await bench.begin(intake, exhibit, 'disk.raw', bytes.length, digest(bytes));
    await intake.receive({ uploadId: upload.id, offset: 0, bytes: pieces(bytes), checksum: null });
    return intake.waitForEnd(upload.id, 5000);
  };
  expect(await send(exhibits[0]!)).toMatchObject({ status: 'accepted' });
  chmodSync(objectAt(digest(bytes)), 0o644);
  writeFileSync(objectAt(digest(bytes)), Buffer.concat([bytes.subarray(0, 4999), Buffer.from([bytes[4999]! ^ 1])]));
  expect(await send(exhibits[1]!)).toMatchObject({ status: 'failed', problem_code: 'store.damaged' });
  expect(await eventsOf(bench.pool, exhibits[1]!)).toEqual([]);
});

it('a disk that becomes short while bytes come ends the request, and what came is kept', async () => {
  let short = false;
  const other = bench.intake({ isShort: async () => short });
  const upload = await bench.begin(other, await bench.exhibit(), 'disk.raw', 5000);
  async function* slow() {
    yield randomBytes(1000);
    short = true;
    for (;;) {
      await sleep(10);
      yield randomBytes(1);
    }
  }
  await expect(other.receive({ uploadId: upload.id, offset: 0, bytes: slow(), checksum: null })).rejects.toMatchObject({
    code: 'disk.short',
  });
  expect(await other.receivedBytes(upload.id)).toBeGreaterThanOrEqual(1000);
  short = false;
  const rest = 5000 - (await other.receivedBytes(upload.id));
  const gone = other.receive({ uploadId: upload.id, offset: 5000 - rest, bytes: pieces(randomBytes(rest)), checksum: null });
  expect(await gone).toEqual({ offset: 5000, complete: true });
});

it('checks that fail for a reason of ours keep no other one waiting', async () => {
  const exhibit = await bench.exhibit();
  mkdirSync(join(bench.folder, 'store', 'sha256'), { recursive: true });
  writeFileSync(join(bench.folder, 'store', 'sha256', 'ab'), ''); // a file where a folder must be: every try throws ENOTDIR
  const stuck: string[] = [];
  for (let made = 0; made < 6; made++) stuck.push(await insertUpload(exhibit, 'upload', 'checking', `ab${String(made).repeat(62)}`));
  let bytes = randomBytes(100);
  while (digest(bytes).startsWith('ab')) bytes = randomBytes(100);
  const upload = await bench.begin(intake, exhibit, 'behind them.raw', bytes.length, digest(bytes));
  await intake.receive({ uploadId: upload.id, offset: 0, bytes: pieces(bytes), checksum: null });
  expect(await intake.waitForEnd(upload.id, 8000)).toMatchObject({ status: 'accepted' });
  const { rows } = await bench.pool.query('select distinct status from upload where id = any ($1)', [stuck]);
  expect(rows).toEqual([{ status: 'checking' }]); // none is lost: they are tried again
}, 15_000);
