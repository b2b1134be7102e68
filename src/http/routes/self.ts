/** Whoever is signed in, about itself: account, password, tokens. */
import { Type } from 'typebox';
import { weaknessOf } from '../../access/password.ts';
import { newApiToken } from '../../access/secret.ts';
import { findAccount, findLogin, lockAccount, setPassword } from '../../store/accounts.ts';
import { revokeSessions } from '../../store/sessions.ts';
import { insertToken, listTokens, mostTokens, revokeToken, spendToken } from '../../store/tokens.ts';
import { changing } from '../audit.ts';
import { sendTagged } from '../etag.ts';
import { Password, plainText, Scopes, Text } from '../fields.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';

const NewPassword = Type.Object({ current: Password, password: Password }, closed);
const NewToken = Type.Object({ name: Text, scopes: Scopes, days: Type.Integer({ minimum: 1, maximum: 366 }) }, closed);

/** Throws Refusal (`account.password`). */
export function refuseWeak(password: string, login: string): void {
  const weakness = weaknessOf(password, login);
  if (weakness !== null) throw new Refusal(422, 'account.password', `password: ${weakness}`);
}

const own = (action: 'self.read' | 'self.manage') => ({ policy: { action, about: 'own' } as const });

export const selfRoutes: Routes = (api, service) => {
  api.get('/self', { config: own('self.read') }, async (request, reply) => {
    const account = await service.read(request, (client) => findAccount(client, request.subject.accountId));
    if (account === null) throw notFound();
    return sendTagged(request, reply, { ...account, credential: request.credential, scopes: request.subject.scopes });
  });
  api.put('/self/password', { config: own('self.manage'), schema: { body: NewPassword } }, async (request, reply) => {
    const { accountId } = request.subject;
    if (request.credential.kind !== 'session')
      throw new Refusal(403, 'account.session', 'a token does not change a password, expected a session');
    const account = await service.read(request, (client) => findAccount(client, accountId));
    const { current, password } = request.body;
    refuseWeak(password, account!.login);
    const client = await service.installation.database.connect();
    const known = await findLogin(client, account!.login).finally(() => client.release());
    const right = await service.passwords.check(known?.password ?? null, current);
    if (!right) throw new Refusal(403, 'account.current', 'current: it is not the present password');
    const phc = await service.passwords.hash(password);
    await changing(service, request, async (change, tell) => {
      await setPassword(change, accountId, phc);
      await revokeSessions(change, accountId, request.credential.id);
      tell({ action: 'account.password', outcome: 'done', about: { account: accountId } });
    });
    return reply.code(204).send();
  });
};

export const tokenRoutes: Routes = (api, service) => {
  api.get('/tokens', { config: own('self.read') }, async (request) => ({
    items: await service.read(request, (client) => listTokens(client, request.subject.accountId)),
  }));
  api.post('/tokens', { config: { ...own('self.manage'), secretAnswer: true }, schema: { body: NewToken } }, async (request, reply) => {
    const { name, scopes, days } = request.body;
    const { accountId } = request.subject;
    plainText('name', name);
    const { text, sha256 } = newApiToken();
    const token = await changing(service, request, async (client, tell) => {
      await lockAccount(client, accountId); // before its tokens, in the order of everyone
      if (request.credential.kind === 'token') {
        const limits = await spendToken(client, request.credential.id);
        if (limits === null) throw new Refusal(401, 'http.identity', 'this token is over');
        const wider = scopes.some((scope) => !limits.scopes.includes(scope)) || (!limits.oneTime && days > limits.daysLeft);
        if (wider) throw new Refusal(422, 'token.wider', 'a token makes none of more scopes or of longer life than its own');
      }
      const made = await insertToken(client, { accountId, name, scopes, sha256, days });
      if (made === null) throw new Refusal(409, 'token.many', `the account has ${mostTokens} tokens that are good: revoke one first`);
      tell({ action: 'token.create', outcome: 'done', about: { account: accountId, token: made.id }, detail: { scopes, days } });
      return made;
    });
    return reply.code(201).send({ ...token, token: text });
  });
  api.delete(
    '/tokens/:tokenId',
    { config: own('self.manage'), schema: { params: Type.Object({ tokenId: Id }) } },
    async (request, reply) => {
      const { tokenId } = request.params;
      await changing(service, request, async (client, tell) => {
        if (!(await revokeToken(client, request.subject.accountId, tokenId))) throw notFound();
        tell({ action: 'token.revoke', outcome: 'done', about: { account: request.subject.accountId, token: tokenId } });
      });
      return reply.code(204).send();
    },
  );
};
