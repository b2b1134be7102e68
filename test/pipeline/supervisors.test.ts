/** Several services on one host look after one fleet. Witness: the table of processes (proc(5)), the locks as PostgreSQL tells them (pg_locks). */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Supervisor, startSupervisor } from '../../src/pipeline/supervisor.ts';
import { notifyControl, setFleet } from '../../src/store/control.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Laboratory, openLaboratory } from '../support/laboratory.ts';

const soon = { timeout: 20_000, interval: 50 };
let database: TestDatabase;
let laboratory: Laboratory;
let supervisors: Supervisor[];

beforeEach(async () => {
  database = await testDatabase();
  laboratory = await openLaboratory({ databaseUrl: database.url });
  vi.stubEnv('CUSTODIA_DATA', laboratory.dataFolder);
  vi.stubEnv('DATABASE_URL', database.url);
  const start = () => startSupervisor({ database: database.pool, workArguments: ['--threads', '1'], onTrouble: () => undefined });
  supervisors = [start(), start()];
});
afterEach(async () => {
  await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
  vi.unstubAllEnvs();
  await laboratory.close();
  await database.close();
});

const pids = () => supervisors.map((supervisor) => supervisor.pids().filter(isThere));
const isThere = (pid: number) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const scale = (workers: number) =>
  transaction(database.pool, async (client) => {
    await setFleet(client, hostname(), workers);
    await notifyControl(client);
  });
const locks = async () =>
  (
    await database.pool.query(
      `select pid from pg_locks join pg_database on oid = database where locktype = 'advisory' and datname = current_database()
       and classid::int8 << 32 | objid::int8 = hashtextextended($1, 0)`, // pg_locks: a key of 64 bits stands in classid and objid
      [`custodia fleet of ${hostname()}`],
    )
  ).rows as { pid: number }[];

it('of two supervisors one runs the fleet; when it stops, or its lock is lost, there are never twice as many for long', async () => {
  await scale(2);
  await vi.waitFor(() => expect(pids().flat()).toHaveLength(2), soon);
  await sleep(2500); // two rounds of both
  expect(
    pids()
      .map(({ length }) => length)
      .sort(),
  ).toEqual([0, 2]);
  expect(await locks()).toHaveLength(1);

  const first = supervisors.findIndex((supervisor) => supervisor.pids().length === 2);
  const before = pids()[first]!;
  await supervisors[first]!.stop();
  await vi.waitFor(() => expect(pids()[1 - first]).toHaveLength(2), soon);
  expect(before.filter(isThere)).toEqual([]);

  supervisors[first] = startSupervisor({ database: database.pool, workArguments: ['--threads', '1'], onTrouble: () => undefined });
  await database.pool.query('select pg_terminate_backend($1)', [(await locks())[0]!.pid]);
  await sleep(2500);
  await vi.waitFor(
    () =>
      expect(
        pids()
          .map(({ length }) => length)
          .sort(),
      ).toEqual([0, 2]),
    soon,
  );
  expect(await locks()).toHaveLength(1);
});
