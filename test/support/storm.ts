/** Worker processes killed at random moments while they work, and the database under them: until so many died, and all work is done. */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pool } from 'pg';
import { isTransient } from '../../src/store/transaction.ts';
import { type Laboratory, type WorkerChild } from './laboratory.ts';
import { checkRecord, type RecordFigures } from './record.ts';

export interface StormOptions {
  readonly seed: number;
  readonly image: string;
  readonly workerKills: number;
  readonly databaseKills: number;
  /** Kills the queue's own server and brings it back: after each kill of the database. */
  queueKill?(): Promise<void>;
  readonly slots?: number;
}

export interface StormReport {
  readonly kills: number;
  /** Of those, while the worker was still starting. */
  readonly killedAtStart: number;
  /** Stopped (SIGSTOP) until claim and lock were over, then woken up in the middle of its work. */
  readonly freezes: number;
  readonly databaseKills: number;
  /** Workers that ended by themselves after they had begun to work: there must be none. */
  readonly crashes: string[];
  readonly examinations: number;
  readonly roots: string[];
  readonly statuses: string[];
  readonly wrong: string[];
  readonly figures: RecordFigures;
  readonly seconds: number;
}

/** Mulberry32 (public domain, T. Ettinger): the same moments for the same seed, as far as a machine allows. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Until it does not fail for want of a database. */
export async function patiently<T>(work: () => Promise<T>, patienceMs = 30_000): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; await sleep(100)) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline) throw error;
    }
  }
}

export async function postmasterOf(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ setting: string }>("select setting from pg_settings where name = 'data_directory'");
  return Number(readFileSync(join(rows[0]!.setting, 'postmaster.pid'), 'utf8').split('\n')[0]);
}

export async function storm(laboratory: Laboratory, options: StormOptions): Promise<StormReport> {
  const { database, signer } = laboratory.installation;
  const random = randomFrom(options.seed);
  const begun = Date.now();
  const examinations: string[] = [];
  const tally = { kills: 0, killedAtStart: 0, freezes: 0, databaseKills: 0, crashes: [] as string[] };
  const submitAnother = async () => {
    const exhibit = `storm-${examinations.length + 1}`;
    const { examinationId } = await patiently(() => laboratory.submit(options.image, exhibit));
    examinations.push(examinationId);
  };
  await submitAnother();
  const isOver = () => tally.kills >= options.workerKills && tally.databaseKills >= options.databaseKills;

  async function slot(): Promise<void> {
    while (!isOver()) await liveAndDie(laboratory.startWorker({ threads: 1, concurrency: 2 }), random, tally);
  }
  async function databaseKiller(): Promise<void> {
    const share = options.workerKills / (options.databaseKills + 1);
    while (tally.databaseKills < options.databaseKills) {
      await sleep(50);
      if (tally.kills < share * (tally.databaseKills + 1)) continue;
      process.kill(await patiently(() => postmasterOf(database)), 'SIGKILL');
      tally.databaseKills++;
      await options.queueKill?.();
    }
  }
  async function supplier(): Promise<void> {
    while (!isOver()) {
      const open = await patiently(() => database.query("select 1 from examination where status in ('open', 'concluding')"));
      if (open.rowCount === 0) await submitAnother();
      await sleep(100);
    }
  }
  const slots = Array.from({ length: options.slots ?? 3 }, slot);
  await Promise.all([...slots, databaseKiller(), supplier()]);
  const last = [laboratory.startWorker({ threads: 1, concurrency: 2 }), laboratory.startWorker({ threads: 1, concurrency: 2 })];
  const ends = [];
  for (const id of examinations) ends.push(await patiently(() => laboratory.concluded(id, 240_000)));
  await Promise.all(last.map(stopGently));
  return {
    ...tally,
    ...(await judge(database, examinations, ends, createPublicKey(signer.privateKey))),
    seconds: (Date.now() - begun) / 1000,
  };
}

/** One in ten dies while it starts, the others after up to a second and a half of work; three in ten are frozen before, longer than its lease. */
async function liveAndDie(
  worker: WorkerChild,
  random: () => number,
  tally: { kills: number; killedAtStart: number; freezes: number; crashes: string[] },
): Promise<void> {
  const startCut = random() < 0.1 ? random() * 600 : null;
  const life = random() * 1500;
  const freezes = random() < 0.3;
  const begun = await Promise.race([
    worker.working.then(
      () => true,
      () => false,
    ),
    ...(startCut === null ? [] : [sleep(startCut, false)]),
  ]);
  if (begun) await Promise.race([sleep(life), worker.exited]);
  if (begun && freezes && worker.process.exitCode === null) {
    worker.process.kill('SIGSTOP');
    await sleep(2500);
    worker.process.kill('SIGCONT');
    tally.freezes++;
    await Promise.race([sleep(500), worker.exited]);
  }
  const { exitCode } = worker.process;
  if (exitCode !== null) {
    if (begun) tally.crashes.push(`exit status ${exitCode}: ${worker.log().slice(-2000)}`);
    return;
  }
  worker.process.kill('SIGKILL');
  await worker.exited;
  tally.kills++;
  if (!begun) tally.killedAtStart++;
}

async function stopGently(worker: WorkerChild): Promise<void> {
  worker.process.kill('SIGTERM');
  await worker.exited;
}

async function judge(
  database: Pool,
  examinations: readonly string[],
  ends: readonly { status: string; conclusion: { catalogue: { root: string } } }[],
  key: ReturnType<typeof createPublicKey>,
) {
  const wrong: string[] = [];
  const figures = { units: 0, files: 0, entries: 0, events: 0, losses: 0 };
  for (const id of examinations) {
    const checked = await checkRecord(database, id, key);
    wrong.push(...checked.wrong.map((line) => `${id}: ${line}`));
    for (const name of Object.keys(figures) as (keyof typeof figures)[]) figures[name] += checked.figures[name];
  }
  return {
    examinations: examinations.length,
    roots: [...new Set(ends.map(({ conclusion }) => conclusion.catalogue.root))],
    statuses: [...new Set(ends.map(({ status }) => status))],
    wrong,
    figures,
  };
}
