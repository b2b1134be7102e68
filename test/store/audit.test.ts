/** The audit log: dense and chained however many write at once, and every change of it is found. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verifyAudit } from '../../src/custody/audit-event.ts';
import { keyIdOf, sealEnvelope } from '../../src/custody/dsse.ts';
import { appendAudit, nextAuditLines, readAuditHead, type ToldAuditEvent } from '../../src/store/audit.ts';
import { groupCommit } from '../../src/store/group-commit.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const keys = new Map<string, KeyObject>([[keyIdOf(publicKey), publicKey]]);
let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const told = (action: string): ToldAuditEvent => ({
  who: { account: null, agency: null, credential: null, address: '192.0.2.7' },
  route: 'GET /api/v1/cases',
  action,
  outcome: 'denied',
  about: {},
  request: null,
});

const lines = async () => {
  const client = await database.pool.connect();
  try {
    return (await nextAuditLines(client, -1, 10_000)).map(({ envelope }) => envelope);
  } finally {
    client.release();
  }
};

it('is dense and chained when several processes write groups at once', async () => {
  let transactions = 0;
  const writer = () =>
    groupCommit<ToldAuditEvent>((group) => {
      transactions++;
      return transaction(database.pool, (client) => appendAudit(client, privateKey, group));
    });
  const writers = [writer(), writer(), writer()];
  await Promise.all(Array.from({ length: 300 }, (_, index) => writers[index % 3]!.add(told(`a.${index}`))));
  const { events, faults, missing, head } = verifyAudit(await lines(), keys);
  expect(faults).toEqual([]);
  expect(missing).toBe(0);
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  expect(new Set(events.map(({ action }) => action)).size).toBe(300);
  expect(head).toEqual(await readAuditHead(database.pool));
  expect(transactions).toBeLessThan(30);
});

it('goes back with the transaction it is written in', async () => {
  const before = await readAuditHead(database.pool);
  await expect(
    transaction(database.pool, async (client) => {
      await appendAudit(client, privateKey, [told('never')]);
      throw new Error('the effect failed');
    }),
  ).rejects.toThrow('the effect failed');
  expect(await readAuditHead(database.pool)).toEqual(before);
});

it('shows what was altered, taken out, put in, exchanged or signed by another', async () => {
  const good = (await lines()).slice(0, 6);
  const faultsOf = (changed: string[]) => verifyAudit(changed, keys).faults.length;
  expect(faultsOf(good)).toBe(0);
  const without = verifyAudit([...good.slice(0, 2), ...good.slice(3)], keys);
  expect(without.missing).toBe(1);
  expect(faultsOf([good[0]!, good[2]!, good[1]!, ...good.slice(3)])).toBeGreaterThan(0);
  expect(faultsOf([good[0]!, good[0]!, ...good.slice(1)])).toBeGreaterThan(0);
  for (let at = 0; at < good[2]!.length; at += 7) {
    const letter = good[2]![at] === 'A' ? 'B' : 'A';
    const changed = `${good[2]!.slice(0, at)}${letter}${good[2]!.slice(at + 1)}`;
    expect(faultsOf([...good.slice(0, 2), changed, ...good.slice(3)])).toBeGreaterThan(0);
  }
  const other = generateKeyPairSync('ed25519').privateKey;
  const statement = JSON.parse(Buffer.from(JSON.parse(good[2]!).payload, 'base64').toString()) as { predicate: { outcome: string } };
  expect(faultsOf([...good.slice(0, 2), sealEnvelope(statement, other), ...good.slice(3)])).toBeGreaterThan(0);
  statement.predicate.outcome = 'allowed'; // even with the right key: the subject is the digest of the event
  expect(faultsOf([...good.slice(0, 2), sealEnvelope(statement, privateKey), ...good.slice(3)])).toBeGreaterThan(0);
});

it('tells everyone of a group that the write failed, and goes on', async () => {
  let broken = true;
  const commit = groupCommit<number>(async () => {
    if (broken) throw new Error('the database is away');
  });
  const failed = await Promise.allSettled([commit.add(1), commit.add(2)]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  broken = false;
  await commit.add(3);
});
