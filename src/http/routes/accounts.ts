/** Accounts, for administrators; everybody sees those of the own agency. */
import { Type } from 'typebox';
import {
  changeAccount,
  countAdministrators,
  findAccount,
  insertAccount,
  listAccounts,
  lockAccount,
  setPassword,
} from '../../store/accounts.ts';
import { findAgency } from '../../store/agencies.ts';
import { revokeSessions } from '../../store/sessions.ts';
import { revokeTokens, spendToken } from '../../store/tokens.ts';
import { changing } from '../audit.ts';
import { refuseChanged, sendTagged } from '../etag.ts';
import { AgencyRoles, Login, Password, plainText, Text } from '../fields.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';
import { refuseWeak } from './self.ts';

const NewAccount = Type.Object(
  { agencyId: Id, login: Login, name: Text, roles: Type.Optional(AgencyRoles), password: Type.Optional(Password) },
  closed,
);
const Change = Type.Object(
  {
    name: Type.Optional(Text),
    roles: Type.Optional(AgencyRoles),
    disabled: Type.Optional(Type.Boolean()),
    password: Type.Optional(Password),
  },
  { ...closed, minProperties: 1 },
);
const Params = Type.Object({ accountId: Id });

export const accountRoutes: Routes = (api, service) => {
  api.get(
    '/accounts',
    { config: { policy: { action: 'account.list', about: 'own' } }, schema: { querystring: Type.Object(PageQuery, closed) } },
    async (request) => {
      const { limit = usualLimit, cursor } = request.query;
      const after = readCursor('accounts', cursor, 1)?.[0]?.toString() ?? null;
      const rows = await service.read(request, (client) => listAccounts(client, after, limit + 1));
      return pageOf(rows, limit, 'accounts', ({ login }) => [login.toLowerCase()]);
    },
  );
  api.post(
    '/accounts',
    { config: { policy: { action: 'account.manage', about: 'installation' } }, schema: { body: NewAccount } },
    async (request, reply) => {
      const { agencyId, login, name, roles = [], password } = request.body;
      plainText('name', name);
      if (password !== undefined) refuseWeak(password, login);
      const phc = password === undefined ? null : await service.passwords.hash(password);
      const made = await changing(service, request, async (client, tell) => {
        if (request.credential.kind === 'token' && (await spendToken(client, request.credential.id)) === null)
          throw new Refusal(401, 'http.identity', 'this token is over');
        if ((await findAgency(client, agencyId)) === null) throw new Refusal(422, 'account.agency', 'agencyId: there is no such agency');
        const account = await insertAccount(client, { agencyId, login, name, roles, password: phc });
        if (account === null) throw new Refusal(409, 'account.login', 'login: it is taken');
        tell({ action: 'account.create', outcome: 'done', about: { account: account.id, agency: agencyId }, detail: { roles } });
        return account;
      });
      return reply.code(201).header('location', `/api/v1/accounts/${made.id}`).send(made);
    },
  );
  api.get(
    '/accounts/:accountId',
    { config: { policy: { action: 'account.read', about: 'account' } }, schema: { params: Params } },
    async (request, reply) => {
      const account = await service.read(request, (client) => findAccount(client, request.params.accountId));
      if (account === null) throw notFound();
      return sendTagged(request, reply, account);
    },
  );
  addChange(api, service);
};

const addChange: Routes = (api, service) => {
  api.patch(
    '/accounts/:accountId',
    { config: { policy: { action: 'account.manage', about: 'account' } }, schema: { params: Params, body: Change } },
    async (request, reply) => {
      const { accountId } = request.params;
      const { password, ...change } = request.body;
      if (change.name !== undefined) plainText('name', change.name);
      const phc = password === undefined ? null : await service.passwords.hash(password);
      const changed = await changing(service, request, async (client, tell) => {
        await countAdministrators(client); // held first: the same order for everyone
        const before = await lockAccount(client, accountId);
        if (before === null) throw notFound();
        refuseChanged(request, before);
        if (password !== undefined) refuseWeak(password, before.login);
        const after = await changeAccount(client, accountId, change);
        if ((await countAdministrators(client)) === 0)
          throw new Refusal(409, 'account.last-administrator', 'it is the last administrator: make another one first');
        if (phc !== null) await setPassword(client, accountId, phc);
        if (phc !== null || change.disabled === true) await revokeSessions(client, accountId, null);
        if (change.disabled === true) await revokeTokens(client, accountId);
        const detail = {
          before: before.roles,
          after: after.roles,
          disabled: String(after.disabledAt !== null),
          password: String(phc !== null),
        };
        tell({ action: 'account.change', outcome: 'done', about: { account: accountId, agency: after.agencyId }, detail });
        return after;
      });
      return sendTagged(request, reply, changed);
    },
  );
};
