/** A database of its own for every test that asks: on one embedded server that all test processes of this checkout share. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import { pino } from 'pino';
import { openPool } from '../../src/store/connection.ts';
import { type EmbeddedServer, openEmbedded } from '../../src/store/embedded.ts';
import { migrate } from '../../src/store/migrate.ts';

export interface TestDatabase {
  readonly url: string;
  readonly pool: Pool;
  close(): Promise<void>;
}

const checkout = createHash('sha256')
  .update(import.meta.dirname)
  .digest('hex')
  .slice(0, 12);
const dataFolder = join(tmpdir(), `custodia-test-${userInfo().uid}-${checkout}`);
const template = `migrated_${digestOfSchema(join(import.meta.dirname, '..', '..', 'src', 'store'))}`;
const log = pino({ level: 'silent' });

let shared: Promise<{ server: EmbeddedServer; admin: Pool }> | undefined;

/** Migrated and empty. The server stops some seconds after the last test process has ended. */
export async function testDatabase(): Promise<TestDatabase> {
  shared ??= openShared();
  const { server, admin } = await shared;
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await admin.query(`create database ${name} template ${template}`);
  const url = withName(server.url, name);
  const pool = openPool({ url, log });
  const close = async () => {
    await pool.end();
    await admin.query(`drop database ${name} with (force)`);
  };
  return { url, pool, close };
}

function withName(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function openShared() {
  const server = await openEmbedded({ dataFolder, log, lingerMs: 5000 });
  const admin = new Pool({ connectionString: server.url, max: 4, allowExitOnIdle: true });
  admin.on('error', (error) => console.warn(`test database: an idle connection was lost: ${error.message}`));
  await prepareTemplate(server, admin);
  return { server, admin };
}

/** Made by the first process that needs it, under a lock; whoever starts the server drops what earlier runs left. */
async function prepareTemplate(server: EmbeddedServer, admin: Pool): Promise<void> {
  const client = await admin.connect();
  try {
    await client.query('select pg_advisory_lock(7)');
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    const names = rows.map(({ datname }) => datname);
    const left = names.filter((name) => name === 'migrating' || (!server.attached && name !== template && isLeftOver(name)));
    for (const name of left) await client.query(`drop database ${name} with (force)`);
    if (names.includes(template)) return;
    await client.query('create database migrating');
    const pool = openPool({ url: withName(server.url, 'migrating'), log, max: 1 });
    await migrate(pool).finally(() => pool.end());
    await client.query(`alter database migrating rename to ${template}`);
  } finally {
    client.release(true); // ends the session, and its lock with it
  }
}

/** A template of another schema, or a database whose test process is gone. */
function isLeftOver(name: string): boolean {
  const [kind, pid] = name.split('_');
  return kind === 'migrated' || (kind === 'test' && !existsSync(`/proc/${pid}`));
}

/** Another schema, another template. */
function digestOfSchema(store: string): string {
  const hash = createHash('sha256').update(readFileSync(join(store, 'migrate.ts')));
  for (const name of readdirSync(join(store, 'migrations')).sort()) hash.update(readFileSync(join(store, 'migrations', name)));
  return hash.digest('hex').slice(0, 12);
}
