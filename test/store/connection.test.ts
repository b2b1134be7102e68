/** Pools and what is asked of a server, on real servers. Witness: PostgreSQL's own views and error codes (manual, appendix A). */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pool } from 'pg';
import { from, to } from 'pg-copy-streams';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { describeUrl, openPool, type PoolOptions, probe } from '../../src/store/connection.ts';
import { type EmbeddedServer, openEmbedded } from '../../src/store/embedded.ts';

const logged: string[] = [];
const log = pino({}, { write: (line: string) => void logged.push(line) });
const dataFolder = mkdtempSync(join(tmpdir(), 'custodia-connection-'));
let server: EmbeddedServer;
const pools: Pool[] = [];

beforeAll(async () => {
  server = await openEmbedded({ dataFolder, log });
});

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.end();
});

afterAll(async () => {
  await server.close();
  rmSync(dataFolder, { recursive: true, force: true });
});

function open(url: string, options: Partial<PoolOptions> = {}): Pool {
  const pool = openPool({ url, log, ...options });
  pools.push(pool);
  return pool;
}

function changed(change: (url: URL) => void): string {
  const url = new URL(server.url);
  change(url);
  return url.href;
}

async function another(name: string, definition: string): Promise<string> {
  await open(server.url).query(`create database ${name} ${definition}`);
  return changed((url) => {
    url.pathname = `/${name}`;
  });
}

it('hides the password of a URL, wherever it stands', () => {
  expect(describeUrl('postgres://ada:secret@db.example:5432/lab?sslmode=require')).toBe('postgres://ada@db.example:5432/lab');
  expect(describeUrl('postgres://db.example/lab?user=ada&password=secret')).toBe('postgres://db.example/lab');
  expect(describeUrl('ada:secret at db')).toBe('(not a postgres:// URL)');
  expect(() => openPool({ url: 'ada:secret at db', log })).toThrow(/is not a URL like postgres:/);
});

it('gives every session the limits of the design', async () => {
  const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'application_name'];
  const { rows } = await open(server.url).query(`select ${names.map((name) => `current_setting('${name}') as ${name}`).join(', ')}`);
  // RELIABILITY 2.3
  expect(rows).toEqual([
    { statement_timeout: '15s', lock_timeout: '5s', idle_in_transaction_session_timeout: '5s', application_name: 'custodia' },
  ]);
});

it('survives connections that are cut, idle or in use', async () => {
  const pool = open(server.url, { max: 2 });
  const [idle, used] = [await pool.connect(), await pool.connect()];
  idle.release();
  const before = logged.length;
  await open(server.url).query(`select pg_terminate_backend(pid) from pg_stat_activity where pid = any($1)`, [
    [idle, used].map((client) => (client as unknown as { processID: number }).processID),
  ]);
  await vi.waitFor(() => expect(logged.length).toBeGreaterThanOrEqual(before + 2));
  used.release(true);
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

describe('COPY', () => {
  it('may take longer than a query', async () => {
    const client = await open(server.url, { queryTimeoutMs: 300 }).connect();
    await client.query('create temporary table slow (number int)');
    const rows = (async function* () {
      for (const number of [1, 2, 3]) {
        yield Buffer.from(`${number}\n`);
        await sleep(200);
      }
    })();
    await pipeline(Readable.from(rows, { objectMode: false }), client.query(from('copy slow from stdin')));
    expect((await client.query('select count(*)::int as count from slow')).rows).toEqual([{ count: 3 }]);
    await expect(client.query('select pg_sleep(1)')).rejects.toThrow('Query read timeout');
    client.release(true);
  });

  it('has a limit of its own', async () => {
    const client = await open(server.url, { copyTimeoutMs: 200 }).connect();
    await client.query('create temporary table stuck (number int)');
    const endless = new Readable({ read: () => undefined });
    await expect(pipeline(endless, client.query(from('copy stuck from stdin')))).rejects.toThrow('Query read timeout');
    client.release(true);
  });

  it('leaves no timer behind', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const client = await open(server.url).connect();
    const before = timers();
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    await pipeline(client.query(to('copy (select generate_series(1, 1000)) to stdout')), sink);
    await vi.waitFor(() => expect(timers()).toBeLessThanOrEqual(before));
    client.release();
  });
});

describe('probe', () => {
  it('tells version and clock of a server that fits', async () => {
    const facts = await probe(open(server.url));
    expect(facts.version).toMatch(/^18\./);
    expect(Math.abs(facts.clockDifferenceMs)).toBeLessThan(500);
  });

  it('waits for a server that is just starting', async () => {
    await server.close();
    const pool = open(server.url);
    const waiting = probe(pool, 20_000);
    await sleep(300);
    server = await openEmbedded({ dataFolder, log });
    expect((await waiting).version).toBe(server.version);
  });

  it('gives up on one that never answers', async () => {
    const nowhere = changed((url) => {
      url.port = '1';
    });
    await expect(probe(open(nowhere), 300)).rejects.toMatchObject({
      code: 'database.unreachable',
      message: 'postgres://custodia@127.0.0.1:1/postgres: no answer within 300 ms: connect ECONNREFUSED 127.0.0.1:1',
    });
  });

  it('does not repeat what the server refuses, and keeps the password to itself', async () => {
    const wrong = changed((url) => {
      url.password = 'not-the-password';
    });
    const error = await probe(open(wrong)).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'database.refused', message: expect.stringContaining('password authentication failed') });
    expect(`${error.stack}${logged.join('')}`).not.toMatch(/not-the-password/);
    expect(logged.join('')).not.toContain(new URL(server.url).password);
  });

  it('refuses another encoding', async () => {
    const url = await another('latin', `encoding 'LATIN1' locale_provider libc locale 'C' template template0`);
    await expect(probe(open(url))).rejects.toMatchObject({
      code: 'database.encoding',
      message: expect.stringContaining('LATIN1, expected UTF8'),
    });
  });

  it('refuses commits that a power cut may take back', async () => {
    const url = await another('hasty', '');
    await open(url).query('alter database hasty set synchronous_commit = off');
    await expect(probe(open(url))).rejects.toMatchObject({ code: 'database.synchronous-commit' });
  });

  it('refuses a clock that is more than half a second away', async () => {
    const pool = open(server.url);
    await pool.query('select 1');
    for (const shift of [-2000, 2000]) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + shift });
      try {
        await expect(probe(pool)).rejects.toMatchObject({ code: 'database.clock' });
      } finally {
        vi.useRealTimers();
      }
    }
    expect(await probe(pool)).toBeTruthy();
  });
});

const older = '/usr/lib/postgresql/15/bin';
const account = { uid: 65534, gid: 65534 };

describe.skipIf(process.getuid?.() !== 0 || !existsSync(`${older}/initdb`))('an external server, with postgresql-15', () => {
  it('is refused when it has no uuidv7()', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'custodia-older-'));
    chownSync(folder, account.uid, account.gid);
    const as = { ...account, cwd: '/', env: { LC_ALL: 'C' } };
    const made = spawnSync(`${older}/initdb`, ['-D', join(folder, 'pg'), '-A', 'trust', '-U', 'custodia', '-E', 'UTF8', '--no-sync'], as);
    expect(String(made.stderr)).toBe('');
    const { port } = new URL(server.url);
    const ours = Number(port) === 65535 ? 65534 : Number(port) + 1;
    const postgres = spawn(`${older}/postgres`, ['-D', join(folder, 'pg'), '-p', String(ours), '-h', '127.0.0.1', '-k', ''], {
      ...as,
      stdio: 'ignore',
    });
    try {
      const refused = {
        code: 'database.version',
        message: expect.stringMatching(/PostgreSQL 15\..* has no uuidv7\(\), expected version 18 or later/),
      };
      await expect(probe(open(`postgres://custodia@127.0.0.1:${ours}/postgres`))).rejects.toMatchObject(refused);
      expect(statSync(join(folder, 'pg')).uid).toBe(account.uid);
    } finally {
      const gone = new Promise((resolve) => postgres.once('exit', resolve));
      postgres.kill('SIGQUIT');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
