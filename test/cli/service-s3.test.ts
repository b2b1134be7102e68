/** `submit --s3`: the service fetches from a bucket what the command names. Witness: OpenStack Swift with s3api, where it is installed; the exit status of `process` for the same image. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixturePath } from '../support/fixture.ts';
import { openService, type TestService } from '../support/service.ts';
import { hasSwift, openSwift, type Swift } from '../support/swift.ts';
import { type Colleague, colleague } from './service-desk.ts';

describe.skipIf(!hasSwift)('a bucket (Swift)', () => {
  let swift: Swift;
  let service: TestService;
  let lead: Colleague;
  const bytes = readFileSync(fixturePath('disk-mbr-e01'));

  beforeAll(async () => {
    swift = await openSwift();
    const { endpoint, accessKeyId, secretAccessKey } = swift;
    const client = new S3Client({
      ...{ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
      ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'evidence' }));
    await client.send(new PutObjectCommand({ Bucket: 'evidence', Key: 'cases/117/disk.E01', Body: bytes }));
    client.destroy();
    service = await openService({
      works: true,
      environment: {
        CUSTODIA_S3_SOURCES: 'lab',
        CUSTODIA_S3_LAB_ENDPOINT: endpoint,
        CUSTODIA_S3_LAB_REGION: 'us-east-1',
        CUSTODIA_S3_LAB_BUCKET: 'evidence',
        CUSTODIA_S3_LAB_KEY_ID: accessKeyId,
        CUSTODIA_S3_LAB_SECRET: secretAccessKey,
      },
    });
    lead = colleague(service.url, (await service.person(await service.agency(), ['lab-lead'])).token);
  }, 60_000);
  afterAll(async () => {
    await lead?.close();
    await service?.close();
    await swift?.close();
  });

  const order = ['--case', 'C-1', '--exhibit', 'A-1'];

  it('is examined from, and what came is what lay there', async () => {
    expect(await lead.does('evidence-roots')).toEqual([{ kind: 'source', name: 'lab' }]);
    const { status, stderr } = await lead.tries('submit', '--s3', 'lab:cases/117/disk.E01', ...order, '--wait');
    expect([status, stderr]).toEqual([4, expect.stringContaining('taken in lab:cases/117/disk.E01')]);
    expect(await lead.does('uploads', 'C-1', 'A-1')).toMatchObject([
      { origin: 's3', status: 'accepted', sha256: createHash('sha256').update(bytes).digest('hex') },
    ]);
  });

  it('that holds no such object is told of in words', async () => {
    const { status, stdout, stderr } = await lead.tries('submit', '--s3', 'lab:nothing', '--case', 'C-1', '--exhibit', 'A-2');
    expect([status, stdout]).toEqual([expect.any(Number), '']);
    expect(stderr).toMatch(/\[(s3|upload|evidence)\.[a-z-]+\]\n$/);
    expect(status).not.toBe(0);
  });
});
