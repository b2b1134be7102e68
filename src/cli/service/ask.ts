/** What all commands that ask a service have in common: their options, the connection, how things are named. */
import { type Command } from 'commander';
import { ApiError } from '../../client/api-error.ts';
import { type Connection, openConnection, serverAddress } from '../../client/connection.ts';
import { checkedToken, keptToken, keptTokens, readTokenFile } from '../../client/tokens.ts';
import { type Out } from './rows.ts';

export interface ServiceFlags {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

export interface Asking<F> {
  readonly connection: Connection;
  /** As they were given, in order. */
  readonly args: readonly string[];
  readonly flags: F;
  readonly json: boolean;
  readonly out: Out;
}

export const usualServer = 'http://127.0.0.1:7400';

export const serverOf = ({ server }: ServiceFlags): string => serverAddress(server ?? (process.env.CUSTODIA_SERVER || usualServer));

export const withServerOptions = (command: Command, otherwise = `default: ${usualServer}`): Command =>
  command
    .exitOverride()
    .option('--server <address>', `address of the service (CUSTODIA_SERVER; ${otherwise})`)
    .option('--token-file <file>', 'file with the token (default: CUSTODIA_TOKEN, then what `custodia login` keeps)');

export const withServiceOptions = (command: Command): Command => withServerOptions(command).option('--json', 'answer in JSON lines');

/** Throws ApiError where there is no token for this server. */
export async function connect(flags: ServiceFlags): Promise<Connection> {
  const server = serverOf(flags);
  return openConnection(server, await tokenFor(server, flags));
}

async function tokenFor(server: string, { tokenFile }: ServiceFlags): Promise<string> {
  if (tokenFile !== undefined) return readTokenFile(tokenFile);
  const { CUSTODIA_TOKEN: given } = process.env;
  if (given !== undefined && given !== '') return checkedToken(given, 'CUSTODIA_TOKEN');
  const kept = await keptToken(keptTokens(process.env), server);
  if (kept !== null) return kept;
  const text = `no token for ${server}: 'custodia login' keeps one, CUSTODIA_TOKEN or --token-file name one`;
  throw new ApiError(0, 'client.token', text);
}

/** Makes a command one that asks a service; `work` gets what was given. */
export function asks<F extends ServiceFlags = ServiceFlags>(command: Command, work: (asking: Asking<F>) => Promise<void>): Command {
  return withServiceOptions(command).action(async () => {
    const flags = command.optsWithGlobals<F>();
    await work({ connection: await connect(flags), args: command.args, flags, json: flags.json === true, out: process.stdout });
  });
}

/** A command with commands of its own: options after the name of one are that one's. */
export const group = (program: Command, usage: string, description: string): Command =>
  program.command(usage).description(description).enablePositionalOptions();

const idShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const isId = (text: string): boolean => idShape.test(text);

export function idOf(text: string, what: string): string {
  if (!isId(text)) throw new ApiError(0, 'client.id', `${what} '${text}': expected an id, as lists show it`);
  return text;
}

/** The id of what is called `given` among what the account sees, or that is this id. Throws ApiError. */
export async function findNamed(connection: Connection, list: string, what: string, key: string, given: string): Promise<string> {
  const found = await lookForNamed(connection, list, key, given);
  if (found !== null) return found;
  throw new ApiError(0, 'client.not-found', `${what} '${given}': not found among those that you may see`);
}

export async function lookForNamed(connection: Connection, list: string, key: string, given: string): Promise<string | null> {
  if (isId(given)) return given;
  for await (const item of connection.all<Readonly<Record<string, unknown>> & { readonly id: string }>(list)) {
    if (item[key] === given) return item.id;
  }
  return null;
}

export const caseId = (connection: Connection, given: string) => findNamed(connection, '/cases', 'case', 'reference', given);
export const accountId = (connection: Connection, given: string) => findNamed(connection, '/accounts', 'account', 'login', given);
export const agencyId = (connection: Connection, given: string) => findNamed(connection, '/agencies', 'agency', 'name', given);
