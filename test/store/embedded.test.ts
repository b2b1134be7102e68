/** The embedded server as its users see it: started, shared, recovered, stopped. Witnesses: PostgreSQL's own views, the kernel's process table. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { openPool, probe } from '../../src/store/connection.ts';
import { type EmbeddedServer, openEmbedded } from '../../src/store/embedded.ts';

const log = pino({ level: 'silent' });
const parent = mkdtempSync(join(tmpdir(), 'custodia-embedded-'));
const sound = join(parent, 'sound'); // its cluster is made once
let dataFolder = '';
const opened: EmbeddedServer[] = [];

beforeAll(() => chmodSync(parent, 0o711));

beforeEach(() => {
  dataFolder = sound;
});

afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** For tests that break the cluster: a closed one of their own. */
async function breakable(): Promise<void> {
  await (await open()).close();
  dataFolder = join(parent, `breakable-${randomBytes(6).toString('hex')}`);
  cpSync(sound, dataFolder, { recursive: true });
  writeFileSync(inDatabase('location'), `${clusterFile('')}\n`);
  chmodSync(clusterFile(''), 0o700);
  const { uid, gid } = statSync(join(sound, 'database', 'cluster'));
  if (uid !== 0) execFileSync('chown', ['-R', `${uid}:${gid}`, clusterFile('')]);
}

async function open(): Promise<EmbeddedServer> {
  const server = await openEmbedded({ dataFolder, log, startTimeoutMs: 20_000 });
  opened.push(server);
  return server;
}

async function ask(url: string, query: string): Promise<Record<string, unknown>> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query(query)).rows[0];
  } finally {
    await client.end();
  }
}

const inDatabase = (name: string) => join(dataFolder, 'database', name);
const clusterFile = (name: string) => join(dataFolder, 'database', 'cluster', name);
const postmasterPid = () => Number(readFileSync(clusterFile('postmaster.pid'), 'utf8').split('\n')[0]);
const guardPid = () => (JSON.parse(readFileSync(inDatabase('guard.json'), 'utf8')) as { pid: number }).pid;
const isRunning = (pid: number) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

async function eventually(what: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(25);
  }
}

const answers = (url: string) =>
  ask(url, 'select 1').then(
    () => true,
    () => false,
  );

/** Another process that holds the server until it is killed or its standard input ends. */
function otherProcess(): Promise<{ process: ChildProcess; said: { attached: boolean; url: string } }> {
  const script = `
    import { pino } from 'pino';
    import { openEmbedded } from ${JSON.stringify(join(import.meta.dirname, '../../src/store/embedded.ts'))};
    const server = await openEmbedded({ dataFolder: ${JSON.stringify(dataFolder)}, log: pino({ level: 'silent' }) });
    console.log(JSON.stringify({ attached: server.attached, url: server.url }));
    process.stdin.on('end', () => server.close()).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '..', '..'),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (status) => reject(new Error(`the other process ended with status ${status}`)));
    child.stdout!.once('data', (line) => resolve({ process: child, said: JSON.parse(String(line)) }));
  });
}

it('starts a server with the settings the record needs, and stops it', async () => {
  const server = await open();
  expect(server.attached).toBe(false);
  expect(server.version).toMatch(/^18\./);
  const wanted = {
    data_checksums: 'on',
    fsync: 'on',
    jit: 'off',
    listen_addresses: '127.0.0.1',
    max_connections: '200',
    server_encoding: 'UTF8',
    synchronous_commit: 'on',
    unix_socket_directories: '',
  };
  const columns = Object.keys(wanted).map((name) => `current_setting('${name}') as ${name}`);
  expect(await ask(server.url, `select ${columns.join(', ')}`)).toEqual(wanted);
  expect(await ask(server.url, `select datlocprovider, datlocale from pg_database where datname = current_database()`)).toEqual({
    datlocprovider: 'b',
    datlocale: 'C.UTF-8',
  });
  expect(await ask(server.url, `select rolpassword like 'SCRAM-SHA-256$%' as scram from pg_authid where rolname = current_user`)).toEqual({
    scram: true,
  });
  const pid = postmasterPid();
  await server.close();
  expect(isRunning(pid)).toBe(false);
  expect(readFileSync(inDatabase('server.log'), 'utf8')).toContain('database system is shut down');
});

it('lets in only who knows the password, which only its owner can read', async () => {
  const server = await open();
  for (const name of ['password', 'guard.json', 'guard.lock', 'server.log', 'location']) {
    expect([name, statSync(inDatabase(name)).mode & 0o077]).toEqual([name, 0]);
  }
  const wrong = new URL(server.url);
  wrong.password = 'wrong';
  await expect(ask(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  const hba = readFileSync(clusterFile('pg_hba.conf'), 'utf8').match(/^[^#\n]+$/gm)!;
  expect(hba.filter((line) => !line.trim().endsWith('scram-sha-256'))).toEqual([]);
});

it('is shared by processes, and lives as long as any of them, also after the first was killed', async () => {
  const first = await otherProcess();
  const second = await open();
  expect(first.said.attached).toBe(false);
  expect(second.attached).toBe(true);
  expect(second.url).toBe(first.said.url);
  first.process.kill('SIGKILL');
  await sleep(500);
  expect(await ask(second.url, 'select 1 as one')).toEqual({ one: 1 });
  const pid = postmasterPid();
  await second.close();
  expect(isRunning(pid)).toBe(false);
});

it('starts one server for several processes that begin at once', async () => {
  const others = await Promise.all([otherProcess(), otherProcess(), otherProcess()]);
  expect(others.filter(({ said }) => !said.attached)).toHaveLength(1);
  expect(new Set(others.map(({ said }) => said.url)).size).toBe(1);
  const pid = postmasterPid();
  for (const { process } of others) process.stdin!.end();
  await eventually(() => !isRunning(pid));
});

it('leaves no server behind when its only user is killed', async () => {
  const { process } = await otherProcess();
  const pid = postmasterPid();
  const guard = guardPid();
  process.kill('SIGKILL');
  await eventually(() => !isRunning(pid) && !isRunning(guard), 5000);
});

it('starts a killed server again, on the same port and with all that was committed', async () => {
  const server = await open();
  const pool = openPool({ url: server.url, log });
  await pool.query('create table survivor (number int)');
  await pool.query('insert into survivor values (42)');
  const pid = postmasterPid();
  process.kill(pid, 'SIGKILL');
  await eventually(() => answers(server.url), 20_000);
  expect(postmasterPid()).not.toBe(pid);
  await probe(pool);
  expect((await pool.query('select number from survivor')).rows).toEqual([{ number: 42 }]);
  await pool.end();
  expect(readFileSync(inDatabase('server.log'), 'utf8')).toContain('automatic recovery in progress');
});

it('recovers at the next start when server and guard were killed together', async () => {
  const server = await open();
  await ask(server.url, 'create table kept as select 42 as number');
  const other = { guard: guardPid(), postmaster: postmasterPid() };
  await server.close();
  const holder = await otherProcess();
  const [guard, postmaster] = [guardPid(), postmasterPid()];
  expect({ guard, postmaster }).not.toEqual(other);
  holder.process.kill('SIGKILL');
  process.kill(guard, 'SIGKILL');
  process.kill(postmaster, 'SIGKILL');
  const again = await open();
  expect(again.attached).toBe(false);
  expect(await ask(again.url, 'select number from kept')).toEqual({ number: 42 });
});

it('replaces a killed guard, who takes over the running server', async () => {
  const server = await open();
  const postmaster = postmasterPid();
  const guard = guardPid();
  process.kill(guard, 'SIGKILL');
  await eventually(() => existsSync(inDatabase('guard.json')) && guardPid() !== guard);
  await eventually(() => answers(server.url));
  expect(postmasterPid()).toBe(postmaster);
  await sleep(300); // until the new guard is held
  await server.close();
  expect(isRunning(postmaster)).toBe(false);
});

it('starts though postmaster.pid names a process that is none of its own', async () => {
  const first = await open();
  await first.close();
  const lines = [process.pid, clusterFile(''), 0, 1, '', '127.0.0.1', '', 'ready'];
  writeFileSync(clusterFile('postmaster.pid'), `${lines.join('\n')}\n`);
  const server = await open();
  expect(await ask(server.url, 'select 1 as one')).toEqual({ one: 1 });
});

it('takes another port when its own is in use', async () => {
  const first = await open();
  const { port } = new URL(first.url);
  await first.close();
  const squatter = createServer().listen(Number(port), '127.0.0.1');
  const second = await open();
  expect(new URL(second.url).port).not.toBe(port);
  squatter.close();
});

it('tells what the server said when it cannot start', async () => {
  await breakable();
  truncateSync(clusterFile('global/pg_control'), 100);
  // PostgreSQL 18, src/common/controldata_utils.c: "could not read file \"%s\": read %d of %zu"
  await expect(open()).rejects.toMatchObject({
    code: 'database.start',
    message: expect.stringContaining('could not read file "global/pg_control"'),
  });
  expect(existsSync(inDatabase('guard.json'))).toBe(false);
});

it('does not wait longer than it was told to', async () => {
  await breakable();
  const error = await openEmbedded({ dataFolder, log, startTimeoutMs: 1 }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'database.start', message: expect.stringContaining('was not ready in time') });
  expect(existsSync(clusterFile('postmaster.pid'))).toBe(false);
});

it('refuses a cluster of another version, a damaged one, and one that is gone', async () => {
  await breakable();
  writeFileSync(clusterFile('PG_VERSION'), '17\n');
  await expect(open()).rejects.toMatchObject({
    code: 'database.cluster-version',
    message: expect.stringContaining("found '17', expected '18'"),
  });
  rmSync(clusterFile('PG_VERSION'));
  await expect(open()).rejects.toMatchObject({ code: 'database.cluster-version', message: expect.stringContaining('damaged') });
  rmSync(clusterFile(''), { recursive: true });
  await expect(open()).rejects.toMatchObject({ code: 'database.missing' });
});

it('begins anew what an interrupted initdb left', async () => {
  await breakable();
  renameSync(clusterFile(''), inDatabase('cluster.new'));
  rmSync(inDatabase('location'));
  rmSync(inDatabase('cluster.new/base'), { recursive: true });
  expect((await open()).attached).toBe(false);
});
