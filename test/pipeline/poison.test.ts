/**
 * What ends its thread again and again is given up with its reason; what lies beside it is examined, and the examination comes to its end.
 * The poison is real: fixtures/fat-poison holds a ZIP with 40,000 long names in its directory, and a thread with 14 MiB of heap does not live through it.
 * Witness of the files beside it: sha256sum (coreutils 9.1), in expected.json.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openThreadPool } from '../../src/pipeline/piscina-pool.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';
import { checkRecord } from '../support/record.ts';

let folder: string;
let image: string;
let database: TestDatabase;
let laboratory: Laboratory;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-poison-'));
  image = join(folder, 'image.raw');
  writeFileSync(image, zstdDecompressSync(readFileSync(fixturePath('fat-poison'))));
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
});

afterAll(async () => {
  await laboratory.close();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Examined by a worker whose one thread has so little heap. */
async function examined(exhibit: string, heapMiB: number, silenceMs: number) {
  const { examinationId } = await laboratory.submit(image, exhibit);
  const late: unknown[] = [];
  const heard: string[] = [];
  const threads = openThreadPool({ threads: 1, heapMiB, silenceMs, onError: (error) => late.push(error) });
  const worker = await laboratory.workHere(threads, heard);
  try {
    return { examinationId, heard, ...(await laboratory.concluded(examinationId)) };
  } finally {
    await worker.stop({ abort: true });
    await threads.close();
  }
}

const unitsOf = async (examinationId: string) =>
  (
    await database.pool.query(
      `select unit.kind, unit.status, unit.files, unit.failures, unit.reason, parent.kind as parent from unit
       left join unit parent on parent.id = unit.parent_id where unit.examination_id = $1 order by unit.id`,
      [examinationId],
    )
  ).rows as { kind: string; status: string; files: number; failures: number; reason: string | null; parent: string | null }[];

it('one bad file in a batch: tried in the batch, split off, given up alone; all others are examined', async () => {
  const { examinationId, status, conclusion, heard } = await examined('one', 14, 60_000);
  expect(status).toBe('complete');
  expect(conclusion.hidesEvidence).toBe(true);
  const units = (await unitsOf(examinationId)).filter(({ kind }) => kind === 'examine-files');
  const batch = units.filter(({ parent }) => parent === 'list-files');
  const memory = 'task.memory: examine-files: Worker terminated due to reaching memory limit: JS heap out of memory';
  expect(batch).toEqual([expect.objectContaining({ status: 'split', files: 6, failures: 2, reason: memory })]);
  const single = units.filter(({ parent }) => parent === 'examine-files');
  expect(single.filter(({ status }) => status === 'done')).toHaveLength(5);
  expect(single.filter(({ status }) => status !== 'done')).toEqual([
    expect.objectContaining({ status: 'quarantined', files: 1, failures: 3, reason: `failed 3 times, the last time: ${memory}` }),
  ]);
  expect(heard.filter((line) => line.includes('try failed'))).toHaveLength(5); // 2 in the batch, 3 alone

  const { rows: entries } = await database.pool.query(
    "select path, encode(sha256, 'hex') as sha256 from entry where examination_id = $1 and type = 'file' order by path",
    [examinationId],
  );
  const expected = fixtureExpected('fat-poison').sha256 as Record<string, string>;
  expect(Object.fromEntries(entries.map(({ path, sha256 }) => [path, sha256]))).toEqual({ ...expected, 'many.zip': null });
  const { rows: problems } = await database.pool.query('select code, message, hides_evidence from problem where examination_id = $1', [
    examinationId,
  ]);
  expect(problems).toEqual([
    { code: 'unit.quarantined', message: `examine-files given up: failed 3 times, the last time: ${memory}`, hides_evidence: true },
  ]);
  const { rows: told } = await database.pool.query("select envelope from ledger where event_key like 'unit:%'");
  const steps = told.map(({ envelope }) => JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString('utf8')).predicate.step);
  expect(steps.filter(({ outcome }) => outcome === 'quarantined').map(({ reason }) => reason)).toEqual([
    `failed 3 times, the last time: ${memory}`,
  ]);
  const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
  expect(wrong).toEqual([`entries of units that did not end well: 1, expected 0`]); // the one that was given up, as it was listed
});

it('where not even the conclusion can be worked out the examination is called failed: it does not hang', async () => {
  const { examinationId, status } = await examined('none', 8, 3000);
  expect(status).toBe('failed');
  const units = await unitsOf(examinationId);
  expect(units.map(({ kind, status }) => [kind, status]).sort()).toEqual([
    ['conclude', 'quarantined'],
    ['hash-media', 'quarantined'],
    ['survey', 'quarantined'],
  ]);
  expect(units.every(({ failures }) => failures >= 3)).toBe(true);
  const { rows } = await database.pool.query("select message from problem where examination_id = $1 and code = 'unit.quarantined'", [
    examinationId,
  ]);
  expect(rows.map(({ message }) => message.split(':')[0]).sort()).toEqual(['conclude given up', 'hash-media given up', 'survey given up']);
});
