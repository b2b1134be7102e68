/** Stopped by Ctrl-C, killed, or working on evidence that changes: what is done stays done, and what changed is told. */
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Desk, jsonLines, openDesk, processesIn, stateOf } from './custodia.ts';

const names = ['--case', 'Case 7', '--exhibit', 'E-1', '--examiner', 'Exam Iner'];
const command = ['process', 'evidence/disk.E01', ...names, '--out', 'report'];
/** `catalogue.root` of this image: as `custodia process` gives it when nothing stops it. */
const rootOf = (folder: string): string => JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')).catalogue.root;

let database: TestDatabase;
let desk: Desk;

beforeEach(async () => {
  database = await testDatabase();
  desk = openDesk({ DATABASE_URL: database.url, CUSTODIA_THREADS: '1', CUSTODIA_LEASE_MS: '1000', CUSTODIA_RECONCILE_MS: '300' });
  mkdirSync(desk.path('evidence'));
  copyFileSync(fixturePath('disk-mbr-e01'), desk.path('evidence/disk.E01'));
});
afterEach(async () => {
  await desk.close();
  await database.close();
});

async function undisturbed(): Promise<string> {
  const { status } = await desk.run('process', 'evidence/disk.E01', ...names.with(3, 'E-2'), '--out', 'undisturbed');
  expect(status).toBe(4);
  return rootOf(desk.path('undisturbed'));
}

describe('a run that is stopped', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s gives back what is under way, and the same command goes on to the same catalogue',
    async (signal) => {
      const before = stateOf(desk.path('evidence'));
      const stopped = desk.start(command);
      await stopped.until('listing', 'stderr');
      stopped.process.kill(signal);
      const { status, stderr } = await stopped.ended;
      expect(status, stderr).toBe(130);
      expect(stderr).toContain('stopped; the same command goes on from here [stopped]');
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(existsSync(desk.path('report'))).toBe(false);
      const { rows } = await database.pool.query("select 1 from unit where worker_id is not null and status = 'open'");
      expect(rows).toEqual([]);

      const again = await desk.run(...command);
      expect([again.status, again.stderr.includes('going on with disk.E01')], again.stderr).toEqual([4, true]);
      expect(rootOf(desk.path('report'))).toBe(await undisturbed());
      expect((await desk.run('verify', 'report')).status).toBe(0);
      expect(stateOf(desk.path('evidence'))).toEqual(before);
    },
  );

  it('by kill -9 three times is gone on with three times', async () => {
    let ids = new Set<string>();
    for (const moment of ['received', 'listing', 'listing']) {
      const killed = desk.start(command);
      await killed.until(ids.size === 0 ? moment : 'going on', 'stderr');
      if (moment === 'listing') await killed.until('listing', 'stderr');
      killed.process.kill('SIGKILL');
      const { signal, stderr } = await killed.ended;
      expect(signal).toBe('SIGKILL');
      ids = ids.add(/examination ([0-9a-f-]{36})/.exec(stderr)![1]!);
    }
    const last = await desk.run(...command);
    expect(last.status, last.stderr).toBe(4);
    expect(ids.size).toBe(1);
    expect(rootOf(desk.path('report'))).toBe(await undisturbed());
    expect(readdirSync(desk.folder).filter((name) => name.includes('partial'))).toEqual([]);
  });
});

describe('two runs at the same time into the same folder', () => {
  it('work on one examination, and one of them writes the report', async () => {
    const both = await Promise.all([desk.run(...command), desk.run(...command)]);
    const late = both.find(({ status }) => status !== 4)!;
    expect(both.map(({ status }) => status).sort(), both.map(({ stderr }) => stderr).join('\n')).toEqual([1, 4]);
    expect(late.stderr).toMatch(
      /something was put there while the report was made, expected an empty or new folder; .* \[out\.not-empty\]/,
    );
    expect(late.stderr).toMatch(/'custodia report [0-9a-f-]{36} --out FOLDER' writes its report/);
    expect(readdirSync(desk.folder).sort()).toEqual(['data', 'evidence', 'report']);
    expect((await desk.run('verify', 'report')).status).toBe(0);
  });
});

describe('evidence that changes while it is examined', () => {
  it('is told: status 5, a report that says what changed, and verifies as such', async () => {
    const running = desk.start([...command, '--json']);
    await running.until('"received');
    appendFileSync(desk.path('evidence/disk.E01'), 'x');
    const { status, stdout } = await running.ended;
    expect(status).toBe(5);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ event: 'report', integrity: 'changed' });
    const { integrity, examination, problems } = JSON.parse(readFileSync(desk.path('report/report.json'), 'utf8'));
    expect(examination.status).toBe('integrity-failed');
    expect(integrity.changes.join()).toMatch(/disk\.E01: size was 956386, is 956387/);
    expect(problems.byCode.map(({ code }: { code: string }) => code)).toContain('evidence.changed');
    expect(readFileSync(desk.path('report/report.html'), 'utf8')).toContain('THE EVIDENCE CHANGED');
    const verified = await desk.run('verify', 'report');
    expect(verified.status, verified.stdout).toBe(0);
  });
});

describe('an installation of its own, with the embedded server', () => {
  it('is told about by doctor, in words and as JSON, and nothing is left running', async () => {
    const own = openDesk();
    try {
      const { status, stdout } = await own.run('doctor');
      expect([status, stdout]).toEqual([0, expect.stringMatching(/^ok +database: PostgreSQL 18\.\d+, embedded, synchronous_commit on/m)]);
      expect(stdout).toContain('degraded  isolation:');
      expect(stdout).toContain('the main job can run');
      const { findings, usable } = jsonLines((await own.run('doctor', '--json')).stdout)[0];
      expect(usable).toBe(true);
      expect(findings.map(({ what }: { what: string }) => what)).toEqual([
        'node',
        'threads',
        'isolation',
        'data folder',
        'database',
        'queue',
        'signing key',
      ]);
      expect(processesIn(own.folder)).toEqual([]);
    } finally {
      await own.close();
    }
  });

  it('that cannot be opened is told about: no stack, status 1', async () => {
    const own = openDesk({ DATABASE_URL: 'mysql://nobody@nowhere' });
    try {
      const { status, stdout, stderr } = await own.run('doctor');
      expect([status, stderr]).toEqual([1, '']);
      expect(stdout).toMatch(/^missing +services: the address of the database is not a URL like postgres:/m);
      expect(stdout).toContain('the main job cannot run');
    } finally {
      await own.close();
    }
  });

  it('runs the demonstration in an empty folder: report made, verified, and nothing left running', async () => {
    const own = openDesk({ CUSTODIA_DATA: '' });
    try {
      const { status, stdout } = await own.run('demo', '--data', own.data);
      expect(status).toBe(0);
      expect(stdout).toContain('All that was checked holds.');
      expect(stdout).toContain('The report is in custodia-demo. Open custodia-demo/report.html in a browser.');
      expect(readdirSync(own.folder).sort()).toEqual(['custodia-demo', 'data']);
      expect(processesIn(own.folder)).toEqual([]);
    } finally {
      await own.close();
    }
  });
});
