/** `login`, `logout`, `whoami`: the token that this account keeps for a server. */
import { hostname } from 'node:os';
import { type Command } from 'commander';
import { scopes } from '../../access/policy.ts';
import { ApiError } from '../../client/api-error.ts';
import { type Connection, openConnection, path } from '../../client/connection.ts';
import { checkedToken, forgetToken, keepToken, keptToken, keptTokens } from '../../client/tokens.ts';
import { wholeNumber } from '../whole-number.ts';
import { asks, type ServiceFlags, serverOf, withServiceOptions } from './ask.ts';
import { printDone, printOne, type Row } from './rows.ts';
import { readSecretInput, readSecretInputs } from './secret-input.ts';

interface LoginFlags extends ServiceFlags {
  readonly login?: string;
  readonly days: number;
}

export function addSignIn(program: Command): void {
  const login = program
    .command('login')
    .description('keep a token for this server: one that you have, or a new one for your password (asked for, or read from standard input)')
    .option('--login <login>', 'sign in with a password')
    .option('--days <number>', 'how long the new token is good', wholeNumber, 30);
  withServiceOptions(login).action(async () => {
    const flags = login.opts<LoginFlags>();
    const server = serverOf(flags);
    const token = await (flags.login === undefined ? givenToken(server) : tokenForPassword(server, flags.login, flags.days));
    const self = await openConnection(server, token).ask<Row>('GET', '/self');
    const file = keptTokens(process.env);
    await keepToken(file, server, token);
    const words = `signed in at ${server} as ${String(self.login)}; the token is kept in ${file}`;
    printDone(words, { server, file, ...self }, flags.json === true, process.stdout);
  });
  const logout = program.command('logout').description('end the token that is kept for this server');
  withServiceOptions(logout).action(async () => {
    const flags = logout.opts<ServiceFlags>();
    const server = serverOf(flags);
    const file = keptTokens(process.env);
    const token = await keptToken(file, server);
    if (token === null) throw new ApiError(0, 'client.token', `no token for ${server} is kept`);
    const ended = await endToken(openConnection(server, token));
    await forgetToken(file, server);
    printDone(
      `signed out of ${server}${ended ? '' : ': the token was over already'}`,
      { server, ended },
      flags.json === true,
      process.stdout,
    );
  });
  addPassword(program);
  asks(program.command('whoami').description('as whom this service knows you'), async ({ connection, json, out }) =>
    printOne(await connection.ask<Row>('GET', '/self'), json, out),
  );
}

const givenToken = async (server: string): Promise<string> => checkedToken(await readSecretInput(`token for ${server}`), 'what was given');

/** The session lasts only until it has made the token. */
async function tokenForPassword(server: string, login: string, days: number): Promise<string> {
  const password = await readSecretInput(`password of ${login} at ${server}`);
  const name = `custodia login on ${hostname()}`;
  const { token } = await inSession(server, login, password, (anonymous, headers) =>
    anonymous.ask<{ token: string }>('POST', '/tokens', { headers, body: { name, scopes, days } }),
  );
  return checkedToken(token, server);
}

/** Signs in, works with the headers of the session, and ends it. */
async function inSession<T>(
  server: string,
  login: string,
  password: string,
  work: (anonymous: Connection, headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const anonymous = openConnection(server, null);
  const answer = await anonymous.open('POST', '/sessions', { body: { login, password } });
  const cookie = answer.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const headers = { cookie, 'x-custodia-csrf': '1' };
  try {
    return await work(anonymous, headers);
  } finally {
    await anonymous.ask('DELETE', '/sessions', { headers });
  }
}

/** Only a session changes a password: a token that was lost must not lock its owner out. */
function addPassword(program: Command): void {
  const command = program
    .command('password')
    .description('another password for your account: the present and the new one are asked for, or read as two lines of standard input')
    .requiredOption('--login <login>', 'of the account');
  withServiceOptions(command).action(async () => {
    const flags = command.opts<ServiceFlags & { login: string }>();
    const { login } = flags;
    const server = serverOf(flags);
    const [current, password] = await readSecretInputs([`present password of ${login} at ${server}`, 'new password']);
    await inSession(server, login, current!, (anonymous, headers) =>
      anonymous.ask('PUT', '/self/password', { headers, body: { current, password } }),
    );
    const words = `${login} has another password at ${server}; sessions of before are over, tokens are not`;
    printDone(words, { server, login, changed: true }, flags.json === true, process.stdout);
  });
}

/** False where it is over already. */
async function endToken(connection: Connection): Promise<boolean> {
  try {
    const { credential } = await connection.ask<{ credential: { id: string } }>('GET', '/self');
    await connection.ask('DELETE', path`/tokens/${credential.id}`);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}
