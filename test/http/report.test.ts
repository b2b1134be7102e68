/** A report whose ledger is long: the server answers while it is verified event by event. Witness: the clock of whoever asks, and the report's own count of events. */
import { createPublicKey } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lineDigest, sealNext } from '../../src/custody/chain.ts';
import { openEnvelope } from '../../src/custody/dsse.ts';
import { type ChainedEvent } from '../../src/custody/event.ts';
import { healthRoutes } from '../../src/http/routes/health.ts';
import { submit } from '../../src/pipeline/submit.ts';
import { readExamination } from '../../src/store/examinations.ts';
import { readLedger } from '../../src/store/ledger.ts';
import { fixturePath } from '../support/fixture.ts';
import { profile } from '../support/laboratory.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

const manyEvents = 20_000;
let service: TestService;
let reader: Person;
let examinationId: string;

beforeAll(async () => {
  service = await openService({ works: true, rootRoutes: [healthRoutes({ checks: async () => ({}) })] });
  reader = await service.person(await service.agency());
  const { database, recorder, queue } = service.installation;
  const actor = { name: 'Exam Iner', role: 'examiner', authenticator: 'api token' };
  const submission = {
    ...{ caseReference: 'case 7', exhibit: 'E-1', examiner: 'Exam Iner', profile },
    image: { format: 'raw', paths: [fixturePath('exif-camera')] },
    request: { agencyId: reader.agencyId, accountId: reader.id, actor },
  };
  ({ examinationId } = await submit(database, await queue(), recorder, submission));
  await database.query(
    `insert into case_member (case_id, account_id, role) select case_id, $1, 'examiner' from exhibit join examination on exhibit_id = exhibit.id where examination.id = $2`,
    [reader.id, examinationId],
  );
  while ((await readExamination(database, examinationId))!.examination.concluded_at === null) await sleep(50);
  await lengthenLedger();
}, 60_000);
afterAll(() => service.close());

/** By as many looks as an investigator may take in a year, each signed and chained. */
async function lengthenLedger(): Promise<void> {
  const { database, signer } = service.installation;
  const { exhibit } = (await readExamination(database, examinationId))!;
  const line = (await readLedger(database, exhibit.id)).at(-1)!;
  const { statement } = openEnvelope(line, new Map([[signer.keyId, createPublicKey(signer.publicKeyPem)]]));
  const { seq, prev: _prev, step: _step, ...last } = (statement as { predicate: ChainedEvent }).predicate;
  let head = { seq, digest: lineDigest(line) };
  const envelopes: string[] = [];
  const digests: string[] = [];
  for (let index = 0; index < manyEvents; index++) {
    const looked = { how: 'viewed', locator: `image:/x:${index}`, examination: examinationId };
    const sealed = sealNext(head, { ...last, type: 'accessed', digests: [], alteration: null, looked }, signer.privateKey);
    head = { seq: head.seq + 1, digest: sealed.digest };
    envelopes.push(sealed.envelope);
    digests.push(sealed.digest);
  }
  await database.query(
    `insert into ledger (exhibit_id, seq, envelope, digest, event_key)
     select $1, $2 + place, envelope, digest, 'test:' || place from unnest($3::text[], $4::text[]) with ordinality as given (envelope, digest, place)`,
    [exhibit.id, seq, envelopes, digests],
  );
  await database.query('update ledger_head set seq = $2, digest = $3 where exhibit_id = $1', [exhibit.id, head.seq, head.digest]);
}

it('whoever asks for something else gets it within 200 ms while the report is written', async () => {
  let isWritten = false;
  const begun = performance.now();
  const asked = service.ask(`/api/v1/examinations/${examinationId}/report/report.json`, { token: reader.token }).then((answer) => {
    isWritten = true;
    return answer;
  });
  const waits: number[] = [];
  let answered = performance.now();
  while (!isWritten) {
    expect((await service.ask('/healthz')).status).toBe(200);
    waits.push(performance.now() - answered); // from answer to answer: a standstill in between counts
    answered = performance.now();
    await sleep(5);
  }
  const took = performance.now() - begun;
  const { status, json } = await asked;
  expect(status).toBe(200);
  expect(json.ledger.events, 'what was verified').toBeGreaterThan(manyEvents);
  expect(took, 'to verify 20,000 signatures takes longer: there was something to wait for').toBeGreaterThan(500);
  expect(waits.length).toBeGreaterThan(10);
  expect(Math.max(...waits)).toBeLessThan(200);
}, 60_000);
