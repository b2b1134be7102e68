/** `cases`, `exhibits`: what is examined, and who takes part. */
import { type Command } from 'commander';
import { caseRoles } from '../../access/policy.ts';
import { type Connection, path } from '../../client/connection.ts';
import { accountId, asks, caseId, group, type ServiceFlags } from './ask.ts';
import { oneOf } from './option-values.ts';
import { printDone, printOne, printRows, type Row } from './rows.ts';

export function addCases(program: Command): void {
  const cases = group(program, 'cases', 'the cases that you may see');
  asks(cases, ({ connection, json, out }) => printRows(connection.all('/cases'), ['id', 'reference', 'title', 'createdAt'], json, out));
  const create = cases.command('create <reference>').description('a new case; you lead it').option('--title <title>', 'what it is about');
  asks<ServiceFlags & { title?: string }>(create, async ({ connection, args, flags, json, out }) => {
    printOne(await connection.ask<Row>('POST', '/cases', { body: { reference: args[0], title: flags.title } }), json, out);
  });
  addMembers(cases);
}

function addMembers(cases: Command): void {
  const members = group(cases, 'members <case>', 'who takes part in a case (reference or id), in which roles');
  asks(members, async ({ connection, args, json, out }) => {
    const id = await caseId(connection, args[0]!);
    await printRows(connection.all<Row>(path`/cases/${id}/members`), ['accountId', 'login', 'name', 'roles'], json, out);
  });
  const changes = {
    add: (roles: readonly string[], role: string) => [...new Set([...roles, role])],
    remove: (roles: readonly string[], role: string) => roles.filter((other) => other !== role),
  } as const;
  for (const [verb, change] of Object.entries(changes)) {
    const command = members
      .command(`${verb} <case> <account>`)
      .argument('<role>', caseRoles.join(', '), oneOf(caseRoles))
      .description(`${verb} a role of an account (login or id)`);
    asks(command, async ({ connection, args, json, out }) => {
      const [reference, login, role] = args as [string, string, string];
      const [id, account] = [await caseId(connection, reference), await accountId(connection, login)];
      const roles = await changeMember(connection, id, account, (before) => change(before, role));
      const words = roles.length === 0 ? 'takes no longer part' : `takes part as ${roles.join(', ')}`;
      printDone(`${login} ${words} in ${reference}`, { caseId: id, accountId: account, roles }, json, out);
    });
  }
}

/** Nobody else's change in between is undone: what was read is named in the request. */
async function changeMember(
  connection: Connection,
  id: string,
  account: string,
  change: (roles: readonly string[]) => readonly string[],
): Promise<readonly string[]> {
  const answer = await connection.open('GET', path`/cases/${id}/members`);
  const { items } = (await answer.json()) as { items: readonly { accountId: string; roles: readonly string[] }[] };
  const before = items.find(({ accountId: known }) => known === account)?.roles ?? [];
  const roles = change(before);
  const headers = { 'if-match': answer.headers.get('etag') ?? '*' };
  const where = path`/cases/${id}/members/${account}`;
  if (roles.length > 0) await connection.ask('PUT', where, { body: { roles }, headers });
  else if (before.length > 0) await connection.ask('DELETE', where, { headers });
  return roles;
}

export function addExhibits(program: Command): void {
  const exhibits = group(program, 'exhibits', 'the exhibits of a case');
  const list = exhibits.command('list <case>', { isDefault: true }).description('reference or id of the case');
  asks(list, async ({ connection, args, json, out }) => {
    const id = await caseId(connection, args[0]!);
    await printRows(connection.all(path`/cases/${id}/exhibits`), ['id', 'label', 'description', 'examiner', 'createdAt'], json, out);
  });
  const create = exhibits.command('create <case> <label>').description('a new exhibit').option('--description <text>', 'what it is');
  asks<ServiceFlags & { description?: string }>(create, async ({ connection, args, flags, json, out }) => {
    const id = await caseId(connection, args[0]!);
    const { description } = flags;
    printOne(await connection.ask<Row>('POST', path`/cases/${id}/exhibits`, { body: { label: args[1], description } }), json, out);
  });
}
