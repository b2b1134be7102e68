/** The guard: a process of its own that runs the server for as long as somebody holds a connection to it. `guard.ts <data folder> <linger ms> <start ms>`. */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database-error.ts';
import { type Cluster, prepareCluster, writeDurably } from './cluster.ts';
import { type GuardMessage, layout } from './folder.ts';
import { takeLock } from './lock.ts';
import { type RunningServer, startServer } from './server.ts';

const [dataFolder, linger, startTimeout] = process.argv.slice(2);
const at = layout(dataFolder!);
const lingerMs = Number(linger);
const startTimeoutMs = Number(startTimeout);
const firstHolderMs = 15_000;
const restartsAllowed = 5;

const holders = new Set<Socket>();
const token = randomBytes(24).toString('base64url');
let latest: GuardMessage = { state: 'starting' };
let leaving: NodeJS.Timeout | null = null;
let wakeStop: () => void = () => undefined;
const stopWanted = new Promise<void>((resolve) => {
  wakeStop = resolve;
});

const lock = takeLock(at.lock);
if (lock === null) process.exit(0); // another guard is there: whoever started this one finds it
process.on('SIGTERM', wakeStop);
process.on('SIGINT', wakeStop);
process.on('SIGHUP', wakeStop);

const door = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('close', () => letGo(socket));
  const lines = createInterface({ input: socket });
  lines.once('line', (line) => {
    if (line !== token) return void socket.destroy();
    holders.add(socket);
    leaveLater(null);
    tell(socket, latest);
  });
  socket.on('end', () => letGo(socket));
});

function tell(socket: Socket, message: GuardMessage): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

function announce(message: GuardMessage): void {
  latest = message;
  for (const socket of holders) tell(socket, message);
}

/** A holder that leaves politely waits for our end of the line: the last one hears it when the server has stopped. */
function letGo(socket: Socket): void {
  if (!holders.delete(socket)) return;
  if (holders.size > 0 || lingerMs > 0) socket.end();
  else parting.push(socket);
  if (holders.size === 0) leaveLater(lingerMs);
}
const parting: Socket[] = [];

function leaveLater(delay: number | null): void {
  if (leaving !== null) clearTimeout(leaving);
  leaving = delay === null ? null : setTimeout(wakeStop, delay);
}

async function listen(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    door.once('error', reject);
    door.listen({ port: 0, host: '127.0.0.1' }, resolve);
  });
  const { port } = door.address() as { port: number };
  writeDurably(at.guard, JSON.stringify({ pid: process.pid, port, token }));
}

/** Keeps the server running until nobody holds it; one that dies is started again, on the same port. */
async function guard(cluster: Cluster): Promise<void> {
  let port: number | null = null;
  for (let restarts = 0; restarts <= restartsAllowed; restarts++) {
    const server: RunningServer = await startServer(cluster, at.serverLog, port, Date.now() + startTimeoutMs);
    port = server.port;
    announce({ state: 'ready', port });
    const ended = await Promise.race([server.exited.then(() => 'crashed'), stopWanted.then(() => 'stop')]);
    if (ended === 'stop') return await server.stop();
    announce({ state: 'starting' });
    await sleep(200);
  }
  throw new DatabaseError('database.start', `the embedded PostgreSQL ended by itself ${restartsAllowed + 1} times; see ${at.serverLog}`);
}

try {
  await listen();
  leaveLater(firstHolderMs);
  await guard(await prepareCluster(at));
} catch (error) {
  const code = error instanceof DatabaseError ? error.code : 'database.guard';
  console.error(error);
  announce({ state: 'failed', code, message: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
} finally {
  if (existsSync(at.guard)) rmSync(at.guard);
  door.close();
  lock.release();
  for (const socket of [...holders, ...parting]) socket.end();
  await sleep(100);
  process.exit();
}
