/**
 * The database stopped under load and started again: nothing is wrong, and no process needs a restart. `CUSTODIA_OUTAGE_MS=60000` makes it a long
 * one. Witness: the rows and the ledger (test/support/record.ts); the numbers of the worker processes, which stay.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { layout } from '../../src/store/embedded/folder.ts';
import { openEmbedded } from '../../src/store/embedded.ts';
import { fixturePath } from '../support/fixture.ts';
import { openLaboratory } from '../support/laboratory.ts';
import { isLong } from '../support/long.ts';
import { checkRecord } from '../support/record.ts';
import { patiently, postmasterOf } from '../support/storm.ts';

const outageMs = Number(process.env.CUSTODIA_OUTAGE_MS ?? (isLong ? 20_000 : 3000));
const image = fixturePath('disk-mbr-e01');
const environment = { CUSTODIA_FAILURES: '1' }; // every file a unit of its own

it(`the database is stopped for ${outageMs} ms under load: all is done, nothing twice, by the same processes`, {
  timeout: 120_000 + outageMs,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-outage-'));
  const server = await openEmbedded({ dataFolder: folder, log: pino({ level: 'silent' }) });
  const laboratory = await openLaboratory({ databaseUrl: server.url, environment });
  const { database, signer } = laboratory.installation;
  try {
    const workers = Array.from({ length: 3 }, () => laboratory.startWorker());
    await Promise.all(workers.map(({ working }) => working));
    const submitted = [];
    for (let index = 0; index < (outageMs > 10_000 ? 2 : 1); index++) submitted.push(await laboratory.submit(image, `A-${index}`));
    const done = async () => (await database.query(`select count(*)::int as done from unit where status <> 'open'`)).rows[0].done as number;
    await vi.waitFor(async () => expect(await done()).toBeGreaterThan(100), { timeout: 30_000, interval: 50 });
    const guard = (JSON.parse(readFileSync(layout(folder).guard, 'utf8')) as { pid: number }).pid;
    process.kill(guard, 'SIGSTOP'); // it would start the server again at once
    process.kill(await postmasterOf(database), 'SIGINT'); // fast shutdown: PostgreSQL manual, 18.5
    await sleep(outageMs);
    await expect(database.query('select 1')).rejects.toThrow();
    process.kill(guard, 'SIGCONT');
    const back = performance.now();
    const before = await patiently(done);
    await vi.waitFor(async () => expect(await patiently(done)).toBeGreaterThan(before), { timeout: 45_000, interval: 50 });
    const seconds = ((performance.now() - back) / 1000).toFixed(1);
    for (const { examinationId } of submitted) {
      expect((await patiently(() => laboratory.concluded(examinationId, 90_000))).status).toBe('complete');
      expect((await checkRecord(database, examinationId, signer.privateKey)).wrong).toEqual([]);
    }
    expect(workers.map((worker) => worker.process.exitCode)).toEqual([null, null, null]);
    const { rows } = await database.query(
      'select count(*)::int as units, sum(failures)::int as failures, sum(losses)::int as losses from unit',
    );
    console.log(`database stopped for ${outageMs} ms: work went on ${seconds} s after it came back; ${JSON.stringify(rows[0])}`);
    expect(rows[0].failures).toBe(0);
  } finally {
    await laboratory.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
