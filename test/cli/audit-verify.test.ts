/** `custodia audit verify` by real commands, over what a service really exports; witness of the digest: sha256 of the last line by node:crypto. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openService, type TestService } from '../support/service.ts';
import { type Desk, jsonLines, openDesk } from './custodia.ts';

let service: TestService;
let desk: Desk;
let lines: string[];

beforeAll(async () => {
  service = await openService();
  desk = openDesk();
  const agency = await service.agency();
  const { token } = await service.person(agency, ['administrator']);
  for (const login of ['ann', 'bob', 'cleo'])
    await service.ask('/api/v1/accounts', { token, body: { agencyId: agency, login, name: login } });
  const { text } = await service.ask('/api/v1/audit/export.jsonl', { token });
  writeFileSync(desk.path('log.jsonl'), text);
  lines = text.trimEnd().split('\n');
  writeFileSync(desk.path('signer.pub'), service.installation.signer.publicKeyPem);
  const stranger = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(desk.path('stranger.pub'), stranger);
}, 60_000);
afterAll(async () => {
  await desk.close();
  await service.close();
});

const verify = (file: string, ...more: readonly string[]) =>
  desk.run('audit', 'verify', desk.path(file), '--trust', desk.path('signer.pub'), ...more);

async function statusOf(changed: readonly string[], end = '\n'): Promise<number | null> {
  writeFileSync(desk.path('changed.jsonl'), changed.join('\n') + end);
  return (await verify('changed.jsonl')).status;
}

it('finds that a log holds, and names its last line', async () => {
  const { status, stdout, stderr } = await verify('log.jsonl', '--json');
  expect([status, stderr]).toEqual([0, '']);
  const sha256 = createHash('sha256').update(lines.at(-1)!).digest('hex');
  expect(jsonLines(stdout)).toMatchObject([{ event: 'verdict', status: 0, events: lines.length, faults: 0, missing: 0, sha256 }]);
  expect((await verify('log.jsonl')).stdout).toContain(`all ${lines.length} events hold`);
});

it('finds what was altered, exchanged, doubled or put in (1), and what is not there (2)', async () => {
  expect(lines.length).toBeGreaterThan(5);
  const envelope = JSON.parse(lines[2]!);
  const payload = Buffer.from(envelope.payload, 'base64').toString().replace('"allowed"', '"denied"').replace('"done"', '"failed"');
  const altered = JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') });
  expect(await statusOf([...lines.slice(0, 2), altered, ...lines.slice(3)])).toBe(1);
  expect(await statusOf([lines[1]!, lines[0]!, ...lines.slice(2)])).toBe(1);
  expect(await statusOf([lines[0]!, ...lines])).toBe(1);
  expect(await statusOf([...lines, '{}'])).toBe(1);
  expect(await statusOf(lines, '\r\n')).toBe(1);
  expect(await statusOf([...lines.slice(0, 2), ...lines.slice(3)])).toBe(2);
  expect(await statusOf([], '')).toBe(2);
});

it('believes no key that it was not told to trust, and takes the worst of several files', async () => {
  const stranger = await desk.run('audit', 'verify', desk.path('log.jsonl'), '--trust', desk.path('stranger.pub'));
  expect([stranger.status, stranger.stdout]).toEqual([2, expect.stringContaining('a key that you do not trust')]);
  writeFileSync(desk.path('changed.jsonl'), 'x\n');
  const both = await verify('changed.jsonl', desk.path('log.jsonl'));
  expect([both.status, both.stdout]).toEqual([1, expect.stringContaining('events hold')]);
  const missing = await verify('nowhere.jsonl');
  expect([missing.status, missing.stderr]).toEqual([3, expect.stringContaining('[audit.unreadable]')]);
  const bare = await desk.run('audit', 'verify', desk.path('log.jsonl'), '--trust', `sha256:${'0'.repeat(64)}`);
  expect([bare.status, bare.stderr]).toEqual([3, expect.stringContaining('[trust.unreadable]')]);
});
