/** What was found and what happened, from the command line: timeline, problems, volumes, ledger, uploads; and what becomes of examinations and units. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stateOf } from '../../src/cli/service/follow.ts';
import { fixturePath } from '../support/fixture.ts';
import { openService, type Person, type TestService } from '../support/service.ts';
import { type Colleague, colleague } from './service-desk.ts';

let service: TestService;
let place: string;
let person: Person;
let lead: Colleague;
let administrator: Colleague;
let id: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'custodia-root-'));
  copyFileSync(fixturePath('disk-mbr-e01'), join(place, 'disk.E01'));
  service = await openService({ works: true, environment: { CUSTODIA_EVIDENCE_ROOTS: `vault=${place}` } });
  const agency = await service.agency();
  person = await service.person(agency, ['lab-lead']);
  lead = colleague(service.url, person.token);
  administrator = colleague(service.url, (await service.person(agency, ['administrator', 'ops'])).token);
  const lines = await lead.does('submit', '--in-place', 'vault:disk.E01', '--case', 'C-1', '--exhibit', 'A-1');
  id = lines.at(-1).examination;
  expect((await lead.tries('watch', id)).status).toBe(4);
}, 60_000);
afterAll(async () => {
  await Promise.all([lead, administrator].map((who) => who.close()));
  await service.close();
  rmSync(place, { recursive: true, force: true });
});

it('tells what was found: times in order, problems, volumes', async () => {
  const moments = await lead.does('timeline', id);
  expect(moments.length).toBeGreaterThan(20);
  const entries = await lead.does('list', id);
  // each time of each entry is one moment: counted over the records of the other command
  expect(moments).toHaveLength(entries.reduce((sum, { times }) => sum + Object.keys(times).length, 0));
  const modified = await lead.does('timeline', id, '--kinds', 'modified');
  expect(modified).toEqual(moments.filter(({ kind }) => kind === 'modified'));
  const all = await lead.does('problems', id);
  const counted = await lead.does('problems', id, '--summary');
  expect(counted.map(({ code, count }) => [code, count])).toEqual(
    [...new Set(all.map(({ code }) => code))].sort().map((code) => [code, all.filter((problem) => problem.code === code).length]),
  );
  const hiding = await lead.does('problems', id, '--hiding');
  expect(hiding).toEqual(all.filter(({ hidesEvidence }) => hidesEvidence));
  expect((await lead.does('volumes', id)).map(({ locator }) => locator)).toContain('image:/mbr:1');
  expect((await lead.tries('timeline', id)).stdout.split('\n')[0]).toMatch(/^TIME +ZONE +KIND +ALLOCATED +PATH$/);
});

it('tells what happened to an exhibit, by its label or id, and where evidence may lie', async () => {
  const events = await lead.does('ledger', 'C-1', 'A-1');
  expect(events[0]).toMatchObject({ seq: 0, type: 'received', exhibit: { case: 'C-1', label: 'A-1' } });
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index));
  const [exhibit] = await lead.does('exhibits', 'C-1');
  const lines = (await lead.tries('ledger', 'C-1', exhibit.id, '--lines')).stdout.trim().split('\n');
  expect(lines.length).toBeGreaterThanOrEqual(events.length);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ payloadType: 'application/vnd.in-toto+json' }); // DSSE, in-toto
  expect(await lead.does('evidence-roots')).toEqual([{ kind: 'root', name: 'vault' }]);
});

it('pauses and resumes an examination, gives a unit up and begins it again', async () => {
  await administrator.does('queue', 'pause');
  const lines = await lead.does('submit', '--in-place', 'vault:disk.E01', '--case', 'C-1', '--exhibit', 'A-2');
  const other = lines.at(-1).examination;
  expect(await lead.does('examinations', 'pause', other, '--why', 'lunch')).toMatchObject([{ pausedBecause: 'lunch' }]);
  await administrator.does('queue', 'resume');
  expect((await lead.does('units', other)).map(({ status }) => status)).toEqual(['open', 'open']);
  expect(await lead.does('examinations', 'resume', other)).toMatchObject([{ pausedAt: null }]);
  const { status } = await lead.tries('watch', other);
  expect(status).toBe(4);
  const [unit] = await lead.does('units', other);
  for (const verb of ['cancel', 'retry']) {
    const { status: refused, stderr } = await lead.tries('units', verb, unit.id);
    expect([refused, stderr], verb).toEqual([3, expect.stringMatching(/\[(unit|examination)\.[a-z]+\]/)]); // it is done
  }
});

it('an account that was disabled signs in again when it is enabled; a password is changed by its owner', async () => {
  const before = 'seven grey herons at the weir';
  const after = 'nine brown otters below the bridge';
  expect((await administrator.types(before, 'accounts', 'create', 'lea', '--password')).status).toBe(0);
  await administrator.does('accounts', 'disable', 'lea');
  const desk = colleague(service.url, null);
  expect((await desk.types(before, 'login', '--login', 'lea')).stderr).toContain('[session.refused]');
  await administrator.does('accounts', 'enable', 'lea');
  expect((await desk.types(`${before}\n${after}`, 'password', '--login', 'lea')).status).toBe(0);
  expect((await desk.types(before, 'login', '--login', 'lea')).stderr).toContain('[session.refused]');
  expect((await desk.types(after, 'login', '--login', 'lea')).status).toBe(0);
  await desk.close();
});

describe('progress', () => {
  const unit = (kind: string, status: string, files: number, bytes: number) => ({ kind, status, units: 1, files, bytes });
  it('shows the medium and the files apart', () => {
    // by hand: 10 of 30 files done and 2 under way; 600 of 1,000 bytes of the medium; 900 bytes under way are 600 of it and 300 of files
    const state = stateOf({
      status: 'open',
      units: [unit('hash-media', 'open', 0, 0), unit('examine-files', 'done', 10, 5000), unit('examine-files', 'open', 20, 9000), unit('examine-files', 'split', 20, 9000)], // biome-ignore format: a list
      underWay: { units: 2, files: 2, bytes: 900 },
      medium: { size: 1000, hashed: 600 },
    });
    expect(state).toEqual({ stage: 'examining', hashed: 600, hashTotal: 1000, files: 12, filesTotal: 30, fileBytes: 5300 });
  });
});
