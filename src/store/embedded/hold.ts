/** Holding the server: a connection to its guard, who is started if nobody is there. The server lives while it stands. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database-error.ts';
import { cleanEnvironment } from './cluster.ts';
import { type GuardAddress, type GuardMessage, type Layout } from './folder.ts';
import { onLines } from './lines.ts';
import { logTail } from './log-tail.ts';

export interface Hold {
  readonly port: number;
  /** This call started the guard. */
  readonly started: boolean;
  /** Resolves when the line was cut without having been let go: the guard is gone. */
  readonly lost: Promise<void>;
  /** Resolves when the guard has let go; for the last holder that is when the server has stopped. */
  release(): Promise<void>;
}

export interface HoldOptions {
  readonly dataFolder: string;
  readonly lingerMs: number;
  readonly startTimeoutMs: number;
  readonly isService: boolean;
}

const overtimeMs = 5000; // the guard has the same limit and knows more about what went wrong: it speaks first
const answerMs = 5000;

/** Tries until the time is over: a guard that is just stopping makes room for the next one. */
export async function holdServer(at: Layout, options: HoldOptions): Promise<Hold> {
  const deadline = Date.now() + options.startTimeoutMs + overtimeMs;
  let child: StartedGuard | null = null;
  while (Date.now() < deadline) {
    const address = readAddress(at);
    const hold = address === null ? null : await attach(address, address.pid === child?.pid, deadline);
    if (hold !== null) return hold;
    if (child === null || child.hasEnded()) child = startGuard(at, options);
    await sleep(25);
  }
  const tail = existsSync(at.guardLog) ? logTail(at.guardLog, 0) : '(no log)';
  throw new DatabaseError(
    'database.start',
    `no guard of ${at.base} answered within ${options.startTimeoutMs} ms; ${at.guardLog} ends with:\n${tail}`,
  );
}

interface StartedGuard {
  readonly pid: number;
  hasEnded(): boolean;
}

/** In a session of its own: neither Ctrl-C nor the end of this process reaches it. */
function startGuard(at: Layout, { dataFolder, lingerMs, startTimeoutMs, isService }: HoldOptions): StartedGuard {
  const output = openSync(at.guardLog, 'a', 0o600);
  try {
    const args = [
      join(import.meta.dirname, 'guard.ts'),
      dataFolder,
      String(lingerMs),
      String(startTimeoutMs),
      isService ? 'service' : 'single',
    ];
    const child = spawn(process.execPath, args, { cwd: '/', detached: true, env: cleanEnvironment(), stdio: ['ignore', output, output] });
    let failed = false;
    child.on('error', () => {
      failed = true;
    });
    child.unref();
    return { pid: child.pid ?? 0, hasEnded: () => failed || child.exitCode !== null || child.signalCode !== null };
  } finally {
    closeSync(output);
  }
}

/** Null when nobody has left one, or what is there is not ours to understand: the next guard writes it anew. */
function readAddress(at: Layout): GuardAddress | null {
  try {
    return parse<GuardAddress>(readFileSync(at.guard, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function parse<T>(json: string): T | null {
  try {
    return JSON.parse(json) as T;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Null when no guard answers at this address; throws what the guard says has failed. */
function attach({ port, token }: GuardAddress, started: boolean, deadline: number): Promise<Hold | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let limit = setTimeout(() => socket.destroy(), answerMs);
    let released = false;
    let settled = false;
    let reason: DatabaseError | null = null;
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    const lost = new Promise<void>((tell) => {
      void closed.then(() => {
        if (!released) tell();
      });
    });
    const release = () => {
      released = true;
      socket.ref();
      socket.end();
      return closed;
    };
    const hear = (message: GuardMessage | null) => {
      clearTimeout(limit);
      if (message?.state === 'ready') {
        settled = true;
        socket.unref(); // a hold does not keep its process running
        resolve({ port: message.port, started, lost, release });
      } else if (message?.state === 'starting') {
        if (!settled) limit = setTimeout(() => socket.destroy(), Math.max(0, deadline - Date.now()));
      } else if (message?.state === 'failed') {
        const { code, message: said } = message;
        reason = new DatabaseError(code, said);
        limit = setTimeout(() => socket.destroy(), answerMs);
      } else {
        socket.destroy(); // another program that listens where a guard once did
      }
    };
    socket.on('error', () => socket.destroy());
    socket.once('connect', () => socket.write(`${token}\n`));
    onLines(socket, (line) => hear(parse<GuardMessage>(line)));
    void closed.then(() => {
      clearTimeout(limit);
      if (reason === null) resolve(null);
      else reject(reason); // only now, as the guard has made room for the next one
    });
  });
}
