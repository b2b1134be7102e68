/** Decisions about examinations and units while other processes work on them. Witness: the rows and the ledger, asked for by plain SQL; kill(2) and proc(5). */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { runVerify } from '../../src/cli/verify.ts';
import {
  type Control,
  cancelExamination,
  cancelUnit,
  pauseExamination,
  prioritiseExamination,
  resumeExamination,
  retryExamination,
  retryUnit,
} from '../../src/pipeline/control.ts';
import { writeExaminationReport } from '../../src/reports/assemble.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';
import { isLong } from '../support/long.ts';
import { checkRecord } from '../support/record.ts';

const actor = { name: 'Lea Lead', role: 'lab-lead', authenticator: 'session' };
const soon = { timeout: 15_000, interval: 20 };
const image = fixturePath('disk-mbr-e01');
let folder: string;
let long: string;
let database: TestDatabase;
let laboratory: Laboratory;
let control: Control;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-control-'));
  long = join(folder, 'long.raw');
  writeFileSync(long, '');
  truncateSync(long, 40 * 1024 ** 3); // holes: to digest them takes half a minute
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
  const { recorder } = laboratory.installation;
  control = { database: database.pool, queue: await laboratory.installation.queue(), recorder };
});
afterEach(async () => {
  await laboratory.close();
  await database.close();
});

const one = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows[0];
const stateOf = (id: string) => one('select status, open_units, paused_because from examination where id = $1', [id]);
const heldUnits = async () =>
  (await database.pool.query(`select id, kind from unit where status = 'open' and lease_until > clock_timestamp()`)).rows;

async function decisions(): Promise<string[]> {
  const { rows } = await database.pool.query('select envelope from ledger order by seq');
  const events = rows.map(({ envelope }) => JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString()).predicate);
  return events
    .filter(({ decision }) => decision !== undefined)
    .map(({ decision, why, actor: { name } }) => `${decision.what} by ${name}: ${why.text}`);
}

const isBeingHashed = () => vi.waitFor(async () => expect((await heldUnits()).map(({ kind }) => kind)).toEqual(['hash-media']), soon);

describe('an examination that another process works on', () => {
  it('is cancelled: the work is stopped within a second, nothing is written after; retried, it comes to its end', async () => {
    const worker = laboratory.startWorker({ threads: 2, concurrency: 2 });
    const { examinationId } = await laboratory.submit(long, 'long');
    await isBeingHashed();
    const workerId = await worker.working;
    const cpuOf = () => cpuTicks(worker.process.pid!);
    const begun = performance.now();
    await cancelExamination(control, examinationId, actor, 'wrong image');
    await sleep(Math.max(0, 1000 - (performance.now() - begun)));
    const before = cpuOf();
    await sleep(500);
    expect(cpuOf() - before, 'ticks of 10 ms that it still works, of 50').toBeLessThan(20);
    expect(await stateOf(examinationId)).toEqual({ status: 'cancelled', open_units: 0, paused_because: null });
    const units = (await database.pool.query('select kind, status, reason, lease_until from unit order by kind')).rows;
    expect(units).toEqual([
      { kind: 'hash-media', status: 'cancelled', reason: 'wrong image', lease_until: null },
      expect.objectContaining({ kind: 'survey', status: 'done' }),
    ]);
    expect(await decisions()).toEqual(['cancelled by Lea Lead: wrong image']);
    expect(await one('select count(*)::int as workers from worker where id = $1', [workerId])).toEqual({ workers: 1 });
    truncateSync(long, 40 * 1024 ** 3); // the same, so that it is not changed
    await retryExamination(control, examinationId, actor, 'the right one after all');
    await isBeingHashed();
    expect(await stateOf(examinationId)).toMatchObject({ status: 'open', open_units: 1 });
  });

  it('is cancelled in the middle of many units and retried: the record is whole, the root is that of an undisturbed one', async () => {
    const environment = { CUSTODIA_FAILURES: '1' }; // every file a unit of its own
    const undisturbed = await laboratory.submit(image, 'undisturbed');
    const first = laboratory.startWorker();
    const { conclusion } = await laboratory.concluded(undisturbed.examinationId);
    first.process.kill('SIGTERM');
    await first.exited;
    for (let index = 0; index < 2; index++) laboratory.startWorker({ threads: 1, environment });
    const { examinationId } = await laboratory.submit(image, 'disturbed');
    const ended = () => one(`select count(*)::int as done from unit where examination_id = $1 and status = 'done'`, [examinationId]);
    for (let round = 1; round <= (isLong ? 3 : 2); round++) {
      await vi.waitFor(async () => expect((await ended()).done).toBeGreaterThan(60 * round), soon);
      await cancelExamination(control, examinationId, actor, `round ${round}`);
      const after = await ended();
      await sleep(300);
      expect(await ended()).toEqual(after);
      expect(await stateOf(examinationId)).toMatchObject({ status: 'cancelled' });
      await retryExamination(control, examinationId, actor, 'go on');
    }
    const again = await laboratory.concluded(examinationId);
    expect(again.status).toBe('complete');
    expect(again.conclusion.catalogue.root).toBe(conclusion.catalogue.root);
    const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
    expect(wrong).toEqual([]);
    await expect(retryExamination(control, examinationId, actor, '')).rejects.toThrow("its status is 'complete'");
    await expect(cancelExamination(control, examinationId, actor, '')).rejects.toMatchObject({ code: 'examination.ended' });
  });

  it('is paused: what runs ends, nothing is begun; resumed, it goes on at once', async () => {
    const { examinationId } = await laboratory.submit(image, 'paused');
    await pauseExamination(control, examinationId, actor, 'a question first');
    const worker = laboratory.startWorker();
    await worker.working;
    await sleep(700);
    expect(await one(`select count(*)::int as begun from unit where fence > 0`)).toEqual({ begun: 0 });
    expect(await stateOf(examinationId)).toMatchObject({ status: 'open', paused_because: 'a question first' });
    await prioritiseExamination(control, examinationId, actor, { priority: 2, deadline: new Date('2027-01-01T00:00:00Z') });
    const resumed = performance.now();
    await resumeExamination(control, examinationId, actor, '');
    await vi.waitFor(async () => expect((await one(`select max(fence)::int as fence from unit`)).fence).toBeGreaterThan(0), soon);
    expect(performance.now() - resumed).toBeLessThan(3000);
    expect((await laboratory.concluded(examinationId)).status).toBe('complete');
    expect(await decisions()).toEqual([
      'paused by Lea Lead: a question first',
      'prioritised by Lea Lead: priority 2, deadline 2027-01-01T00:00:00.000Z',
      'resumed by Lea Lead: resumed',
    ]);
  });
});

it('a unit that is cancelled is given up with its reason and the examination goes on; retried, it does its work, and the report verifies', async () => {
  const { examinationId } = await laboratory.submit(image, 'one unit');
  const { id } = await one(`select id from unit where kind = 'survey'`);
  await database.pool.query(
    `update unit set worker_id = uuidv7(), lease_until = clock_timestamp() + interval '1 hour' where kind = 'hash-media'`, // it shall not end yet
  );
  await cancelUnit(control, examinationId, id, actor, 'not wanted');
  const worker = laboratory.startWorker();
  await worker.working;
  await vi.waitFor(async () => expect((await one('select status from unit where id = $1', [id])).status).toBe('quarantined'), soon);
  const problems = () => database.pool.query('select code, message from problem where unit_id = $1', [id]);
  expect((await problems()).rows).toEqual([{ code: 'unit.quarantined', message: 'survey given up: cancelled by Lea Lead: not wanted' }]);
  await retryUnit(control, examinationId, id, actor, 'wanted after all');
  await vi.waitFor(async () => expect((await one('select status from unit where id = $1', [id])).status).toBe('done'), soon);
  expect((await problems()).rows.map(({ code }) => code)).not.toContain('unit.quarantined');
  await database.pool.query(`update unit set worker_id = null, lease_until = null where kind = 'hash-media'`);
  expect((await laboratory.concluded(examinationId)).status).toBe('complete');
  await expect(retryUnit(control, examinationId, id, actor, '')).rejects.toMatchObject({ code: 'unit.retry' });
  const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
  expect(wrong).toEqual([]);
  const out = join(folder, 'report');
  await writeExaminationReport(laboratory.installation, examinationId, out);
  const said: string[] = [];
  const { dataFolder, installation } = laboratory;
  const options = { folder: out, evidence: [], trust: [], json: false, dataFolder, threads: 1, version: installation.version };
  const status = await runVerify({ ...options, write: (text: string) => said.push(text) > 0 });
  expect(status, said.join('')).toBe(0);
  expect(await decisions()).toEqual(['unit cancelled by Lea Lead: not wanted', 'unit retried by Lea Lead: wanted after all']);
});

it('whoever requested it loses the right: nothing more is begun, and the examination says why', async () => {
  const { rows } = await database.pool.query(
    `insert into account (agency_id, login, name) select id, 'sue', 'Sue Submitter' from agency returning id`,
  );
  await database.pool.query(`insert into account (agency_id, login, name, disabled_at) select id, 'dan', 'Dan', now() from agency`);
  const { examinationId } = await laboratory.submit(image, 'of Sue');
  const allow = `insert into case_member (case_id, account_id, role) select id, $1, 'submitter' from case_file`;
  await database.pool.query('update examination set submitted_by = $1', [rows[0].id]);
  const worker = laboratory.startWorker();
  await worker.working;
  const why = 'the account that requested it has no longer the right to';
  await vi.waitFor(async () => expect((await stateOf(examinationId)).paused_because).toBe(why), soon);
  expect(await one(`select count(*)::int as done from unit where status <> 'open'`)).toEqual({ done: 0 });
  expect(await decisions()).toEqual([`paused by custodia worker: ${why}`]);
  await database.pool.query(allow, [rows[0].id]);
  await database.pool.query(`update account set disabled_at = now() where login = 'sue'`);
  await resumeExamination(control, examinationId, actor, 'member again');
  await vi.waitFor(
    async () => expect((await stateOf(examinationId)).paused_because).toBe('the account that requested it is disabled'),
    soon,
  );
  await database.pool.query('update account set disabled_at = null');
  await resumeExamination(control, examinationId, actor, 'enabled again');
  expect((await laboratory.concluded(examinationId)).status).toBe('complete');
});

/** proc(5): fields 14 and 15 of /proc/pid/stat, user and system time of all threads. */
function cpuTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
