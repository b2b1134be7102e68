/** Holding the server: a connection to its guard, who is started if nobody is there. The server lives while it stands. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database-error.ts';
import { cleanEnvironment } from './cluster.ts';
import { type GuardAddress, type GuardMessage, type Layout } from './folder.ts';
import { logTail } from './log-tail.ts';

export interface Hold {
  readonly port: number;
  readonly guardPid: number;
  /** This call started the guard. */
  readonly started: boolean;
  /** Resolves when the guard is gone without having been let go. */
  readonly lost: Promise<void>;
  /** Resolves when the guard has let go; after the last holder, that is when the server has stopped. */
  release(): Promise<void>;
}

export interface HoldOptions {
  readonly dataFolder: string;
  readonly lingerMs: number;
  readonly startTimeoutMs: number;
}

/** Tries until the time is over: a guard that is just stopping makes room for the next one. */
export async function holdServer(at: Layout, options: HoldOptions): Promise<Hold> {
  const deadline = Date.now() + options.startTimeoutMs;
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
function startGuard(at: Layout, { dataFolder, lingerMs, startTimeoutMs }: HoldOptions): StartedGuard {
  const output = openSync(at.guardLog, 'w', 0o600);
  try {
    const script = join(import.meta.dirname, 'guard.ts');
    const args = [script, dataFolder, String(lingerMs), String(startTimeoutMs)];
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

function readAddress(at: Layout): GuardAddress | null {
  return existsSync(at.guard) ? (JSON.parse(readFileSync(at.guard, 'utf8')) as GuardAddress) : null;
}

/** Null when nobody answers at this address; throws what the guard says has failed. */
function attach({ pid, port, token }: GuardAddress, started: boolean, deadline: number): Promise<Hold | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const timer = setTimeout(() => socket.destroy(), Math.max(0, deadline - Date.now()));
    let released = false;
    const lost = new Promise<void>((tell) => {
      socket.on('close', () => {
        clearTimeout(timer);
        resolve(null);
        if (!released) tell();
      });
    });
    const release = () =>
      new Promise<void>((done) => {
        released = true;
        if (socket.closed) return done();
        socket.ref();
        socket.once('close', () => done());
        socket.end();
      });
    socket.on('error', () => socket.destroy());
    socket.once('connect', () => socket.write(`${token}\n`));
    createInterface({ input: socket }).on('line', (line) => {
      const message = JSON.parse(line) as GuardMessage;
      if (message.state === 'failed') reject(new DatabaseError(message.code, message.message));
      if (message.state !== 'ready') return;
      clearTimeout(timer);
      idle(socket);
      resolve({ port: message.port, guardPid: pid, started, lost, release });
    });
  });
}

/** An open hold does not keep its process running. */
function idle(socket: Socket): void {
  socket.unref();
}
