/** Access is custody: looks are durable before content leaves, and stand in the ledger afterwards, each once, whatever happens in between. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type FastifyRequest } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readChain } from '../../src/custody/chain.ts';
import { keyIdOf } from '../../src/custody/dsse.ts';
import { createLooks, type Looks } from '../../src/http/looks.ts';
import { readLedger } from '../../src/store/ledger.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

let service: TestService;
let reader: Person;
let caseId: string;
const sessions = ['01890000-0000-7000-8000-00000000000a', '01890000-0000-7000-8000-00000000000b'];

beforeAll(async () => {
  service = await openService();
  const agency = await service.agency();
  reader = await service.person(agency);
  caseId = await service.caseOf(agency, [
    [reader, 'investigator'],
    [reader, 'examiner'],
  ]);
}, 60_000);
afterAll(() => service.close());

async function examined(label: string): Promise<{ exhibit: string; examinationId: string }> {
  const exhibit = await service.exhibitOf(caseId, label);
  const { rows } = await service.installation.database.query<{ id: string }>(
    `insert into examination (exhibit_id, examiner, image, received, profile) values ($1, 'x', '{}', '[]', '{}') returning id`,
    [exhibit],
  );
  return { exhibit, examinationId: rows[0]!.id };
}

/** As the server hands it on: who, and by which session. */
const by = (session = 0) =>
  ({ subject: { accountId: reader.id }, credential: { kind: 'session', id: sessions[session] } }) as unknown as FastifyRequest;

async function events(exhibit: string, label: string) {
  const { database, signer } = service.installation;
  const key = createPublicKey(signer.publicKeyPem);
  const { rows } = await database.query('select reference from case_file where id = $1', [caseId]);
  const lines = await readLedger(database, exhibit);
  const chain = readChain(lines, new Map<string, KeyObject>([[keyIdOf(key), key]]), { case: rows[0].reference, label });
  expect(chain.faults).toEqual([]);
  return chain.events;
}

const openCount = async (exhibit: string) =>
  Number(
    (await service.installation.database.query('select count(*) from looked where exhibit_id = $1 and recorded is null', [exhibit])).rows[0]
      .count,
  );

const record = (due: object) => service.installation.recorder.recordLooks(service.installation.database, due);

it('has a row of each look before it resolves, and no event yet', async () => {
  const { exhibit, examinationId } = await examined('L-1');
  const looks = createLooks(service.installation);
  await looks.add(by(), { examinationId, how: 'viewed', locator: 'image:/a' });
  expect(await openCount(exhibit)).toBe(1);
  await record({}); // a round: it is neither old nor many
  expect(await events(exhibit, 'L-1')).toEqual([]);
  await service.installation.database.query(`update looked set at = at - interval '6 minutes' where exhibit_id = $1`, [exhibit]);
  await record({});
  const [event] = await events(exhibit, 'L-1');
  expect(event).toMatchObject({
    type: 'accessed',
    actor: { name: expect.stringMatching(/^login-/), role: 'examiner, investigator', authenticator: 'session' },
    looks: { session: `session:${sessions[0]}`, count: 1, list: [{ how: 'viewed', locator: 'image:/a', examination: examinationId }] },
  });
  await looks.close();
});

it('tells of 450 looks in events of at most 200, a batch for each session, each look once', async () => {
  const { exhibit, examinationId } = await examined('L-2');
  const looks = createLooks(service.installation);
  await Promise.all(
    Array.from({ length: 450 }, (_, at) => looks.add(by(at < 430 ? 0 : 1), { examinationId, how: 'downloaded', locator: `image:/${at}` })),
  );
  await looks.close(); // as at shutdown
  const found = (await events(exhibit, 'L-2')).map((event) => event.looks!);
  expect(found.map(({ count }) => count).sort((a, b) => a - b)).toEqual([20, 30, 200, 200]); // 430 = 200 + 200 + 30
  const locators = found.flatMap(({ list }) => list.map(({ locator }) => locator));
  expect(new Set(locators).size).toBe(450);
  expect(locators).toHaveLength(450);
  for (const { list, from, to, count } of found) {
    expect(list).toHaveLength(count);
    expect([list[0]!.at, list.at(-1)!.at]).toEqual([from, to]);
  }
});

it('tells once of what a dead process left behind, though several pick it up at once', async () => {
  const { exhibit, examinationId } = await examined('L-3');
  const abandoned: Looks = createLooks(service.installation); // never closed: its process died
  for (const locator of ['image:/a', 'image:/b', 'image:/c']) await abandoned.add(by(), { examinationId, how: 'viewed', locator });
  await Promise.all([record({ examinationId }), record({ all: true }), record({ examinationId })]);
  expect((await events(exhibit, 'L-3')).map(({ looks }) => looks!.count)).toEqual([3]);
  expect(await openCount(exhibit)).toBe(0);
});

it('refuses the look where its row cannot be written', async () => {
  const { examinationId } = await examined('L-4');
  const looks = createLooks(service.installation);
  const { database } = service.installation;
  await database.query('alter table looked rename to looked_away');
  try {
    await expect(looks.add(by(), { examinationId, how: 'viewed', locator: 'image:/a' })).rejects.toThrow('looked');
  } finally {
    await database.query('alter table looked_away rename to looked');
  }
  await looks.close();
});
