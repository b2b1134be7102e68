/**
 * An examination from submission to conclusion by real worker processes, without the command line. Witnesses: ewfexport and ewfinfo 20140813 (digests of
 * the medium, expected.json), mmls 4.11.1 (the partitions), sha256sum of the segment.
 */
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { readChain } from '../../src/custody/chain.ts';
import { type ChainedEvent } from '../../src/custody/event.ts';
import { type ThreadPool } from '../../src/evidence/task.ts';
import { runUnit, type Workplace } from '../../src/pipeline/run-unit.ts';
import { catalogueFolder } from '../../src/store/conclusion.ts';
import { readLedger } from '../../src/store/ledger.ts';
import { claimUnit } from '../../src/store/units.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory, type WorkerChild } from '../support/laboratory.ts';
import { checkRecord } from '../support/record.ts';

let folder: string;
let image: string;
let database: TestDatabase;
let laboratory: Laboratory;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-examination-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => {
  image = join(folder, 'image.E01');
  copyFileSync(fixturePath('disk-mbr-e01'), image);
  database = await testDatabase();
  laboratory = await openLaboratory({
    databaseUrl: database.url,
    environment: { CUSTODIA_RECONCILE_MS: '500', CUSTODIA_LEASE_MS: '3000' },
  });
});
afterEach(async () => {
  await laboratory.close();
  await database.close();
});

async function eventsOf(): Promise<ChainedEvent[]> {
  const { signer } = laboratory.installation;
  const { rows } = await database.pool.query('select id from exhibit');
  const keys = new Map([[signer.keyId, createPublicKey(signer.privateKey)]]);
  const { events, faults } = readChain(await readLedger(database.pool, rows[0].id), keys, { case: 'case 7', label: 'A-1' });
  expect(faults).toEqual([]);
  return [...events];
}

const ended = async (worker: WorkerChild) => {
  worker.process.kill('SIGTERM');
  return worker.exited;
};

it('from image to conclusion: digests, partitions, entries, a ledger that tells of every unit', async () => {
  const { examinationId, resumed } = await laboratory.submit(image, 'A-1');
  expect(resumed).toBe(false);
  const worker = laboratory.startWorker({ threads: 2 });
  const { status, conclusion } = await laboratory.concluded(examinationId);
  expect(await ended(worker)).toEqual({ code: 0, signal: null });
  expect(worker.log()).toBe('');

  const { md5, sha1, sha256 } = fixtureExpected('disk-mbr-e01');
  const segment = { name: 'image.E01', size: 956_386, sha256: createHash('sha256').update(readFileSync(image)).digest('hex') };
  expect({ status, integrity: conclusion.integrity, changes: conclusion.changes }).toEqual({
    status: 'complete',
    integrity: 'intact',
    changes: [],
  });
  expect([conclusion.received, conclusion.concluded]).toEqual([[segment], [segment]]);
  expect(conclusion.storedHashes.map(({ algorithm, value, computed, equal }) => [algorithm, value, computed, equal])).toEqual(
    expect.arrayContaining([
      ['md5', md5, md5, true],
      ['sha1', sha1, sha1, true],
    ]),
  );
  const volumes = await database.pool.query(
    "select facts->>'kind' as kind, (facts->>'offset')::bigint / 512 as first, (facts->>'length')::bigint / 512 as sectors from volume where facts->>'kind' = 'volume' order by position",
  );
  expect(volumes.rows.map(({ first, sectors }) => [Number(first), Number(sectors)])).toEqual([
    [2048, 32_768], // slots 000:000, 000:001, 001:000 and 002:000 of mmls
    [36_864, 2048],
    [43_008, 32_768],
    [77_824, 40_960],
  ]);

  const events = await eventsOf();
  expect(events.map(({ type }) => type)).toEqual(['received', ...Array(events.length - 2).fill('processed'), 'verified']);
  const [received] = events;
  expect(received).toMatchObject({
    storage: [image],
    files: [{ name: 'image.E01', size: 956_386 }],
    actor: { name: 'Exam Iner', role: 'examiner' },
  });
  const media = events.find(({ step }) => step?.kind === 'hash-media')!;
  expect(media.digests).toEqual(
    expect.arrayContaining([
      { scope: 'media-stream', name: 'media', algorithm: 'sha256', value: sha256, point: 'H1' },
      { scope: 'segment', name: 'image.E01', algorithm: 'sha256', value: segment.sha256, point: 'H1' },
    ]),
  );
  const verified = events.at(-1)!;
  expect(verified.digests).toEqual(
    expect.arrayContaining([
      { scope: 'segment', name: 'image.E01', algorithm: 'sha256', value: segment.sha256, point: 'H5', result: 'equal' },
      { scope: 'catalogue', name: 'catalogue root', algorithm: 'sha256', value: conclusion.catalogue.root, point: 'H5' },
    ]),
  );
  for (const { step, alteration } of events.slice(1)) {
    expect(step).toMatchObject({ unchanged: true, deterministic: true, outcome: 'done', before: received!.files, after: received!.files });
    expect(alteration).toBeNull();
  }
  const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
  expect(wrong).toEqual([]);
});

/** CUSTODY.md 1.2: what is mandatory in a custody event (V) and a processing step (P), and can be known at this stage. */
it('every event has the fields that a custody event must have, each step those of a step', async () => {
  const { examinationId } = await laboratory.submit(image, 'A-1');
  laboratory.startWorker();
  await laboratory.concluded(examinationId);
  for (const event of await eventsOf()) {
    expect(event).toEqual(
      expect.objectContaining({
        exhibit: { case: 'case 7', label: 'A-1' }, // V1, C1
        seq: expect.any(Number), // V2
        type: expect.stringMatching(/^(received|processed|verified)$/), // V4
        actor: { name: expect.stringMatching(/./), role: expect.stringMatching(/./), authenticator: expect.stringMatching(/./) }, // V5
        occurredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d\[[A-Za-z/_+-]+\]$/), // V8
        recordedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/), // V9
        clock: expect.objectContaining({ source: 'system', offsetMs: expect.any(Number), uncertaintyMs: expect.any(Number) }), // V9
        place: { host: expect.stringMatching(/./) }, // V10
        why: { text: expect.stringMatching(/./) }, // V11
        how: { procedure: 'custodia', version: expect.stringMatching(/^\d+\.\d+\.\d+/) }, // V12
        digests: expect.any(Array), // V15
        alteration: null, // V16
      }),
    );
    expect('prev' in event).toBe(true); // V3
    expect(Date.parse(event.recordedAt) - Date.parse(event.occurredAt.replace(/\[.*/, ''))).toBeLessThan(60_000);
    if (event.type === 'received') {
      expect(event).toMatchObject({ storage: [image], format: 'ewf', files: [expect.objectContaining({ size: 956_386 })] }); // E10, E11
      continue;
    }
    expect(event.onBehalfOf).toBe('Exam Iner'); // V7
    expect(event.actor.authenticator).toBe(laboratory.installation.signer.keyId);
    expect(event.step).toEqual(
      expect.objectContaining({
        examination: examinationId, // P1
        unit: expect.stringMatching(/^[0-9a-f-]{36}$/), // P1
        kind: expect.any(String),
        tool: {
          name: 'custodia',
          version: expect.any(String),
          runtime: `node ${process.versions.node}`,
          dependencies: expect.stringMatching(/sha256:[0-9a-f]{64}$/),
        }, // P5
        settings: expect.objectContaining({ digests: ['md5', 'sha1', 'sha256'], limits: expect.objectContaining({ depth: 8 }) }), // P6, P8
        limits: { silenceMs: 120_000, heapMiB: 512, threads: 1 }, // P8
        worker: expect.objectContaining({
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          isolation: 'threads',
          release: expect.any(String),
        }), // P7
        startedAt: expect.stringMatching(/Z$/), // P9
        endedAt: expect.stringMatching(/Z$/),
        outcome: 'done', // P9
        before: [expect.objectContaining({ name: 'image.E01' })], // P3
        after: [expect.objectContaining({ name: 'image.E01' })], // P4
        unchanged: true, // P4
        counts: expect.any(Object), // P10, P11
        deterministic: true, // P13
      }),
    );
  }
});

describe('stopped and gone on with', () => {
  it('told to stop, a worker gives back what it holds and ends; the next goes on; submitting again resumes', async () => {
    const { examinationId } = await laboratory.submit(image, 'A-1');
    const first = laboratory.startWorker({ threads: 1 });
    await vi.waitFor(
      async () => {
        const { rows } = await database.pool.query("select 1 from unit where status = 'done'");
        expect(rows.length).toBeGreaterThan(0);
      },
      { timeout: 30_000, interval: 5 },
    );
    const asked = performance.now();
    expect(await ended(first)).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(15_000);
    const { rows } = await database.pool.query("select count(*)::int as held from unit where status = 'open' and worker_id is not null");
    expect(rows).toEqual([{ held: 0 }]);
    expect((await database.pool.query('select * from worker')).rows).toEqual([]);
    expect(await laboratory.submit(image, 'A-1')).toEqual({ examinationId, resumed: true });
    laboratory.startWorker({ threads: 2 });
    const { status } = await laboratory.concluded(examinationId);
    expect(status).toBe('complete');
    const { wrong, figures } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
    expect({ wrong, losses: figures.losses }).toEqual({ wrong: [], losses: 0 }); // given back, not lost
  });

  it('all killed: another goes on', async () => {
    const { examinationId } = await laboratory.submit(image, 'A-1');
    const workers = [1, 2].map(() => laboratory.startWorker());
    await vi.waitFor(
      async () => {
        const { rows } = await database.pool.query("select 1 from unit where worker_id is not null and status = 'open'");
        expect(rows.length).toBeGreaterThan(0);
      },
      { timeout: 30_000, interval: 5 },
    );
    for (const worker of workers) worker.process.kill('SIGKILL');
    await Promise.all(workers.map(({ exited }) => exited));
    const sealed = catalogueFolder(laboratory.dataFolder, examinationId);
    mkdirSync(sealed, { recursive: true });
    writeFileSync(join(sealed, 'entries.0.jsonl'), 'half a li'); // as a worker leaves it that dies while it seals
    laboratory.startWorker({ threads: 2 });
    const { status } = await laboratory.concluded(examinationId);
    expect(status).toBe('complete');
    expect(readdirSync(sealed).sort()).toEqual(['entries.csv', 'entries.jsonl']);
    const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
    expect(wrong).toEqual([]);
  });
});

describe('a worker whose claim another has taken meanwhile', () => {
  it('commits nothing: no rows, problems, children, jobs, event; the other does it all once', async () => {
    const { examinationId } = await laboratory.submit(image, 'A-1');
    const { database: pool, threads, recorder, config } = laboratory.installation;
    const queue = await laboratory.installation.queue();
    const heard: string[] = [];
    const thief = randomUUID();
    let stolen = 0;
    /** The real pool; when the listing has ended, and before it is committed, another takes the unit. */
    const robbed: ThreadPool = {
      ...threads,
      async run(task, options) {
        const result = await threads.run(task, options);
        if (task.kind === 'list-files') {
          stolen++;
          await pool.query(
            "update unit set fence = fence + 1, worker_id = $1, lease_until = clock_timestamp() + interval '1 hour' where kind = 'list-files' and status = 'open'",
            [thief],
          );
        }
        return result;
      },
    };
    const workplace: Workplace = {
      ...config,
      database: pool,
      queue,
      recorder,
      threads: robbed,
      workerId: randomUUID(),
      held: new Map(),
      onProgress: () => undefined,
      onTrouble: (message) => heard.push(message),
    };
    const units = async (kind: string) =>
      (await pool.query('select id from unit where kind = $1 order by id', [kind])).rows.map(({ id }) => id);
    const runIt = async (id: string) =>
      runUnit(workplace, (await claimUnit(pool, id, workplace.workerId, 3_600_000))!, new AbortController().signal);
    for (const kind of ['survey', 'hash-media']) for (const id of await units(kind)) await runIt(id);
    const seen = async () =>
      (
        await pool.query(`select (select count(*)::int from entry) as entries, (select count(*)::int from problem) as problems,
          (select count(*)::int from unit) as units, (select count(*)::int from ledger) as events, (select open_units from examination) as open`)
      ).rows[0];
    const before = { seen: await seen(), counts: await queue.counts() };
    const lists = await units('list-files');
    expect(lists).toHaveLength(2);
    await runIt(lists[0]!);
    expect(stolen).toBe(1);
    expect({ seen: await seen(), counts: await queue.counts() }).toEqual(before);
    expect(heard).toEqual([`unit ${lists[0]}: taken from this worker: another holds it now, or it was cancelled`]);

    await pool.query('update unit set lease_until = clock_timestamp() where worker_id = $1', [thief]);
    laboratory.startWorker({ threads: 2 });
    await laboratory.concluded(examinationId);
    const { wrong } = await checkRecord(pool, examinationId, laboratory.installation.signer.privateKey);
    expect(wrong).toEqual([]);
  });
});

describe('evidence that changes', () => {
  it('after it was received: the examination ends as integrity-failed, and the ledger tells what differs', async () => {
    const { examinationId } = await laboratory.submit(image, 'A-1');
    appendFileSync(image, 'x');
    laboratory.startWorker();
    const { status, conclusion } = await laboratory.concluded(examinationId);
    expect(status).toBe('integrity-failed');
    expect(conclusion.integrity).toBe('changed');
    expect(conclusion.changes).toContain('image.E01: size was 956386, is 956387');
    const events = await eventsOf();
    expect(
      events.slice(1).every(({ step, alteration }) => step!.unchanged === false && alteration!.what.includes('size was 956386, is 956387')),
    ).toBe(true);
    const { rows } = await database.pool.query("select 1 from problem where code = 'evidence.changed' and hides_evidence");
    expect(rows.length).toBeGreaterThan(0);
  });

  it('before it is gone on with: it is refused, in words', async () => {
    const { examinationId } = await laboratory.submit(image, 'A-1');
    utimesSync(image, new Date(0), new Date(0));
    const refused = laboratory.submit(image, 'A-1');
    await expect(refused).rejects.toMatchObject({ code: 'evidence.changed', final: true });
    await expect(refused).rejects.toThrow(
      `the image is not as it was when examination ${examinationId} of it began: image.E01: mtimeNs was`,
    );
  });

  it('gone altogether: the examination still comes to its end, and says that nothing could be compared', async () => {
    const { examinationId } = await laboratory.submit(image, 'A-1');
    renameSync(image, `${image}.away`);
    laboratory.startWorker();
    const { status, conclusion } = await laboratory.concluded(examinationId);
    expect(status).toBe('integrity-failed');
    expect(conclusion.changes.join()).toMatch(/could not be digested again/);
    const { rows } = await database.pool.query("select kind, status, reason from unit where kind <> 'conclude' order by kind");
    expect(rows.map(({ kind, status }) => [kind, status])).toEqual([
      ['hash-media', 'quarantined'],
      ['survey', 'quarantined'],
    ]);
    expect(rows[0].reason).toContain('evidence.missing: image.E01: cannot be looked at (ENOENT)');
  });
});

it('a thread that the kernel holds: its work is done by another, and the worker can still be ended', async () => {
  const { examinationId } = await laboratory.submit(image, 'A-1');
  const folder = catalogueFolder(laboratory.dataFolder, examinationId);
  mkdirSync(folder, { recursive: true });
  execFileSync('mkfifo', [join(folder, 'entries.1.csv')]); // what the first try opens for writing: fifo(7) lets it wait for a reader
  const worker = laboratory.startWorker({ environment: { CUSTODIA_SILENCE_MS: '2000', CUSTODIA_LOG: 'fatal' } });
  const { status } = await laboratory.concluded(examinationId);
  expect(status).toBe('complete');
  const { rows } = await database.pool.query(`select failures, reason from unit where examination_id = $1 and kind = 'conclude'`, [
    examinationId,
  ]);
  expect(rows).toEqual([{ failures: 1, reason: null }]);
  expect(await ended(worker)).toEqual({ code: null, signal: 'SIGKILL' }); // by its own hand
  expect(worker.log()).toMatch(/threads wait for the operating system and cannot be ended/);
});

it('evidence in whose place a pipe is put is not waited for', async () => {
  const { examinationId } = await laboratory.submit(image, 'A-1');
  unlinkSync(image);
  execFileSync('mkfifo', [image]);
  onTestFinished(() => unlinkSync(image)); // else the next copy of the image would be written into the pipe
  const worker = laboratory.startWorker();
  const { status, conclusion } = await laboratory.concluded(examinationId);
  expect(status).toBe('integrity-failed');
  expect(conclusion.changes).toEqual([expect.stringMatching(/^the evidence could not be digested again: .*image\.E01.*: is no file$/)]);
  expect(await ended(worker)).toEqual({ code: 0, signal: null });
});
