/** Keeps as many worker processes running on this host as the fleet's table says; of several supervisors on it one leads, and the others have none. */
import { type ChildProcess, spawn } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Pool } from 'pg';
import { controlChannel, readFleet } from '../store/control.ts';
import { candidate } from '../store/leader.ts';
import { listen } from '../store/listen.ts';

export interface SupervisorOptions {
  readonly database: Pool;
  /** Arguments of `custodia work`: where the data folder is. */
  readonly workArguments: readonly string[];
  onTrouble(message: string, error: unknown): void;
}

export interface Supervisor {
  /** Numbers of the processes that run now. */
  pids(): number[];
  /** Ends all of them gracefully: what they hold is given back. */
  stop(): Promise<void>;
}

interface Child {
  readonly process: ChildProcess;
  readonly startedAt: number;
  readonly exited: Promise<void>;
  stopping: boolean;
}

const workFile = join(import.meta.dirname, '..', 'work.ts');
const lookMs = 1000;
const firstWaitMs = 1000;
const longestWaitMs = 30_000;
/** One that lived so long did not die of how it was started. */
const soundAfterMs = 60_000;
/** Longer than a worker takes to give back what it holds. */
const stopMs = 35_000;

export function startSupervisor({ database, workArguments, onTrouble }: SupervisorOptions): Supervisor {
  const children = new Set<Child>();
  const leader = candidate(database, `custodia fleet of ${hostname()}`);
  let waitMs = firstWaitMs;
  let startAgainAt = 0;
  let stopped = false;
  let wanted = 0;
  let failing = false;

  const died = (child: Child, how: string) => {
    children.delete(child);
    if (child.stopping || stopped) return;
    waitMs = performance.now() - child.startedAt > soundAfterMs ? firstWaitMs : Math.min(2 * waitMs, longestWaitMs);
    startAgainAt = performance.now() + waitMs;
    onTrouble(`worker process ${child.process.pid} ended (${how}): another is started in ${waitMs} ms`, null);
  };
  const start = () => {
    // its standard input is ours: when this process is gone, however it went, the worker hears it and ends
    const child = spawn(process.execPath, [workFile, '--supervised', ...workArguments], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.stdin!.on('error', () => undefined); // EPIPE: it has ended, which `exit` tells
    const exited = Promise.withResolvers<void>();
    const made: Child = { process: child, startedAt: performance.now(), exited: exited.promise, stopping: false };
    children.add(made);
    const end = (how: string) => {
      died(made, how);
      exited.resolve();
    };
    child.once('exit', (code, signal) => end(String(signal ?? code)));
    child.once('error', (error) => end(error.message));
  };
  const adjust = () => {
    const staying = [...children].filter(({ stopping }) => !stopping);
    for (const child of staying.slice(wanted)) stopChild(child);
    if (performance.now() < startAgainAt) return;
    for (let missing = wanted - staying.length; missing > 0; missing--) start();
  };
  const look = async () => {
    try {
      const [leads, fleet] = await Promise.all([leader.leads(), readFleet(database)]);
      wanted = leads ? (fleet.find(({ host }) => host === hostname())?.workers ?? 0) : 0;
      failing = false;
    } catch (error) {
      if (!failing) onTrouble('the fleet cannot be looked up: what runs goes on', error);
      failing = true;
    }
    if (!stopped) adjust();
  };
  const timer = setInterval(() => void look(), lookMs);
  const listener = listen(
    database,
    controlChannel,
    () => void look(),
    () => undefined, // looking tells
  );
  return {
    pids: () => [...children].map(({ process: { pid } }) => pid!),
    async stop() {
      stopped = true;
      clearInterval(timer);
      listener.close();
      for (const child of children) stopChild(child);
      await Promise.all([...children].map(({ exited }) => exited));
      leader.close(); // not before: whoever leads next starts its own
    },
  };
}

function stopChild(child: Child): void {
  child.stopping = true;
  child.process.kill('SIGTERM');
  const overdue = setTimeout(() => child.process.kill('SIGKILL'), stopMs);
  void child.exited.then(() => clearTimeout(overdue));
}
