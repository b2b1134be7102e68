/** Told to stop while it starts, a process ends in order. Witness: its exit status; the register of workers and the units, by plain SQL. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';

let database: TestDatabase;
let laboratory: Laboratory;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-starting-'));
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
  await laboratory.submit(fixturePath('disk-mbr-e01'), 'A-1');
});
afterAll(async () => {
  await laboratory.close();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const registered = async (pid: number) => (await database.pool.query('select 1 from worker where pid = $1', [pid])).rowCount;

async function stoppedAtRegistration(program: string, flags: readonly string[]) {
  const { PATH, HOME, TMPDIR } = process.env;
  const environment = { CUSTODIA_DATA: laboratory.dataFolder, DATABASE_URL: database.url, CUSTODIA_RESERVE: '0' };
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../src', program), '--json', ...flags], {
    env: { PATH, HOME, TMPDIR, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  while ((await registered(child.pid!)) === 0 && child.exitCode === null) await sleep(2);
  child.kill('SIGTERM');
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(await registered(child.pid!), 'registered').toBe(0);
  const { rows } = await database.pool.query(
    `select count(*)::int as held from unit where status = 'open' and lease_until > clock_timestamp()`,
  );
  expect(rows).toEqual([{ held: 0 }]);
}

describe('told to stop in the moment it is registered, it takes leave and holds nothing', () => {
  it('custodia work', () => stoppedAtRegistration('work.ts', []));
  it('custodia serve', () => stoppedAtRegistration('serve.ts', ['--port', '0']));
});
