/** A lab submits and waits, an investigator lists, shows, reads and verifies: each from the command line, at one service with a worker. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { openService, type Person, type TestService } from '../support/service.ts';
import { jsonLines, stateOf } from './custodia.ts';
import { type Colleague, colleague } from './service-desk.ts';

const program = join(import.meta.dirname, '..', '..', 'bin', 'custodia.cjs');

let service: TestService;
let place: string;
let lead: Colleague;
let lab: Colleague;
let investigator: Colleague;
let stranger: Colleague;
let members: Person[];
let examination: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'custodia-root-'));
  copyFileSync(fixturePath('disk-mbr-e01'), join(place, 'disk.E01'));
  service = await openService({ works: true, environment: { CUSTODIA_EVIDENCE_ROOTS: `vault=${place}` } });
  const agency = await service.agency();
  members = await Promise.all([service.person(agency, ['lab-lead']), service.person(agency), service.person(agency)]);
  [lead, lab, investigator] = members.map(({ token }) => colleague(service.url, token)) as [Colleague, Colleague, Colleague];
  stranger = colleague(service.url, (await service.person(await service.agency(), ['lab-lead'])).token);
  await lead.does('cases', 'create', '2026-117');
  await lead.does('cases', 'members', 'add', '2026-117', members[1]!.id, 'submitter');
  await lead.does('cases', 'members', 'add', '2026-117', members[2]!.id, 'investigator');
  mkdirSync(lab.desk.path('evidence'));
  copyFileSync(fixturePath('disk-mbr-e01'), lab.desk.path('evidence/disk.E01'));
}, 120_000);
afterAll(async () => {
  await Promise.all([lead, lab, investigator, stranger].map((who) => who.close()));
  await service.close();
  rmSync(place, { recursive: true, force: true });
});

const order = ['--case', '2026-117', '--exhibit', 'A-1'];

describe('a lab', () => {
  it('sends an image and waits: the exit status is that of process, the evidence stays as it was', async () => {
    const before = stateOf(lab.desk.path('evidence'));
    const { status, stdout, stderr } = await lab.tries('submit', 'evidence/disk.E01', ...order, '--description', 'a disk', '--wait');
    expect([status, stderr]).toEqual([4, expect.stringContaining('sent evidence/disk.E01')]); // its NTFS is not read: as in process.test.ts
    const [id, ended] = stdout.trim().split('\n');
    expect(ended).toBe(`examination ${id}: complete`);
    expect(stderr).toMatch(/^complete: image .* of .*, files \d+ of \d+/m);
    expect(stateOf(lab.desk.path('evidence'))).toEqual(before);
    examination = id!;
    expect(await lab.does('status', id!)).toMatchObject([{ id, status: 'complete', conclusion: { integrity: 'intact' } }]);
    expect((await lab.tries('status')).stdout).toMatch(new RegExp(`^${id} .* complete +2026-117 +A-1`, 'm'));
  });

  it('sends nothing twice', async () => {
    const { stdout } = await lab.tries('submit', 'evidence/disk.E01', ...order, '--priority', '9', '--json');
    const [sent, submitted] = jsonLines(stdout);
    // sha256sum (coreutils) over the file
    expect(sent).toMatchObject({
      event: 'sent',
      known: true,
      sha256: createHash('sha256')
        .update(readFileSync(lab.desk.path('evidence/disk.E01')))
        .digest('hex'),
    });
    expect(submitted).toMatchObject({ event: 'submitted', examination: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(await lab.does('uploads', '2026-117', 'A-1')).toMatchObject([{ name: 'disk.E01', status: 'accepted', sha256: sent.sha256 }]);
  });

  it('names the files of a set in any order', async () => {
    const folder = lab.desk.path('split');
    mkdirSync(folder);
    for (const part of ['E01', 'E02', 'E03']) copyFileSync(fixturePath('ewf-split').replace('E01', part), join(folder, `image.${part}`));
    const parts = ['E03', 'E01', 'E02'].map((part) => join(folder, `image.${part}`));
    const { status, stdout, stderr } = await lab.tries('submit', ...parts, '--case', '2026-117', '--exhibit', 'A-2', '--wait');
    expect([0, 4], stderr).toContain(status);
    const id = stdout.split('\n')[0]!;
    const out = lead.desk.path('split-report');
    expect((await lead.tries('report', id, '--out', out)).status).toBe(0);
    const { media } = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
    const { mediaSize, md5 } = fixtureExpected('ewf-split'); // ewfinfo, see the fixture's origin.md
    expect([media.size, media.digests.md5]).toEqual([mediaSize, md5]);
  });

  it('goes on after it was killed in the middle of a file', async () => {
    const file = lab.desk.path('large.raw');
    const bytes = randomBytes(160 * 1024 * 1024);
    writeFileSync(file, bytes);
    const args = ['submit', file, '--case', '2026-117', '--exhibit', 'A-3', '--json'];
    const first = lab.desk.start(args, { HOME: lab.home });
    const { database, config } = service.installation;
    const uploads = async () =>
      (await database.query<{ id: string; status: string }>(`select id, status from upload where name = 'large.raw'`)).rows;
    const incoming = join(config.dataFolder, 'store/incoming');
    const arrived = (id: string) =>
      readdirSync(incoming)
        .filter((name) => name.startsWith(id))
        .map((name) => statSync(join(incoming, name)).size);
    while (Math.max(0, ...(await uploads()).flatMap(({ id }) => arrived(id))) < 1024 * 1024) await sleep(2);
    first.process.kill('SIGKILL');
    await first.ended;
    const [begun] = await uploads();
    expect(begun!.status).toBe('receiving');

    const [sent] = await lab.does(...args.slice(0, -1));
    expect(sent).toMatchObject({ known: false, sha256: createHash('sha256').update(bytes).digest('hex') });
    expect(await uploads()).toEqual([{ id: begun!.id, status: 'accepted' }]); // the same upload: it went on
    expect(readdirSync(join(lab.home, '.local/state/custodia'))).toEqual([]);
  });

  it('is told why what it names is not taken, in words', async () => {
    writeFileSync(lab.desk.path('empty.raw'), '');
    for (const [args, code] of [
      [['nothing.E01'], 'image.not-found'],
      [['empty.raw'], 'image.empty'],
      [['evidence'], 'image.kind'],
      [[], 'usage'],
    ] as const) {
      const { status, stderr } = await lab.tries('submit', ...args, ...order);
      expect([status, stderr]).toEqual([3, expect.stringContaining(`[${code}]`)]);
    }
    const refused = await lab.tries('submit', '--in-place', 'vault:disk.E01', ...order); // a submitter may not: evidence.place
    expect([refused.status, refused.stderr]).toEqual([3, expect.stringContaining('[http.not-found]')]);
    const elsewhere = await lab.tries('submit', 'evidence/disk.E01', '--case', 'another', '--exhibit', 'x');
    expect([elsewhere.status, elsewhere.stderr]).toEqual([3, expect.stringContaining('[http.not-found]')]); // nor make cases
  });
});

/** What the investigator's command writes, byte for byte. */
async function bytesOf(...args: readonly string[]): Promise<Buffer> {
  const env = { ...process.env, CUSTODIA_SERVER: service.url, CUSTODIA_TOKEN: members[2]!.token };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks = await child.stdout.toArray();
  return Buffer.concat(chunks);
}

describe('an investigator', () => {
  it('lists, filters, shows and reads what was found', async () => {
    const examinations = await investigator.does('list');
    expect(examinations.map(({ id }) => id)).toContain(examination);
    const entries = await investigator.does('list', examination);
    expect(entries.length).toBeGreaterThan(20);
    const pictures = await investigator.does('list', examination, '--name', '*.JPG', '--ignore-case', '--sort', 'size', '--descending');
    const expected = entries.filter(({ name }) => /\.jpg$/i.test(name)).map(({ locator }) => locator);
    expect(pictures.map(({ locator }) => locator).sort()).toEqual(expected.sort());
    const sizes = pictures.map(({ size }) => size);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));

    const file = entries.find(({ type, size, digests }) => type === 'file' && size > 0 && digests?.sha256 !== undefined);
    const [shown] = await investigator.does('show', file.locator, '--examination', examination);
    expect(shown).toMatchObject({ locator: file.locator, size: file.size, digests: file.digests });
    const content = await bytesOf('cat', file.locator, '--examination', examination);
    expect(createHash('sha256').update(content).digest('hex')).toBe(file.digests.sha256);
    const [volume] = await investigator.does('show', file.locator.split('/').slice(0, 2).join('/'), '--examination', examination);
    expect(volume).toMatchObject({ offset: expect.any(Number), length: expect.any(Number) });
  });

  it('fetches the report, and verifies it without the service', async () => {
    const { status, stdout } = await investigator.tries('report', examination, '--out', 'report');
    expect([status, stdout]).toEqual([0, expect.stringContaining('verify custodia verify report')]);
    const trust = ['--trust', service.installation.signer.keyId];
    const verified = await investigator.tries('verify', 'report', '--evidence', lab.desk.path('evidence/disk.E01'), ...trust);
    expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining('All that was checked holds.')]);
    const again = await investigator.tries('report', examination, '--out', 'report');
    expect([again.status, again.stderr]).toEqual([3, expect.stringContaining('[out.not-empty]')]);
  });

  it('follows what has ended already, and is told of what is not there', async () => {
    expect((await investigator.tries('watch', examination)).status).toBe(4);
    const nowhere = await investigator.tries('cat', 'image:/mbr:1/ext:999999', '--examination', examination);
    expect([nowhere.status, nowhere.stdout, nowhere.stderr]).toEqual([3, '', expect.stringContaining('[http.not-found]')]);
  });
});

it('a stranger learns nothing of it: what is forbidden reads as what is not there', async () => {
  const absent = examination.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  for (const command of [['status'], ['watch'], ['list'], ['report', '--out', 'r']]) {
    const [verb, ...more] = command as [string, ...string[]];
    const [hidden, nothing] = await Promise.all([examination, absent].map((id) => stranger.tries(verb, id, ...more)));
    expect([hidden!.status, hidden!.stdout, hidden!.stderr], verb).toEqual([3, '', nothing!.stderr]);
  }
  expect(await stranger.does('list')).toEqual([]);
});

it('evidence that lies below a root of the service is examined where it is', async () => {
  const before = stateOf(place);
  const { status, stdout } = await lead.tries(
    'submit',
    '--in-place',
    'vault:disk.E01',
    '--case',
    '2026-117',
    '--exhibit',
    'A-4',
    '--wait',
    '--json',
  );
  expect([status, jsonLines(stdout).at(-1)]).toEqual([4, expect.objectContaining({ event: 'ended', status: 'complete' })]);
  expect(stateOf(place)).toEqual(before);
  const outside = await lead.tries('submit', '--in-place', 'vault:../disk.E01', '--case', '2026-117', '--exhibit', 'A-5');
  expect([outside.status, outside.stdout]).toEqual([3, '']);
});
