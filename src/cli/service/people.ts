/** `agencies`, `accounts`, `tokens`, `audit`: who may do what, and who did. */
import { type Command, Option } from 'commander';
import { agencyRoles, scopes } from '../../access/policy.ts';
import { type Connection, path } from '../../client/connection.ts';
import { wholeNumber } from '../whole-number.ts';
import { accountId, agencyId, asks, group, idOf, type ServiceFlags } from './ask.ts';
import { addAuditVerify } from './audit-verify.ts';
import { collectOneOf, moment, oneOf, positiveNumber } from './option-values.ts';
import { printDone, printOne, printRows, type Row } from './rows.ts';
import { readSecretInput } from './secret-input.ts';

const collectRole = collectOneOf(agencyRoles);

export function addAgencies(program: Command): void {
  const agencies = group(program, 'agencies', 'the agencies that you may see');
  asks(agencies, ({ connection, json, out }) =>
    printRows(connection.all('/agencies'), ['id', 'name', 'maxBytes', 'maxObjects', 'maxUploads', 'maxRunningUnits'], json, out),
  );
  type Quotas = ServiceFlags & { maxBytes?: number; maxObjects?: number; maxUploads?: number; maxRunningUnits?: number };
  const withQuotas = (command: Command) =>
    command
      .option('--max-bytes <number>', 'bytes that it may store', positiveNumber)
      .option('--max-objects <number>', 'files that it may store', positiveNumber)
      .option('--max-uploads <number>', 'uploads at once', positiveNumber)
      .option('--max-running-units <number>', 'units worked on at once', positiveNumber);
  const quotasOf = ({ maxBytes, maxObjects, maxUploads, maxRunningUnits }: Quotas) => ({
    maxBytes,
    maxObjects,
    maxUploads,
    maxRunningUnits,
  });
  asks<Quotas>(
    withQuotas(agencies.command('create <name>').description('a new agency')),
    async ({ connection, args, flags, json, out }) => {
      const made = await connection.ask<Row>('POST', '/agencies', { body: { name: args[0], ...quotasOf(flags) } });
      printOne(made, json, out);
    },
  );
  asks<Quotas>(
    withQuotas(agencies.command('set <agency>').description('other limits for an agency')),
    async ({ connection, args, flags, json, out }) => {
      const id = await agencyId(connection, args[0]!);
      printOne(await connection.ask<Row>('PATCH', path`/agencies/${id}`, { body: quotasOf(flags) }), json, out);
    },
  );
}

const ownAgency = (connection: Connection) => connection.ask<{ agencyId: string }>('GET', '/self').then(({ agencyId: own }) => own);

interface NewAccountFlags extends ServiceFlags {
  readonly name?: string;
  readonly agency?: string;
  readonly role: readonly string[];
  readonly password?: boolean;
}

export function addAccounts(program: Command): void {
  const accounts = group(program, 'accounts', 'the accounts that you may see');
  asks(accounts, ({ connection, json, out }) =>
    printRows(connection.all('/accounts'), ['id', 'login', 'name', 'roles', 'agencyId', 'disabledAt'], json, out),
  );
  const create = accounts
    .command('create <login>')
    .description('a new account')
    .option('--name <name>', 'of the person (default: the login)')
    .option('--agency <agency>', 'name or id (default: your own)')
    .option('--role <role>', `in the agency (may be repeated): ${agencyRoles.join(', ')}`, collectRole, [])
    .option('--password', 'ask for a password, or read it from standard input; without one the account signs in by token or OIDC');
  asks<NewAccountFlags>(create, async ({ connection, args, flags, json, out }) => {
    const agency = flags.agency === undefined ? await ownAgency(connection) : await agencyId(connection, flags.agency);
    const password = flags.password === true ? await readSecretInput('password of the new account') : undefined;
    const { name = args[0], role: roles } = flags;
    const made = await connection.ask<Row>('POST', '/accounts', { body: { login: args[0], name, agencyId: agency, roles, password } });
    printOne(made, json, out);
  });
  for (const [verb, disabled, done] of [
    ['disable', true, 'is disabled: its sessions and tokens are over'],
    ['enable', false, 'may sign in again'],
  ] as const) {
    asks(accounts.command(`${verb} <account>`).description(`login or id: ${done}`), async ({ connection, args, json, out }) => {
      const id = await accountId(connection, args[0]!);
      printDone(`${args[0]} ${done}`, await connection.ask<Row>('PATCH', path`/accounts/${id}`, { body: { disabled } }), json, out);
    });
  }
  const roles = accounts
    .command('roles <account>')
    .argument('[role...]', agencyRoles.join(', '), collectRole, [])
    .description('exactly these roles in its agency; none: none');
  asks(roles, async ({ connection, args, json, out }) => {
    const [account, ...wanted] = args;
    const id = await accountId(connection, account!);
    printOne(await connection.ask<Row>('PATCH', path`/accounts/${id}`, { body: { roles: wanted } }), json, out);
  });
}

export function addTokens(program: Command): void {
  const tokens = group(program, 'tokens', 'your API tokens');
  asks(tokens, ({ connection, json, out }) =>
    printRows(connection.all('/tokens'), ['id', 'name', 'scopes', 'createdAt', 'expiresAt', 'usedAt', 'revokedAt'], json, out),
  );
  const create = tokens
    .command('create <name>')
    .description('a new token: shown once')
    .addOption(
      new Option('--scope <scope>', `what it may be used for (may be repeated; default: all): ${scopes.join(', ')}`)
        .argParser(collectOneOf(scopes))
        .default([], 'all'),
    )
    .option('--days <number>', 'how long it is good', wholeNumber, 90);
  asks<ServiceFlags & { scope: readonly string[]; days: number }>(create, async ({ connection, args, flags, json, out }) => {
    const { scope, days } = flags;
    const body = { name: args[0], scopes: scope.length === 0 ? scopes : scope, days };
    printOne(await connection.ask<Row>('POST', '/tokens', { body }), json, out);
  });
  asks(tokens.command('revoke <id>').description('ends a token at once'), async ({ connection, args, json, out }) => {
    const id = idOf(args[0]!, 'token');
    await connection.ask('DELETE', path`/tokens/${id}`);
    printDone(`token ${id} is revoked`, { id, revoked: true }, json, out);
  });
}

export function addAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('what was asked of the service, and what was decided')
    .option('--account <account>', 'of one account: login or id')
    .option('--action <action>', 'of one action, e.g. content.read')
    .option('--outcome <outcome>', 'allowed, denied, done or failed', oneOf(['allowed', 'denied', 'done', 'failed']))
    .option('--from <time>', 'not before (ISO 8601)', moment)
    .option('--to <time>', 'not after (ISO 8601)', moment);
  type Flags = ServiceFlags & { account?: string; action?: string; outcome?: string; from?: string; to?: string };
  asks<Flags>(audit, async ({ connection, flags, json, out }) => {
    const { account, action, outcome, from, to } = flags;
    const query = { account: account === undefined ? undefined : await accountId(connection, account), action, outcome, from, to };
    await printRows(connection.all('/audit', query), ['seq', 'at', 'action', 'outcome', ['who', accountOf], 'route', 'about'], json, out);
  });
  addAuditVerify(audit);
}

const accountOf = ({ account, address }: { account: string | null; address: string | null }): string =>
  `${account ?? 'nobody'} ${address ?? ''}`.trim();
