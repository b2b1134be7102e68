/** What the ledger says of who, when and by whose key. Witness: what each event is made from, given by the test; passwd(5) for the account. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { type ChainedEvent } from '../../src/custody/event.ts';
import { custodyGaps } from '../../src/custody/gaps.ts';
import { openInstallation } from '../../src/installation.ts';
import { submit } from '../../src/pipeline/submit.ts';
import { readExamination } from '../../src/store/examinations.ts';
import { readLedger } from '../../src/store/ledger.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory, profile } from '../support/laboratory.ts';

let database: TestDatabase;
let laboratory: Laboratory;

beforeAll(async () => {
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
});
afterAll(async () => {
  await laboratory.close();
  await database.close();
});

async function submitBy(examiner: string, exhibit: string): Promise<string> {
  const { database: pool, recorder, queue } = laboratory.installation;
  const image = { format: 'ewf', paths: [fixturePath('ewf-encase6')] };
  const submission = { caseReference: 'case 7', exhibit, examiner, image, profile };
  return (await submit(pool, await queue(), recorder, submission)).examinationId;
}

async function ledgerOf(examinationId: string): Promise<ChainedEvent[]> {
  const { exhibit } = (await readExamination(database.pool, examinationId))!;
  const payloadOf = (line: string) => Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString('utf8');
  return (await readLedger(database.pool, exhibit.id)).map((line) => JSON.parse(payloadOf(line)).predicate);
}

it('forty looks at once are recorded at times that rise with the sequence', async () => {
  const { database: pool, recorder } = laboratory.installation;
  const examination = await submitBy('Ann', 'looked at');
  await Promise.all(Array.from({ length: 40 }, (_, index) => recorder.recordAccess(pool, examination, 'show', `image:/${index}`)));
  const events = await ledgerOf(examination);
  expect(events).toHaveLength(41);
  expect(custodyGaps(events)).toEqual([]);
  expect(events.map(({ recordedAt }) => recordedAt)).toEqual(events.map(({ recordedAt }) => recordedAt).sort());
});

it('who looks is the account that does so, not the examiner', async () => {
  const examination = await submitBy('Ann', 'looked at once');
  await laboratory.installation.recorder.recordAccess(database.pool, examination, 'cat', 'image:');
  expect((await ledgerOf(examination)).map(({ actor }) => actor)).toEqual([
    { name: 'Ann', role: 'examiner', authenticator: 'stated' },
    { name: userInfo().username, role: 'operator', authenticator: 'operating system' },
  ]);
});

it('each examination of an exhibit is done on behalf of who asked for it', async () => {
  const worker = laboratory.startWorker();
  const first = await submitBy('Ann', 'examined twice');
  await laboratory.concluded(first);
  const second = await submitBy('Bob', 'examined twice');
  await laboratory.concluded(second);
  worker.process.kill('SIGTERM');
  await worker.exited;
  const events = await ledgerOf(second);
  const asked = (id: string) => new Set(events.flatMap(({ step, onBehalfOf }) => (step?.examination === id ? [onBehalfOf] : [])));
  expect(events.filter(({ type }) => type === 'received').map(({ actor }) => actor.name)).toEqual(['Ann', 'Bob']);
  expect([asked(first), asked(second)]).toEqual([new Set(['Ann']), new Set(['Bob'])]);
});

it('a data folder with another key cannot add to this record', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'custodia-elsewhere-'));
  try {
    const config = readConfig({ data: elsewhere, threads: 1 }, { DATABASE_URL: database.url, CUSTODIA_LOG: 'fatal' }, 1);
    const { keyId } = laboratory.installation.signer;
    await expect(openInstallation(config)).rejects.toThrow(`key.other: the record in this database is signed by ${keyId}, and `);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});
