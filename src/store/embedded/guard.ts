/** The guard: a process of its own that runs the server while anybody holds a connection to it. `guard.ts <data folder> <linger ms> <start ms> <service | single>`. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../database-error.ts';
import { type Cluster, prepareCluster, writeDurably } from './cluster.ts';
import { openDoor } from './door.ts';
import { layout } from './folder.ts';
import { takeLock } from './lock.ts';
import { serviceMegabytes, startServer, usualMegabytes } from './server.ts';

const [dataFolder, linger, startTimeout, kind] = process.argv.slice(2);
const at = layout(dataFolder!);
const startTimeoutMs = Number(startTimeout);
const sharedMegabytes = kind === 'service' ? serviceMegabytes() : usualMegabytes;
const restartsAllowed = 5;
const soundAfterMs = 60_000; // a server that ran so long did not fail because of how it was started
const logLimit = 10 * 1024 * 1024;

const lock = takeLock(at.lock);
if (lock === null) process.exit(0); // another guard is there: whoever started this one finds it

const leaving = new AbortController();
const left = new Promise<'left'>((resolve) => leaving.signal.addEventListener('abort', () => resolve('left')));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => leaving.abort());

const token = randomBytes(24).toString('base64url');
const door = await openDoor({ token, lingerMs: Number(linger), onEmpty: () => leaving.abort() });
try {
  writeDurably(at.guard, JSON.stringify({ pid: process.pid, port: door.port, token }));
  for (const log of [at.serverLog, at.guardLog]) if (existsSync(log) && statSync(log).size > logLimit) renameSync(log, `${log}.1`);
  await run(await prepareCluster(at, Date.now() + startTimeoutMs));
} catch (error) {
  console.error(error);
  const code = error instanceof DatabaseError ? error.code : 'database.guard';
  door.announce({ state: 'failed', code, message: error instanceof Error ? error.message : String(error) });
  await door.heard();
  process.exitCode = 1;
} finally {
  rmSync(at.guard, { force: true });
  lock.release();
  await door.close();
}
process.exit();

/** Until nobody holds the server. One that dies is started again on the same port: pools find it there. */
async function run(cluster: Cluster): Promise<void> {
  let port = existsSync(at.port) ? Number(readFileSync(at.port, 'utf8')) : null;
  for (let failures = 0; failures <= restartsAllowed; failures++) {
    const begun = Date.now();
    const server = await startServer(cluster, at.serverLog, { port, sharedMegabytes, deadline: begun + startTimeoutMs });
    if (server.port !== port) writeDurably(at.port, `${server.port}\n`);
    port = server.port;
    door.announce({ state: 'ready', port });
    if ((await Promise.race([left, server.exited])) === 'left') {
      rmSync(at.guard, { force: true });
      door.refuse();
      return await server.stop();
    }
    door.announce({ state: 'starting' });
    console.error(`the server (process ${server.pid}) ended by itself; ${at.serverLog} tells more`);
    if (Date.now() - begun > soundAfterMs) failures = 0;
    await sleep(200);
  }
  throw new DatabaseError(
    'database.start',
    `the embedded PostgreSQL ended by itself ${restartsAllowed + 1} times; ${at.serverLog} tells more`,
  );
}
