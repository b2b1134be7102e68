/** The command line as a person meets it: a process of its own, in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const program = join(import.meta.dirname, '..', '..', 'bin', 'custodia.cjs');

/** Compiled code of the program, kept between its many starts; of this account only. */
const compiled = join(tmpdir(), `custodia-compiled-${userInfo().uid}`);

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Until standard output (or error) holds the text. Rejects when the process ends before. */
  until(text: string, from?: 'stdout' | 'stderr'): Promise<string>;
}

export interface Desk {
  readonly folder: string;
  readonly data: string;
  /** `input`: all that comes on standard input. */
  start(args: readonly string[], environment?: NodeJS.ProcessEnv, input?: string): Running;
  run(...args: readonly string[]): Promise<Ran>;
  path(name: string): string;
  /** Ends what still runs and removes the folder. */
  close(): Promise<void>;
}

/** `environment` holds for all that is started: a `DATABASE_URL`, or nothing for the embedded server. */
export function openDesk(environment: NodeJS.ProcessEnv = {}): Desk {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-desk-'));
  const data = join(folder, 'data');
  const running = new Set<Running>();
  const { PATH, HOME, TMPDIR } = process.env;
  const start: Desk['start'] = (args, own = {}, input) => {
    const env = { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE: compiled, CUSTODIA_DATA: data, CUSTODIA_THREADS: '2', ...environment, ...own };
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      env,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    child.stdin?.end(input);
    const started = follow(child);
    running.add(started);
    void started.ended.then(() => running.delete(started));
    return started;
  };
  return {
    folder,
    data,
    start,
    run: (...args) => start(args).ended,
    path: (name) => join(folder, name),
    async close() {
      for (const { process: child } of running) child.kill('SIGKILL');
      await Promise.all([...running].map(({ ended }) => ended));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function follow(child: ChildProcess): Running {
  const text = { stdout: '', stderr: '' };
  const chunks: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const from of ['stdout', 'stderr'] as const) {
    child[from]!.on('data', (chunk: Buffer) => {
      text[from] += chunk.toString('latin1');
      child.emit('told');
    });
  }
  const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8');
  const ended = once(child, 'close').then(
    ([status, signal]): Ran => ({ status, signal, stdout: utf8(text.stdout), stderr: utf8(text.stderr) }),
  );
  return {
    process: child,
    ended,
    async until(wanted, from = 'stdout') {
      const over = ended.then((ran) => {
        throw new Error(`ended with ${ran.status ?? ran.signal} before '${wanted}':\n${ran.stdout}\n${ran.stderr}`);
      });
      over.catch(() => undefined); // it ends in the end; only whoever still waits is told
      while (!utf8(text[from]).includes(wanted)) await Promise.race([once(child, 'told'), over]);
      return utf8(text[from]);
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: lines of JSON, read by tests only
export const jsonLines = (text: string): any[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** What a folder holds: names, sizes, times and modes. The evidence's must stay as they are. */
export const stateOf = (folder: string): string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => {
      const { size, mtimeNs, ctimeNs, ino, mode } = statSync(join(folder, name), { bigint: true });
      return `${name} ${size} ${mtimeNs} ${ctimeNs} ${ino} ${mode}`;
    });

/** Processes whose command line or working folder is below `folder`: a database that was left running. */
export function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch (error) {
        if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''; // gone in the meantime
        throw error;
      }
    })
    .filter((line) => line.includes(folder));
}
