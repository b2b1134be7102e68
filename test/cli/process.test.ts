/** The main job from the command line: image in, report out, with everything that can be asked of it afterwards. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { hasTool } from '../support/tools.ts';
import { type Desk, jsonLines, openDesk, type Ran, stateOf } from './custodia.ts';

const image = fixturePath('disk-mbr-e01');
const names = ['--case', 'Case 7', '--exhibit', 'E-1', '--examiner', 'Exam Iner'];

let database: TestDatabase;
let desk: Desk;
let evidence: string;
let before: string[];
let first: Ran;

beforeAll(async () => {
  database = await testDatabase();
  desk = openDesk({ DATABASE_URL: database.url });
  evidence = desk.path('evidence');
  mkdirSync(evidence);
  copyFileSync(image, join(evidence, 'disk.E01'));
  chmodSync(join(evidence, 'disk.E01'), 0o444);
  before = stateOf(evidence);
  first = await desk.run('process', 'evidence/disk.E01', ...names, '--out', 'report');
}, 120_000);
afterAll(async () => {
  await desk.close();
  await database.close();
});

describe('custodia process', () => {
  it('writes plain lines of progress and the summary, and says by its status that problems hide evidence', () => {
    const { md5, sha1, sha256 } = fixtureExpected('disk-mbr-e01'); // ewfinfo 20140813, sha256sum of ewfexport's raw image
    expect(first.status).toBe(4);
    for (const digest of [md5, sha1, sha256]) expect(first.stdout).toContain(digest);
    expect(first.stdout).toContain('case Case 7, exhibit E-1');
    expect(first.stdout).toContain("stored     md5 in the image's digest section: agrees");
    expect(first.stderr).toMatch(/^received disk\.E01 \(ewf, 1 file\) as examination [0-9a-f-]{36}$/m);
    expect(first.stderr).toContain('writing the report');
    expect(first.stderr).not.toContain('\u001b');
    expect(first.stderr).not.toContain('    at ');
  });

  it('leaves the evidence as it was: names, bytes, times, modes', () => {
    expect(stateOf(evidence)).toEqual(before);
    expect(readFileSync(join(evidence, 'disk.E01')).equals(readFileSync(image))).toBe(true);
  });

  it('refuses to write over its report', async () => {
    const again = await desk.run('process', 'evidence/disk.E01', ...names, '--out', 'report');
    expect(again.status).toBe(3);
    expect(again.stderr).toMatch(/^custodia: report: holds 9 files, expected an empty or new folder \[out\.not-empty\]$/m);
  });

  it('tells everything in lines of JSON with --json, and nothing else', async () => {
    const ran = await desk.run('process', 'evidence/disk.E01', ...names, '--out', 'json', '--json');
    const lines = jsonLines(ran.stdout);
    const report = lines.at(-1);
    expect([ran.status, ran.stderr]).toEqual([4, '']);
    expect(new Set(lines.map(({ event }) => event))).toEqual(new Set(['note', 'progress', 'report']));
    expect(report).toMatchObject({ status: 4, case: 'Case 7', exhibit: 'E-1', integrity: 'intact', folder: desk.path('json') });
    expect(report.catalogueRoot).toBe(JSON.parse(readFileSync(desk.path('report/report.json'), 'utf8')).catalogue.root);
    for (const { hashed, files } of lines.filter(({ event }) => event === 'progress')) {
      expect([typeof hashed, typeof files]).toEqual(['number', 'number']);
    }
  });
});

describe('custodia verify', () => {
  it('accepts the report with the key of its installation, and the image', async () => {
    const { status, stdout } = await desk.run('verify', 'report', '--evidence', 'evidence/disk.E01');
    expect(stdout).toContain('OK          evidence medium: the medium inside is the one examined: md5, sha1, sha256 equal');
    expect([status, stdout.includes('All that was checked holds.')]).toEqual([0, true]);
  });

  it('needs no installation: told whom to trust it accepts, not told it says that nobody is trusted, and makes nothing', async () => {
    const elsewhere = openDesk();
    try {
      const report = desk.path('report');
      const untold = await elsewhere.run('verify', report);
      expect([untold.status, untold.stdout.includes('INCOMPLETE  trust')]).toEqual([2, true]);
      const der = execFileSync(process.execPath, [
        '-e',
        `process.stdout.write(require('crypto').createPublicKey(require('fs').readFileSync(${JSON.stringify(join(report, 'signer.pub'))})).export({type:'spki',format:'der'}))`,
      ]);
      const fingerprint = `sha256:${createHash('sha256').update(der).digest('hex')}`;
      const told = await elsewhere.run('verify', report, '--trust', fingerprint);
      expect([told.status, told.stdout], told.stdout).toEqual([
        0,
        expect.stringContaining(`you trust, as given with --trust: ${fingerprint}`),
      ]);
      expect((await elsewhere.run('verify', report, '--trust', join(report, 'signer.pub'))).status).toBe(0);
      expect(existsSync(elsewhere.data)).toBe(false);
    } finally {
      await elsewhere.close();
    }
  });

  it.each([
    ['no folder', ['nowhere'], 'report.not-found'],
    ['a file', ['evidence/disk.E01'], 'report.not-found'],
    ['a key that is none', ['report', '--trust', 'evidence/disk.E01'], 'trust.unreadable'],
    ['a fingerprint that is none', ['report', '--trust', 'sha256:12'], 'trust.unreadable'],
    ['an image that is not there', ['report', '--evidence', 'nowhere.E01'], 'image.not-found'],
    ['a folder as image', ['report', '--evidence', 'evidence'], 'image.folder'],
  ])('refuses %s', async (_what, args, code) => {
    const { status, stderr } = await desk.run('verify', ...args);
    expect([status, stderr.includes(`[${code}]`)], stderr).toEqual([3, true]);
  });

  it('answers in lines of JSON', async () => {
    const lines = jsonLines((await desk.run('verify', 'report', '--json')).stdout);
    expect(lines.slice(0, -1).every(({ event, verdict }) => event === 'check' && ['ok', 'unchecked'].includes(verdict))).toBe(true);
    expect(lines.at(-1)).toMatchObject({ event: 'verdict', status: 0 });
  });
});

describe('what was found', () => {
  const hello = 'image:/mbr:1/fat:1064'; // deleted file of 9000 bytes on the FAT16 volume

  it('is listed: examinations, and the entries of one', async () => {
    const all = jsonLines((await desk.run('list', '--json')).stdout);
    expect(all.every(({ status }) => status === 'complete')).toBe(true);
    const plain = (await desk.run('list')).stdout.trim().split('\n');
    expect(plain.length).toBe(all.length);
    expect(plain[0]).toContain('Case 7 / E-1');
    const entries = jsonLines((await desk.run('list', all[0].id, '--json')).stdout);
    const table = readFileSync(desk.path('report/entries.jsonl'), 'utf8').trim().split('\n');
    expect(entries.map(({ locator }) => locator)).toEqual(table.map((line) => JSON.parse(line).locator));
  });

  it('is shown', async () => {
    const shown = jsonLines((await desk.run('show', hello, '--json')).stdout)[0];
    expect(shown).toMatchObject({ locator: hello, size: 9000, type: 'file' });
    expect((await desk.run('show', hello)).stdout).toContain('"size": 9000');
    expect(jsonLines((await desk.run('show', 'image:/mbr:1', '--json')).stdout)[0]).toMatchObject({ kind: 'volume', offset: 1048576 });
  });

  it('is written out byte for byte, the whole medium as well', async () => {
    const record = jsonLines((await desk.run('show', hello, '--json')).stdout)[0];
    const bytes = Buffer.from((await desk.run('cat', hello)).stdout);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(record.digests.sha256);
  });

  it('is written out with what is wrong with it on the side', async () => {
    // its first cluster is sector 1572 of the volume (istat 4.11.1), which blkstat calls allocated: what lies there now is of another file
    const { status, stdout, stderr } = await desk.run('cat', 'image:/mbr:1/fat:521');
    expect([status, stdout, stderr]).toEqual([
      0,
      '',
      expect.stringMatching(/^custodia: entry 521: deleted, .* \[fat\.deleted-overwritten\]\n$/),
    ]);
  });

  it.each([
    ['show', 'image:/mbr:9/fat:1'],
    ['show', 'nonsense'],
    ['cat', 'image:/mbr:1/fat:999999'],
    ['cat', '../../etc/passwd'],
    ['cat', 'image:/mbr:1/../../etc/passwd'],
  ])('%s %s: nothing is there', async (command, locator) => {
    const { status, stdout, stderr } = await desk.run(command, locator);
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toContain('[locator.not-found]');
  });

  it('can be reported again: the same catalogue', async () => {
    const { status, stdout } = await desk.run('report', '--out', 'again', '--json');
    expect(status).toBe(0);
    expect(jsonLines(stdout)[0].catalogueRoot).toBe(JSON.parse(readFileSync(desk.path('report/report.json'), 'utf8')).catalogue.root);
    expect((await desk.run('verify', 'again')).status).toBe(0);
    expect((await desk.run('report', '01a20dca-0000-7000-8000-7c6da4a1f423', '--out', 'none')).stderr).toContain('[examination.not-found]');
  });

  it('is not written on when nobody reads: a closed pipe ends it quietly', async () => {
    const { process: child, ended } = desk.start(['list', jsonLines((await desk.run('list', '--json')).stdout)[0].id]);
    child.stdout!.destroy();
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe.skipIf(!hasTool('icat') || !hasTool('ewfexport'))('custodia cat, against icat of the Sleuth Kit 4.11.1', () => {
  it('gives the bytes of a file on each volume', async () => {
    execFileSync('ewfexport', ['-u', '-q', '-f', 'raw', '-t', desk.path('raw'), image], { stdio: 'ignore' });
    const cases = [
      ['image:/mbr:1/fat:1064', '2048', '1064'], // first sectors as mmls lists them
      ['image:/mbr:1/fat:532', '2048', '532'],
      ['image:/mbr:5/ext:48', '43008', '48'],
    ] as const;
    for (const [locator, sector, inode] of cases) {
      const expected = execFileSync('icat', ['-r', '-o', sector, desk.path('raw.raw'), inode]);
      const found = Buffer.from((await desk.run('cat', locator)).stdout);
      expect(found.equals(expected), locator).toBe(true);
      expect(expected.length).toBeGreaterThan(0);
    }
  });
});
