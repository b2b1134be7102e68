/** Evidence fetched from S3. Witness: OpenStack Swift 2.30 with s3api, which checks every signature; sha256 of what was put there. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readIntakeSettings } from '../../src/config.ts';
import { type Intake } from '../../src/intake/intake.ts';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { hasSwift, openSwift, type Swift } from '../support/swift.ts';
import { type Bench, eventsOf, openBench } from './bench.ts';

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe.skipIf(!hasSwift)('evidence in S3 (Swift)', () => {
  let swift: Swift;
  let bench: Bench;
  let intake: Intake;
  let client: S3Client;

  beforeAll(async () => {
    [swift, bench] = await Promise.all([openSwift(), openBench()]);
    const { endpoint, accessKeyId, secretAccessKey } = swift;
    client = new S3Client({
      ...{ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
      ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'evidence' }));
    const of = (name: string, secret: string) => ({
      [`CUSTODIA_S3_${name}_ENDPOINT`]: endpoint,
      [`CUSTODIA_S3_${name}_REGION`]: 'us-east-1',
      [`CUSTODIA_S3_${name}_BUCKET`]: 'evidence',
      [`CUSTODIA_S3_${name}_KEY_ID`]: accessKeyId,
      [`CUSTODIA_S3_${name}_SECRET`]: secret,
    });
    const environment = { CUSTODIA_S3_SOURCES: 'lab;wrong', ...of('LAB', secretAccessKey), ...of('WRONG', 'guessed') };
    const { sources } = readIntakeSettings(bench.folder, environment);
    intake = bench.intake({ settings: { ...bench.settings, sources } });
  }, 60_000);
  afterAll(async () => {
    await bench?.close();
    await swift?.close();
  });

  const put = (key: string, bytes: Uint8Array) => client.send(new PutObjectCommand({ Bucket: 'evidence', Key: key, Body: bytes }));
  const fetchFrom = (exhibitId: string, key: string, expectedSha256: string | null = null, source = 'lab') =>
    intake.fetch({ exhibitId, agencyId: localAgency, accountId: bench.accountId, credential: 'token', expectedSha256, source, key });

  it('is streamed into the store, compared, and told in the ledger', async () => {
    const [bytes, exhibit] = [randomBytes(3_000_000), await bench.exhibit()];
    await put('case 7/disk ü.raw', bytes);
    const upload = await fetchFrom(exhibit, 'case 7/disk ü.raw', digest(bytes));
    expect(await intake.waitForEnd(upload.id, 10_000)).toMatchObject({ status: 'accepted', sha256: digest(bytes), name: 'disk ü.raw' });
    expect(await eventsOf(bench.pool, exhibit)).toMatchObject([
      { type: 'received', digests: [{ value: digest(bytes), point: 'H1', result: 'equal' }] },
    ]);
  });

  it('goes on where it stopped, and fails where the object is another one by then', async () => {
    const [bytes, exhibit] = [randomBytes(500_000), await bench.exhibit()];
    for (const [key, changed] of [
      ['same.raw', false],
      ['other.raw', true],
    ] as const) {
      await put(key, bytes);
      // as a process leaves it that was killed: half of it has come, nobody holds it
      const { rows } = await bench.pool.query<{ id: string }>(
        `insert into upload (exhibit_id, agency_id, account_id, credential, origin, name, size, source, source_key, source_etag, held_until)
         values ($1, $2, $3, 'token', 's3', $4, 500000, 'lab', $4, $5, clock_timestamp() + interval '1 second') returning id`,
        [exhibit, localAgency, bench.accountId, key, `"${createHash('md5').update(bytes).digest('hex')}"`],
      );
      const id = rows[0]!.id;
      const first = await bench.begin(intake, await bench.exhibit(), 'makes the folder', 10);
      await intake.cancel(first.id);
      writeFileSync(`${bench.folder}/store/incoming/${id}`, bytes.subarray(0, 250_000));
      if (changed) await put(key, randomBytes(500_000));
      const ended = await intake.waitForEnd(id, 10_000);
      if (changed) expect(ended).toMatchObject({ status: 'failed', problem_code: 's3.changed' });
      else expect(ended).toMatchObject({ status: 'accepted', sha256: digest(bytes) });
    }
  });

  it('of another digest than was told is not accepted', async () => {
    await put('wrong.raw', randomBytes(1000));
    const upload = await fetchFrom(await bench.exhibit(), 'wrong.raw', digest(randomBytes(5)));
    expect(await intake.waitForEnd(upload.id, 10_000)).toMatchObject({ status: 'failed', problem_code: 'upload.digest' });
  });

  it.each([
    ['an object that is not there', 'lab', 'nothing.raw', 's3.not-found'],
    ['a source of which the secret is wrong', 'wrong', 'wrong.raw', 's3.denied'],
    ['a source that nobody configured', 'other', 'wrong.raw', 's3.source'],
  ])('is refused at once: %s', async (_what, source, key, code) => {
    await expect(fetchFrom(await bench.exhibit(), key, null, source)).rejects.toMatchObject({ code });
  });
});
