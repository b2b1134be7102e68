/** One run of the postgres program: started on a free port, watched, stopped. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database-error.ts';
import { type Cluster, cleanEnvironment, runAs } from './cluster.ts';
import { logTail } from './log-tail.ts';

export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  readonly exited: Promise<void>;
  /** Open transactions are rolled back; after ten seconds without checkpoint, and after ten more with SIGKILL. */
  stop(): Promise<void>;
}

/** Shared buffers of a single command: a whole examination of a million entries stays below 700 MB in all processes with them (docs/PERFORMANCE.md). */
export const usualMegabytes = 128;

/** Of a service: a sixteenth of the memory, as pages of a search come from there. It is taken when it is first written to. */
export const serviceMegabytes = () => {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(1024, Math.max(usualMegabytes, Math.floor(memory / 16 / 1024 ** 2)));
};

const settings = (port: number, sharedMegabytes: number) => ({
  listen_addresses: '127.0.0.1',
  port,
  unix_socket_directories: '',
  max_connections: 200,
  shared_buffers: `${sharedMegabytes}MB`,
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_min_error_statement: 'panic', // statements hold names from evidence
});

export interface Start {
  readonly port: number | null;
  readonly sharedMegabytes: number;
  /** In milliseconds since 1970. */
  readonly deadline: number;
}

/** Takes over a server of this cluster that outlived its guard, else starts one: on `port` if that is free, else on another. */
export async function startServer(cluster: Cluster, serverLog: string, { port, sharedMegabytes, deadline }: Start): Promise<RunningServer> {
  const left = findOrphan(cluster);
  if (left !== null) {
    if ((await becomesReady(cluster, left, deadline)) === 'ready') return left;
    await left.stop();
  }
  for (let wanted = port; ; wanted = null) {
    const chosen = wanted !== null && (await isFree(wanted)) ? wanted : await freePort();
    const from = existsSync(serverLog) ? statSync(serverLog).size : 0;
    const server = launch(cluster, serverLog, chosen, sharedMegabytes);
    const outcome = await becomesReady(cluster, server, deadline);
    if (outcome === 'ready') return server;
    await server.stop();
    const said = logTail(serverLog, from);
    if (outcome === 'exited' && Date.now() < deadline) {
      if (!(await isFree(chosen))) continue; // another program took the port in between
      if (said.includes('pre-existing shared memory block')) {
        await sleep(200); // children of a server that was killed have not all ended
        continue;
      }
    }
    const what = outcome === 'exited' ? 'ended before it was ready' : 'was not ready in time';
    throw new DatabaseError('database.start', `the embedded PostgreSQL in ${cluster.folder} ${what}; ${serverLog} says:\n${said}`);
  }
}

function launch({ folder, account, programs }: Cluster, serverLog: string, port: number, sharedMegabytes: number): RunningServer {
  const args = ['-D', folder, ...Object.entries(settings(port, sharedMegabytes)).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const output = openSync(serverLog, 'a', 0o600);
  try {
    const child = spawn(programs.postgres, args, {
      cwd: '/',
      env: cleanEnvironment(),
      stdio: ['ignore', output, output],
      ...runAs(account),
    });
    const exited = new Promise<void>((resolve) => {
      child.on('exit', () => resolve());
      child.on('error', () => resolve());
    });
    return { pid: child.pid ?? 0, port, exited, stop: () => stop((signal) => signalChild(child, signal), exited) };
  } finally {
    closeSync(output);
  }
}

function signalChild(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill(signal);
}

/** PostgreSQL manual, "Shutting Down the Server": SIGINT is fast, SIGQUIT is immediate. */
async function stop(send: (signal: NodeJS.Signals) => void, exited: Promise<void>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    send(signal);
    const gone = await Promise.race([exited.then(() => true), sleep(10_000, false, { ref: false })]);
    if (gone) return;
  }
}

/** As pg_ctl looks for it: line 8 of postmaster.pid says so, and line 1 names this very process. */
async function becomesReady({ folder }: Cluster, server: RunningServer, deadline: number): Promise<'ready' | 'exited' | 'late'> {
  let exited = server.pid === 0;
  void server.exited.then(() => {
    exited = true;
  });
  while (!exited) {
    const lines = readPidFile(folder);
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return 'ready';
    if (Date.now() > deadline) return 'late';
    await sleep(20);
  }
  return 'exited';
}

function readPidFile(folder: string): string[] {
  const path = join(folder, 'postmaster.pid');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
}

/**
 * The server that postmaster.pid names, if it lives and is this cluster's. A number that now belongs to another process would keep
 * PostgreSQL from starting: the file is removed then. The caller holds the lock.
 */
function findOrphan({ folder }: Cluster): RunningServer | null {
  const lines = readPidFile(folder);
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  if (isServerOf(pid, folder)) return watch(pid, Number(lines[3]));
  rmSync(join(folder, 'postmaster.pid'), { force: true });
  return null;
}

/** Its command line names the data directory; the file of the kernel is readable to all, `ps` is for systems without it. */
function isServerOf(pid: number, folder: string): boolean {
  return commandLine(pid).includes(`-D ${folder} `);
}

function commandLine(pid: number): string {
  if (!existsSync('/proc/self/cmdline'))
    return spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

function watch(pid: number, port: number): RunningServer {
  const isAlive = () => commandLine(pid) !== '';
  const exited = (async () => {
    while (isAlive()) await sleep(100);
  })();
  const send = (signal: NodeJS.Signals) => {
    if (isAlive()) process.kill(pid, signal);
  };
  return { pid, port, exited, stop: () => stop(send, exited) };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1' }, () => probe.close(() => resolve(true)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port: 0, host: '127.0.0.1' }, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
