/** Runs a command to its end and watches what it and everything it started take of the memory (Linux, proc(5)). */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface Watched {
  readonly command: string;
  readonly args: readonly string[];
  readonly stdout: string;
  /** Also counted: the PostgreSQL server of this data folder and whatever else has the folder among its arguments. */
  readonly dataFolder?: string;
  /** Proportional set size shares pages among those who map them, but reading it takes time: not for comparisons of speed. */
  readonly proportional?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Run {
  readonly seconds: number;
  /** Highest sums seen, bytes. Pages that several processes share are counted in `rss` for each of them, in `pss` once. */
  readonly peak: { readonly rss: number; readonly pss: number | null; readonly processes: number };
}

const lookEveryMs = 100;

/** Throws Error when the command's exit status is none of `accepted`. */
export async function runWatched(watched: Watched, accepted: readonly number[] = [0]): Promise<Run> {
  const output = openSync(watched.stdout, 'w');
  const errors: Buffer[] = [];
  const begun = performance.now();
  const child = spawn(watched.command, watched.args, {
    stdio: ['ignore', output, 'pipe'],
    env: { ...process.env, ...watched.environment },
  });
  child.stderr?.on('data', (bytes: Buffer) => errors.push(bytes));
  const peak = { rss: 0, pss: null as number | null, processes: 0 };
  const timer = setInterval(() => {
    const now = look(child.pid ?? -1, watched);
    peak.rss = Math.max(peak.rss, now.rss);
    if (watched.proportional) peak.pss = Math.max(peak.pss ?? 0, now.pss);
    peak.processes = Math.max(peak.processes, now.processes);
  }, lookEveryMs);
  try {
    const { status, seconds } = await new Promise<{ status: number | null; seconds: number }>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ status: code, seconds: (performance.now() - begun) / 1000 }));
    });
    if (status === null || !accepted.includes(status)) {
      throw new Error(`${watched.command} ${watched.args.join(' ')}: exit status ${status}\n${Buffer.concat(errors)}`);
    }
    return { seconds, peak };
  } finally {
    clearInterval(timer);
    closeSync(output);
  }
}

interface Found {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly pages: number;
}

const pageSize = 4096;

function look(root: number, { dataFolder, proportional }: Watched): { rss: number; pss: number; processes: number } {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => readStat(Number(pid)));
  const mine = new Set([root]);
  for (let before = 0; before < mine.size; ) {
    before = mine.size;
    for (const { pid, parent } of all) if (mine.has(parent)) mine.add(pid);
  }
  const counted = all.filter((found) => mine.has(found.pid) || (dataFolder !== undefined && belongsTo(found, dataFolder)));
  return {
    rss: counted.reduce((sum, { pages }) => sum + pages * pageSize, 0),
    pss: proportional ? counted.reduce((sum, { pid }) => sum + proportionalSize(pid), 0) : 0,
    processes: counted.length,
  };
}

/** Gone between two looks counts as never seen. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return '';
    throw error;
  }
}

/** proc(5): the name stands in parentheses and may hold anything; behind it state, parent, ..., resident pages (fields 3, 4, 24). */
function readStat(pid: number): Found[] {
  const text = readProc(`/proc/${pid}/stat`);
  const end = text.lastIndexOf(')');
  if (end < 0) return [];
  const fields = text.slice(end + 2).split(' ');
  return [{ pid, name: text.slice(text.indexOf('(') + 1, end), parent: Number(fields[1]), pages: Number(fields[21]) }];
}

function belongsTo({ pid, name }: Found, dataFolder: string): boolean {
  if (pid === process.pid) return false;
  if (name === 'postgres') return workingFolder(pid).startsWith(dataFolder);
  return name.startsWith('node') && readProc(`/proc/${pid}/cmdline`).includes(dataFolder);
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(join('/proc', String(pid), 'cwd'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return '';
    throw error;
  }
}

const proportionalSize = (pid: number): number => Number(/^Pss:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
