/** What cannot be an image, or is a damaged one: a message with place, found and expected; a status; nothing written beside it. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixtureFolder, fixturePath } from '../support/fixture.ts';
import { hasTool } from '../support/tools.ts';
import { type Desk, follow, jsonLines, openDesk, type Ran, stateOf } from './custodia.ts';

const small = readFileSync(fixturePath('ewf-encase6')); // 101,376 bytes of medium, no file system
const names = ['--case', 'Case 7', '--exhibit', 'E-1', '--examiner', 'Exam Iner'];

let database: TestDatabase;
let nobodys: TestDatabase; // another data folder, another key, another record
let desk: Desk;
let evidence: string;
let count = 0;

beforeAll(async () => {
  database = await testDatabase();
  nobodys = await testDatabase();
  desk = openDesk({ DATABASE_URL: database.url });
  evidence = desk.path('evidence');
  mkdirSync(evidence);
});
afterAll(async () => {
  await desk.close();
  await database.close();
  await nobodys.close();
});

const put = (name: string, bytes: Uint8Array | string) => writeFileSync(join(evidence, name), bytes);

/** One run over the file; the evidence folder must be as before. */
async function examine(
  name: string,
  ...more: string[]
): Promise<Ran & { out: string; report: () => { problems: { byCode: { code: string; exampleMessage: string }[] } } }> {
  const before = stateOf(evidence);
  const out = desk.path(`out-${count++}`);
  const ran = await desk.run('process', join('evidence', name), ...names, '--out', out, ...more);
  expect(stateOf(evidence)).toEqual(before);
  expect(`${ran.stdout}${ran.stderr}`).not.toMatch(/^\s+at .*[:(]\d+|node:internal|undefined/m);
  return { ...ran, out, report: () => JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) };
}

describe('what cannot be taken in', () => {
  it.each([
    ['nowhere.E01', 'image.not-found', /nowhere\.E01: not found/, () => undefined],
    ['empty.E01', 'image.empty', /empty\.E01: is empty, expected an image/, () => put('empty.E01', '')],
    ['.', 'image.folder', /is a folder, expected an image file/, () => undefined],
    ['../../../dev/null', 'image.(kind|not-found)', /is no file, expected an image file|not found/, () => undefined],
    ['hostile\u001b[2J\u202e.E01', 'image.not-found', /hostile\\u\{001b\}\[2J\\u\{202e\}\.E01: not found/, () => undefined],
  ])('%s', async (name, code, message, prepare) => {
    prepare();
    const { status, stdout, stderr } = await examine(name);
    expect([status, stdout], stderr).toEqual([3, '']);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(new RegExp(`\\[${code}\\]`));
  });

  it('tells the same as JSON', async () => {
    const { status, stdout } = await examine('nowhere.E01', '--json');
    expect([status, jsonLines(stdout)]).toEqual([
      3,
      [{ event: 'error', code: 'image.not-found', message: 'evidence/nowhere.E01: not found' }],
    ]);
  });

  it.each([
    ['no case', ['process', 'x', '--exhibit', 'e', '--examiner', 'x', '--out', 'o'], /required option '--case/],
    ['a number of threads that is none', ['process', 'x', ...names, '--out', 'o', '--threads', '0'], /whole number from 1 to 256/],
    ['an unknown command', ['destroy'], /unknown command 'destroy'/],
    ['an unknown option', ['list', '--force'], /unknown option '--force'/],
    [
      'a name that deceives',
      ['process', 'x', ...names.with(1, 'a\u202eb'), '--out', 'o'],
      /case: found \\u\{202e\} as character 2, expected/,
    ],
    [
      'a name that moves the cursor',
      ['process', 'x', ...names.with(3, '\u001b[2J'), '--out', 'o'],
      /exhibit: found \\u\{001b\} as character 1, expected/,
    ],
    [
      'a name of 100,000 characters',
      ['process', 'x', ...names.with(5, 'a'.repeat(100_000)), '--out', 'o'],
      /examiner: found 100000 characters, expected at most 500/,
    ],
    [
      'a data folder below a file',
      ['list', '--data', 'evidence/empty.E01/data'],
      /data folder .*: cannot be used by this account \(ENOTDIR\); --data or CUSTODIA_DATA names another \[data\.folder\]/,
    ],
    ['a link as the place for the report', ['process', 'x', ...names, '--out', 'link'], /link: is a link, expected .* \[out\.unusable\]/],
    ['a place for the report below a file', ['process', 'x', ...names, '--out', 'evidence/empty.E01/o'], /o: cannot be (used|made)/],
  ])('%s', async (_what, args, message) => {
    put('empty.E01', '');
    if (args.includes('link')) symlinkSync('nowhere', desk.path('link'));
    const { status, stdout, stderr } = await desk.run(...args);
    expect([status, stdout], stderr).toEqual([3, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('damaged images are read as far as they can be', () => {
  it('a file of other things is examined as the raw bytes that it is', async () => {
    put('garbage.raw', Buffer.from('this is no disk, only words\n'.repeat(100)));
    const { status, report } = await examine('garbage.raw');
    expect(status).toBe(4);
    expect(report().problems.byCode.map(({ code }) => code)).toContain('volume.not-examined');
  });

  it('a file shorter than a sector', async () => {
    put('short.raw', 'abc');
    const { status, out } = await examine('short.raw');
    expect(status).toBe(4);
    const { media, coverage } = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
    // sha1sum of "abc": FIPS 180-4, example 1
    expect([media.size, media.digests.sha1, coverage.complete]).toEqual([3, 'a9993e364706816aba3e25717850c26c9cd0d89d', true]);
  });

  it('an E01 that is cut off', async () => {
    put('cut.E01', small.subarray(0, Math.floor(small.length / 2)));
    const { status, stderr, report } = await examine('cut.E01');
    expect(status, stderr).toBe(4);
    expect(report().problems.byCode.length).toBeGreaterThan(0);
  });

  it('an E01 with one bit flipped in a chunk', async () => {
    const flipped = Buffer.from(readFileSync(fixturePath('disk-mbr-e01')));
    flipped[200_000]! ^= 4;
    put('flipped.E01', flipped);
    const { status, out, report } = await examine('flipped.E01');
    expect(status).toBe(4);
    const found = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
    expect(found.media.damagedBytes).toBe(32768); // one chunk of 64 sectors (ewfinfo 20140813: "Sectors per chunk: 64")
    expect(found.storedHashes.map(({ equal }: { equal: boolean }) => equal)).toContain(false);
    expect(report().problems.byCode.map(({ code }) => code)).toContain('hash.mismatch');
    expect((await desk.run('verify', out)).status).toBe(0);
  });

  it('an E01 of which only the signature is right', async () => {
    put('signature.E01', Buffer.concat([small.subarray(0, 13), Buffer.alloc(4000, 0xa5)]));
    const { status, report } = await examine('signature.E01');
    expect(status).toBe(4);
    const [problem] = report().problems.byCode;
    expect(problem!.exampleMessage).toMatch(/\d/); // a place
  });

  it('a set of segments that lacks one', async () => {
    for (const name of ['image.E01', 'image.E03']) copyFileSync(join(fixtureFolder('ewf-split'), name), join(evidence, name));
    const { status, report } = await examine('image.E01');
    expect(status).toBe(4);
    expect(
      report()
        .problems.byCode.map(({ exampleMessage }) => exampleMessage)
        .join('\n'),
    ).toMatch(/segment|E02/i);
  });
});

const isRoot = userInfo().uid === 0;

describe.skipIf(!isRoot || !hasTool('setpriv'))('as an ordinary user (setpriv of util-linux)', () => {
  const asNobody = (...args: string[]) =>
    follow(
      spawn(
        'setpriv',
        [
          '--reuid=65534',
          '--regid=65534',
          '--clear-groups',
          process.execPath,
          join(import.meta.dirname, '../../bin/custodia.cjs'),
          ...args,
        ],
        {
          cwd: '/tmp',
          env: { PATH: process.env.PATH, HOME: '/nonexistent', CUSTODIA_DATA: desk.path('nobody/data'), DATABASE_URL: nobodys.url },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ),
    ).ended;

  it('an image that may not be read, and a folder that may not be written to, are refused before any work', async () => {
    const home = desk.path('nobody');
    mkdirSync(home);
    chmodSync(desk.folder, 0o755);
    chmodSync(home, 0o777);
    put('secret.E01', small);
    chmodSync(join(evidence, 'secret.E01'), 0o600);
    const unreadable = await asNobody('process', join(evidence, 'secret.E01'), ...names, '--out', join(home, 'out'));
    expect([unreadable.status, unreadable.stdout], unreadable.stderr).toEqual([3, '']);
    expect(unreadable.stderr).toMatch(/secret\.E01: cannot be read by this account \(EACCES\) \[image\.unreadable\]/);
    mkdirSync(desk.path('locked/keys'), { mode: 0o700, recursive: true });
    const foreign = await asNobody('verify', home, '--data', desk.path('locked'));
    expect([foreign.status, foreign.stderr], foreign.stderr).toEqual([3, expect.stringContaining('[trust.own-key]')]);
    mkdirSync(desk.path('closed'), { mode: 0o700 });
    const closed = await asNobody('verify', desk.path('closed'));
    expect([closed.status, closed.stderr], closed.stderr).toEqual([3, expect.stringContaining('[report.unreadable]')]);
    mkdirSync(desk.path('half'), { mode: 0o755 });
    for (const name of ['report.json', 'manifest.dsse.json', 'signer.pub'])
      writeFileSync(desk.path(join('half', name)), '{}', { mode: 0o600 });
    const half = await asNobody('verify', desk.path('half'));
    expect(half.status, half.stdout).toBe(2); // files that may not be read contradict nothing
    const unwritable = await asNobody('process', join(evidence, 'empty.E01'), ...names, '--out', join(desk.folder, 'out'));
    expect([unwritable.status, unwritable.stderr.includes('[out.unusable]')], unwritable.stderr).toEqual([3, true]);
  });
});
