/** Brings back what a crash left behind: units that no announcement wakes any more, and units of processes that are gone. */
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { type Pool } from 'pg';
import { releaseDeadWorkers, takeForgottenUnits } from '../store/units.ts';
import { listWorkers, type RegisteredWorker, removeSilentWorkers, removeWorkers } from '../store/workers.ts';
import { type UnitQueue } from './unit-queue.ts';

const atOnce = 500;
/** A worker that was not heard of for so long is gone; what it held went to others long before. */
const silentMs = 3_600_000;

/** One round. Gives how many units were announced again. `forgottenAfterMs` 0 announces every open unit that nobody holds: at start. */
export async function reconcile(database: Pool, queue: UnitQueue, host: string, forgottenAfterMs: number): Promise<number> {
  const dead = await deadWorkers(database, host);
  await releaseDeadWorkers(database, dead);
  await removeWorkers(database, dead);
  await removeSilentWorkers(database, silentMs);
  const units = await takeForgottenUnits(database, forgottenAfterMs, atOnce);
  if (units.length > 0) await queue.reannounce(units);
  return units.length;
}

/** Only of this host: of others the leases tell. */
async function deadWorkers(database: Pool, host: string): Promise<string[]> {
  const dead: string[] = [];
  for (const worker of await listWorkers(database)) {
    if (worker.host === host && !(await isAlive(worker))) dead.push(worker.id);
  }
  return dead;
}

async function isAlive({ pid, started }: RegisteredWorker): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return started === '' || (await startOf(pid)) === started;
}

/**
 * Where the numbers of processes mean what they mean here: the machine since it was started, and the process namespace (proc(5)). A name alone
 * says too little: containers and machines may share one, and each would take the workers of the other for dead.
 */
export async function hostOf(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return [hostname(), boot.trim(), namespace].filter((part) => part !== '').join(' ');
}

/**
 * Start of a process as Linux counts it (proc(5), /proc/pid/stat field 22, behind the name in parentheses); empty where it cannot be read.
 * A process that has ended and whose parent has not asked for its status yet (state Z) has no start.
 */
export async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}
