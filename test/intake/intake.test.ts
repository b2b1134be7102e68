/** Uploads from the first byte to the ledger: broken, late, doubled, wrong. Witness: sha256sum, and the rows and envelopes themselves. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Intake } from '../../src/intake/intake.ts';
import { holdUpload, type Upload } from '../../src/store/uploads.ts';
import { type Bench, eventsOf, openBench, pieces, someId } from './bench.ts';

let bench: Bench;
let intake: Intake;

beforeAll(async () => {
  bench = await openBench({ CUSTODIA_UPLOAD_IDLE_SECONDS: '0.3' });
  intake = bench.intake();
});
afterAll(() => bench.close());

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const objectAt = (sha256: string) => join(bench.folder, 'store', 'sha256', sha256.slice(0, 2), sha256);
const incoming = () => readdirSync(join(bench.folder, 'store', 'incoming'));
const sha256sum = (path: string) => execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);
const send = (upload: Upload, bytes: Uint8Array, offset = 0, checksum = null as Parameters<Intake['receive']>[0]['checksum']) =>
  intake.receive({ uploadId: upload.id, offset, bytes: pieces(bytes), checksum });
const segmentsOf = async (exhibitId: string) =>
  (await bench.pool.query('select name, size, sha256, origin from segment where exhibit_id = $1 order by accepted_at', [exhibitId])).rows;

describe('an upload', () => {
  it('becomes a segment once its bytes are on the disk, compared and told in the ledger', async () => {
    const bytes = randomBytes(100_000);
    const exhibit = await bench.exhibit();
    const upload = await bench.begin(intake, exhibit, 'disk.raw', bytes.length, digest(bytes));
    expect(await send(upload, bytes)).toEqual({ offset: 100_000, complete: true });
    expect(await intake.waitForEnd(upload.id, 5000)).toMatchObject({ status: 'accepted', sha256: digest(bytes) });
    expect(sha256sum(objectAt(digest(bytes)))).toBe(digest(bytes));
    expect(statSync(objectAt(digest(bytes))).mode & 0o777).toBe(0o444);
    expect(await segmentsOf(exhibit)).toEqual([{ name: 'disk.raw', size: '100000', sha256: digest(bytes), origin: 'upload' }]);
    expect(await eventsOf(bench.pool, exhibit)).toMatchObject([
      {
        type: 'received',
        actor: { name: 'Sub Mitter', role: 'custodian', authenticator: 'token' },
        digests: [{ scope: 'segment', name: 'disk.raw', algorithm: 'sha256', value: digest(bytes), point: 'H1', result: 'equal' }],
        storage: [objectAt(digest(bytes))],
      },
    ]);
    expect(incoming()).toEqual([]);
  });

  it('goes on where it broke, at every class of offset', async () => {
    const bytes = randomBytes(10_000);
    for (const cut of [0, 1, 3, 8, 9]) {
      // of ten pieces: none, the first, some, all but one, all but the last piece
      const exhibit = await bench.exhibit();
      const upload = await bench.begin(intake, exhibit, 'disk.raw', bytes.length, digest(bytes));
      const broken = intake.receive({ uploadId: upload.id, offset: 0, bytes: pieces(bytes, 1000, cut), checksum: null });
      await expect(broken).rejects.toThrow('the connection broke');
      expect(await intake.receivedBytes(upload.id)).toBe(cut * 1000);
      expect(await send(upload, bytes.subarray(cut * 1000), cut * 1000)).toEqual({ offset: 10_000, complete: true });
      expect(await intake.waitForEnd(upload.id, 5000)).toMatchObject({ status: 'accepted', sha256: digest(bytes) });
    }
  });

  it('takes nothing at another offset than where it is', async () => {
    const bytes = randomBytes(3000);
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 5000);
    await send(upload, bytes);
    for (const offset of [0, 1, 2999, 3001, 5000])
      await expect(send(upload, bytes.subarray(0, 1), offset)).rejects.toMatchObject({ code: 'upload.offset' });
    expect(await intake.receivedBytes(upload.id)).toBe(3000);
  });

  it('takes no more than was announced, and of that request nothing', async () => {
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 5000);
    await send(upload, randomBytes(2000));
    await expect(send(upload, randomBytes(3001), 2000)).rejects.toMatchObject({ code: 'upload.too-long' });
    expect(await intake.receivedBytes(upload.id)).toBe(2000);
  });

  it('with another digest than was told fails: nothing of it can be reached, and no event tells of it', async () => {
    const [bytes, exhibit] = [randomBytes(5000), await bench.exhibit()];
    const upload = await bench.begin(intake, exhibit, 'disk.raw', bytes.length, digest(Buffer.from('another')));
    await send(upload, bytes);
    const ended = await intake.waitForEnd(upload.id, 5000);
    expect(ended).toMatchObject({ status: 'failed', problem_code: 'upload.digest', problem: expect.stringContaining(digest(bytes)) });
    expect([existsSync(objectAt(digest(bytes))), await segmentsOf(exhibit), await eventsOf(bench.pool, exhibit)]).toEqual([false, [], []]);
    await expect(send(upload, bytes)).rejects.toMatchObject({ code: 'upload.ended' });
  });

  it('of a content that is there already is one object and an event of its own', async () => {
    const bytes = randomBytes(5000);
    const exhibits = [await bench.exhibit(), await bench.exhibit()];
    for (const exhibit of exhibits) {
      const upload = await bench.begin(intake, exhibit, 'disk.raw', bytes.length, digest(bytes));
      await send(upload, bytes);
      expect(await intake.waitForEnd(upload.id, 5000)).toMatchObject({ status: 'accepted' });
      expect(await eventsOf(bench.pool, exhibit)).toHaveLength(1);
    }
    const { rows } = await bench.pool.query('select count(*)::int as objects from stored_object where sha256 = $1', [digest(bytes)]);
    expect(rows[0].objects).toBe(1);
  });

  it('that nobody goes on with is cut after a time, and what came is kept', async () => {
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 5000);
    async function* slow() {
      yield randomBytes(100);
      await sleep(2000);
      yield randomBytes(100);
    }
    const cut = intake.receive({ uploadId: upload.id, offset: 0, bytes: slow(), checksum: null });
    await expect(cut).rejects.toMatchObject({ code: 'upload.idle', message: expect.stringContaining('300 ms') });
    expect(await intake.receivedBytes(upload.id)).toBe(100);
  });

  it('is gone on with by the newest request for it', async () => {
    const bytes = randomBytes(2000);
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', bytes.length, digest(bytes));
    async function* stuck() {
      yield bytes.subarray(0, 1000);
      await sleep(250);
      yield bytes.subarray(1000, 1500);
      await sleep(250);
    }
    const first = intake.receive({ uploadId: upload.id, offset: 0, bytes: stuck(), checksum: null });
    first.catch(() => undefined);
    await sleep(100);
    expect(await send(upload, bytes.subarray(1000), 1000)).toEqual({ offset: 2000, complete: true });
    await expect(first).rejects.toMatchObject({ code: 'upload.busy' });
    expect(await intake.waitForEnd(upload.id, 5000)).toMatchObject({ status: 'accepted' });
  });

  it('is not written to while another process holds it', async () => {
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 5000);
    expect(await holdUpload(bench.pool, upload.id, { status: 'receiving', holder: someId(), leaseMs: 400 })).not.toBeNull();
    await expect(send(upload, randomBytes(10))).rejects.toMatchObject({ code: 'upload.busy' });
    await sleep(450); // the other one died: its hold is over
    expect(await send(upload, randomBytes(10))).toEqual({ offset: 10, complete: false });
  });

  it('with a checksum of a part that is wrong takes nothing of the part', async () => {
    const bytes = randomBytes(2000);
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 7000);
    for (const algorithm of ['sha256', 'sha1', 'md5'] as const) {
      const value = createHash(algorithm).update(bytes).digest();
      const offset = await intake.receivedBytes(upload.id);
      await expect(send(upload, randomBytes(2000), offset, { algorithm, value })).rejects.toMatchObject({ code: 'upload.checksum' });
      expect(await intake.receivedBytes(upload.id)).toBe(offset);
      expect(await send(upload, bytes, offset, { algorithm, value })).toMatchObject({ offset: offset + 2000 });
    }
  });

  it('that was given up is gone, and cannot be given up twice', async () => {
    const exhibit = await bench.exhibit();
    const upload = await bench.begin(intake, exhibit, 'disk.raw', 5000);
    await send(upload, randomBytes(2000));
    await intake.cancel(upload.id);
    expect(incoming()).not.toContain(upload.id);
    await expect(send(upload, randomBytes(10), 2000)).rejects.toMatchObject({ code: 'upload.ended' });
    await expect(intake.cancel(upload.id)).rejects.toMatchObject({ code: 'upload.ended' });
    await bench.begin(intake, exhibit, 'disk.raw', 5000); // the name is free again
  });
});

describe('what is refused at the beginning', () => {
  it('is a second upload or segment of one name', async () => {
    const [bytes, exhibit] = [randomBytes(500), await bench.exhibit()];
    const upload = await bench.begin(intake, exhibit, 'disk.raw', 500, digest(bytes));
    await expect(bench.begin(intake, exhibit, 'disk.raw', 500)).rejects.toMatchObject({ code: 'upload.name-taken' });
    await send(upload, bytes);
    await intake.waitForEnd(upload.id, 5000);
    await expect(bench.begin(intake, exhibit, 'disk.raw', 500)).rejects.toMatchObject({ code: 'segment.name-taken' });
  });

  it.each(['', ' disk', 'disk\n', 'a\0b', 'a\u202eb', 'x'.repeat(256), 'half \ud800'])('is the name %j', async (name) => {
    await expect(bench.begin(intake, await bench.exhibit(), name, 500)).rejects.toMatchObject({ code: 'upload.name' });
  });

  it('is more than the agency may have, however many begin at once', async () => {
    const { rows } = await bench.pool.query(
      `insert into agency (name, max_bytes, max_objects, max_uploads) values ('small', 10000, 5, 3) returning id`,
    );
    const agencyId = rows[0].id as string;
    const exhibitId = await bench.exhibit(agencyId);
    const begin = (name: string, size: number) =>
      intake.begin({ exhibitId, agencyId, accountId: bench.accountId, credential: 'token', name, size, expectedSha256: null });
    await expect(begin('big', 10_001)).rejects.toMatchObject({ code: 'quota.bytes' });
    const answers = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => begin(`part ${index}`, 3000)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const codes = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.code] : []));
    expect(new Set(codes)).toEqual(new Set(['quota.uploads']));
    await bench.pool.query('update agency set max_uploads = 100 where id = $1', [agencyId]);
    await expect(begin('last', 1001)).rejects.toMatchObject({ code: 'quota.bytes' }); // 9,000 of 10,000 bytes are announced
    await begin('four', 500);
    await begin('five', 500);
    await expect(begin('six', 1)).rejects.toMatchObject({ code: 'quota.objects' });
  });

  it('is anything while the disk is short, and nothing once it is no more', async () => {
    let short = true;
    const other = bench.intake({ isShort: async () => short });
    const exhibit = await bench.exhibit();
    await expect(bench.begin(other, exhibit, 'disk.raw', 500)).rejects.toMatchObject({ code: 'disk.short' });
    short = false;
    const upload = await bench.begin(other, exhibit, 'disk.raw', 500);
    short = true;
    const sent = other.receive({ uploadId: upload.id, offset: 0, bytes: pieces(randomBytes(500)), checksum: null });
    await expect(sent).rejects.toMatchObject({ code: 'disk.short' });
  });
});

describe('what goes on by itself', () => {
  it('checks what a process left complete and unchecked', async () => {
    const [bytes, exhibit] = [randomBytes(5000), await bench.exhibit()];
    const upload = await bench.begin(intake, exhibit, 'disk.raw', 5000, digest(bytes));
    await send(upload, bytes.subarray(0, 4999));
    await bench.pool.query(`update upload set status = 'checking' where id = $1`, [upload.id]);
    // one byte short: told to be complete, it is not
    expect(await intake.waitForEnd(upload.id, 5000)).toMatchObject({ status: 'failed', problem_code: 'upload.size' });
  });

  it('fails what was left alone, and clears it away', async () => {
    const upload = await bench.begin(intake, await bench.exhibit(), 'disk.raw', 5000);
    await send(upload, randomBytes(100));
    await bench.pool.query(`update upload set touched_at = touched_at - interval '8 days' where id = $1`, [upload.id]);
    const path = join(bench.folder, 'store', 'incoming', upload.id);
    execFileSync('touch', ['-d', '2 minutes ago', path]);
    const told: Upload[] = [];
    bench.intake({ onEnded: async (ended) => void told.push(ended) }); // a process that starts looks at once
    await expect.poll(() => existsSync(path), { timeout: 5000 }).toBe(false);
    expect(await intake.waitForEnd(upload.id, 1000)).toMatchObject({ status: 'failed', problem_code: 'upload.expired' });
    expect(told).toMatchObject([{ id: upload.id, status: 'failed', problem_code: 'upload.expired' }]);
  });
});
