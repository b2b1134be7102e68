/** The first start of a service: its administrator token comes once, works once, and a lost one is replaced by whoever has the data folder. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Desk, jsonLines, openDesk, type Running } from './custodia.ts';

let database: TestDatabase;
let desk: Desk;

beforeAll(async () => {
  database = await testDatabase();
  desk = openDesk({ DATABASE_URL: database.url });
});
afterAll(async () => {
  await desk.close();
  await database.close();
});

async function serving(): Promise<{ server: Running; address: string; token: string | undefined }> {
  const server = desk.start(['serve', '--port', '0', '--json']);
  const told = jsonLines(await server.until('"serving"'));
  const address = told.find(({ event }) => event === 'serving').address;
  await new Promise((resolve) => setTimeout(resolve, 300)); // a token would be told right behind it
  const token = jsonLines(await server.until('"serving"')).find(({ event }) => event === 'administrator')?.token;
  return { server, address, token };
}

async function stop({ process, ended }: Running): Promise<string> {
  process.kill('SIGTERM');
  const { status, stderr } = await ended;
  expect(status).toBe(0);
  return stderr;
}

const ask = (address: string, token: string, path: string, body?: object) =>
  fetch(`${address}/api/v1${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });

it('prints a token at the first start only; it makes one thing and is over; the log never has it', async () => {
  const first = await serving();
  expect(first.token).toMatch(/^cst_[A-Za-z0-9_-]{43}$/);
  const made = await ask(first.address, first.token!, '/tokens', { name: 'mine', scopes: ['read', 'manage'], days: 30 });
  expect(made.status).toBe(201);
  const { token } = (await made.json()) as { token: string };
  expect((await ask(first.address, first.token!, '/self')).status).toBe(401);
  expect((await ask(first.address, token, '/self')).status).toBe(200);
  expect(await stop(first.server)).not.toContain('cst_');

  const second = await serving();
  expect(second.token).toBeUndefined();
  const { status, stdout } = await desk.run('administrator', '--json');
  expect(status).toBe(0);
  const [{ token: spare }] = jsonLines(stdout);
  expect((await ask(second.address, spare, '/agencies', { name: 'first' })).status).toBe(201); // what ends it is an account or a token
  expect((await ask(second.address, spare, '/tokens', { name: 'again', scopes: ['read'], days: 1 })).status).toBe(201);
  expect((await ask(second.address, spare, '/self')).status).toBe(401);
  await stop(second.server);
  const { rows } = await database.pool.query(`select outcome from audit where action = 'administrator.token'`);
  expect(rows).toEqual([{ outcome: 'done' }]);
}, 60_000);
