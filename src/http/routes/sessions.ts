/** Signing in and out with a password. A stranger's login takes the same time and gets the same answer as a wrong password. */
import { createHash } from 'node:crypto';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { BusyError } from '../../access/password.ts';
import { newSessionSecret } from '../../access/secret.ts';
import { findLogin, renewPassword } from '../../store/accounts.ts';
import { type FailureKey, forgetFailures, noteFailure, openSession, revokeSession, waitingTime } from '../../store/sessions.ts';
import { auditEventOf, changing } from '../audit.ts';
import { refuseOtherOrigin } from '../csrf.ts';
import { Password } from '../fields.ts';
import { sessionCookie } from '../identity.ts';
import { Refusal } from '../problem.ts';
import { closed, type Routes, type Service } from '../route.ts';

const SignIn = Type.Object({ login: Type.String({ minLength: 1, maxLength: 200 }), password: Password }, closed);

export const sessionRoutes: Routes = (api, service) => {
  api.post(
    '/sessions',
    { config: { policy: 'public', rateLimit: { max: 30, timeWindow: 60_000 } }, schema: { body: SignIn } },
    async (request, reply) => {
      refuseOtherOrigin(request, service.strangers);
      const { login, password } = request.body;
      const accountId = await checkedAccount(service, request, login, password);
      return reply.code(201).send(await startSession(service, request, reply, accountId, 'password'));
    },
  );
  api.delete('/sessions', { config: { policy: { action: 'self.read', about: 'own' } } }, async (request, reply) => {
    const { kind, id } = request.credential;
    if (kind !== 'session') throw new Refusal(409, 'session.none', 'a token has no session; DELETE /tokens/:tokenId ends a token');
    await changing(service, request, async (client, tell) => {
      await revokeSession(client, id);
      tell({ action: 'session.close', outcome: 'done' });
    });
    reply.clearCookie(sessionCookie(service.secure), cookieOptions(service));
    return reply.code(204).send();
  });
};

const cookieOptions = ({ secure }: Service) => ({ path: '/', httpOnly: true, sameSite: 'strict', secure }) as const;

/** What the answer tells is for the page; the secret goes into the cookie only. */
export async function startSession(
  service: Service,
  request: FastifyRequest,
  reply: FastifyReply,
  accountId: string,
  method: 'password' | 'oidc',
): Promise<{ accountId: string; expiresAt: string }> {
  const { text, sha256 } = newSessionSecret();
  const session = await changing(service, request, async (client, tell) => {
    const opened = await openSession(client, accountId, sha256, method);
    tell({ action: 'session.open', outcome: 'done', about: { account: accountId, session: opened.id }, detail: { method } });
    return opened;
  });
  reply.setCookie(sessionCookie(service.secure), text, { ...cookieOptions(service), expires: session.expiresAt });
  return { accountId, expiresAt: session.expiresAt.toISOString() };
}

const keyOf = (...parts: readonly string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest();

/** Throws Refusal: `session.wait` while tries are throttled, `session.refused` for whatever is not right. */
async function checkedAccount(service: Service, request: FastifyRequest, login: string, password: string): Promise<string> {
  const { database } = service.installation;
  const known = login.toLowerCase();
  const keys: FailureKey[] = [
    ['pair', keyOf('pair', known, request.ip)],
    ['login', keyOf('login', known)],
    ['address', keyOf('address', request.ip)],
  ];
  const wait = await waitingTime(database, keys);
  if (wait > 0) throw new Refusal(429, 'session.wait', `too many failed tries: the next one in ${wait} seconds`, { retryAfter: wait });
  await noteFailure(database, keys); // before the check: tries at the same moment count each other
  const client = await database.connect();
  const account = await findLogin(client, login).finally(() => client.release());
  const right = await service.passwords.check(account?.password ?? null, password).catch((error: unknown) => {
    if (!(error instanceof BusyError)) throw error;
    throw new Refusal(503, 'session.busy', 'too many sign in at this moment, expected a try in a few seconds', { retryAfter: 5 });
  });
  if (account === null || !right) {
    const about: Record<string, string> = account === null ? {} : { account: account.id, agency: account.agencyId };
    await service.audit.add(auditEventOf(request, { action: 'session.open', outcome: 'failed', about }));
    throw new Refusal(401, 'session.refused', 'login and password do not belong together');
  }
  const present = account.password!;
  const renewed = service.passwords.isOutdated(present) ? await service.passwords.hash(password) : null;
  const again = await database.connect();
  try {
    await forgetFailures(again, keys);
    if (renewed !== null) await renewPassword(again, account.id, present, renewed);
  } finally {
    again.release();
  }
  return account.id;
}
