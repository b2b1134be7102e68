/** Who makes an examination ready to be searched. Witness: the table, asked by plain SQL. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openThreadPool } from '../../src/pipeline/piscina-pool.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';

let database: TestDatabase;
let laboratory: Laboratory;
beforeAll(async () => {
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
}, 60_000);
afterAll(async () => {
  await laboratory.close();
  await database.close();
});

const searchable = async (id: string) => (await database.pool.query('select from search where examination_id = $1', [id])).rowCount === 1;

it('not a single command, which has its report to write; a worker of a service, soon after the conclusion, and what others left', async () => {
  const image = fixturePath('disk-mbr-e01');
  const threads = openThreadPool({ threads: 1, heapMiB: 512, silenceMs: 60_000, onError: () => undefined });
  const single = await laboratory.workHere(threads, []);
  const first = await laboratory.submit(image, 'E-1');
  await laboratory.concluded(first.examinationId);
  await single.stop({ abort: false });
  await threads.close();
  expect(await searchable(first.examinationId)).toBe(false);
  const worker = laboratory.startWorker();
  await worker.working;
  await vi.waitFor(async () => expect(await searchable(first.examinationId)).toBe(true), { timeout: 20_000, interval: 50 });
  const second = await laboratory.submit(image, 'E-2');
  await laboratory.concluded(second.examinationId);
  await vi.waitFor(async () => expect(await searchable(second.examinationId)).toBe(true), { timeout: 10_000, interval: 50 });
}, 90_000);
