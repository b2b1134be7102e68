/** Signing in through the OpenID provider of the operator: authorization code with PKCE (RFC 7636), state and nonce (OpenID Connect Core 3.1). */
import { createHash } from 'node:crypto';
import { type FastifyRequest } from 'fastify';
import { type Configuration } from 'openid-client';
import { digestOfSecret, isSessionSecret, newSessionSecret } from '../../access/secret.ts';
import { findOidcAccount, insertAccount } from '../../store/accounts.ts';
import { insertFlow, takeFlow } from '../../store/oidc-flows.ts';
import { revokeSession } from '../../store/sessions.ts';
import { auditEventOf, changing } from '../audit.ts';
import { sessionCookie } from '../identity.ts';
import { type OidcSettings } from '../oidc-settings.ts';
import { Refusal } from '../problem.ts';
import { type Routes, type Service } from '../route.ts';
import { startSession } from './sessions.ts';

type Library = typeof import('openid-client');

const flowCookie = 'custodia-oidc';
const flowPath = '/api/v1/oidc';
const perMinute = { rateLimit: { max: 30, timeWindow: 60_000 } };

export const oidcRoutes =
  (settings: OidcSettings): Routes =>
  (api, service) => {
    const provider = openProvider(settings, service);
    const redirectUri = new URL(`${flowPath}/callback`, settings.publicUrl).href;
    // lax: the provider sends the browser back from another site
    const cookie = { path: flowPath, httpOnly: true, sameSite: 'lax', secure: service.secure } as const;

    api.get('/oidc/login', { config: { policy: 'public', ...perMinute } }, async (_request, reply) => {
      const { library, configuration } = await provider();
      const browser = newSessionSecret();
      const flow = { state: library.randomState(), nonce: library.randomNonce(), verifier: library.randomPKCECodeVerifier() };
      await insertFlow(service.installation.database, browser.sha256, flow);
      const target = library.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: 'openid profile',
        state: flow.state,
        nonce: flow.nonce,
        code_challenge: await library.calculatePKCECodeChallenge(flow.verifier),
        code_challenge_method: 'S256',
      });
      return reply.setCookie(flowCookie, browser.text, { ...cookie, maxAge: 600 }).redirect(target.href, 303);
    });

    api.get('/oidc/callback', { config: { policy: 'public', ...perMinute } }, async (request, reply) => {
      reply.clearCookie(flowCookie, cookie);
      const claims = await claimsOf(service, request, await provider(), redirectUri);
      const accountId = await accountOf(service, request, settings, claims);
      await startSession(service, request, reply, accountId, 'oidc');
      // a page of ours, not a redirection: a strict cookie is not sent along with what another site began
      return reply.type('text/html; charset=utf-8').send(signedIn);
    });

    api.post('/oidc/logout', { config: { policy: { action: 'self.read', about: 'own' } } }, async (request, reply) => {
      const { kind, id } = request.credential;
      if (kind !== 'session') throw new Refusal(409, 'session.none', 'a token has no session; DELETE /tokens/:tokenId ends a token');
      await changing(service, request, async (client, tell) => {
        await revokeSession(client, id);
        tell({ action: 'session.close', outcome: 'done' });
      });
      const { library, configuration } = await provider();
      const ends = configuration.serverMetadata().end_session_endpoint !== undefined;
      reply.clearCookie(sessionCookie(service.secure), { path: '/' });
      const parameters = { client_id: settings.clientId, post_logout_redirect_uri: settings.publicUrl.href };
      return { next: ends ? library.buildEndSessionUrl(configuration, parameters).href : null };
    });
  };

const signedIn =
  '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>Signed in</title><a href="/">Go on</a>\n';

/** Asked at the first sign-in, and again while it does not answer: the service starts without it. Throws Refusal (`oidc.provider`). */
function openProvider({ issuer, clientId, clientSecret }: OidcSettings, { installation: { log } }: Service) {
  let opened: Promise<{ library: Library; configuration: Configuration }> | null = null;
  const open = async () => {
    const library = await import('openid-client');
    const execute = issuer.protocol === 'http:' ? [library.allowInsecureRequests] : []; // oidc-settings.ts lets that pass on this machine only
    const configuration = await library.discovery(issuer, clientId, clientSecret, undefined, { execute, timeout: 10 });
    return { library, configuration };
  };
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = null;
      log.error({ err: error }, 'the OpenID provider cannot be used');
      throw new Refusal(503, 'oidc.provider', 'the OpenID provider does not answer as one; the log of the server says why');
    });
    return opened;
  };
}

interface Claims {
  readonly issuer: string;
  readonly subject: string;
  readonly login: unknown;
  readonly name: unknown;
}

const refused = () => new Refusal(401, 'oidc.refused', 'signing in through the provider failed: begin again');

/** Throws Refusal (`oidc.refused`) for whatever is not right: another browser, an old or used flow, a wrong state, code, nonce or signature. */
async function claimsOf(
  service: Service,
  request: FastifyRequest,
  { library, configuration }: { library: Library; configuration: Configuration },
  redirectUri: string,
): Promise<Claims> {
  const browser = request.cookies[flowCookie] ?? '';
  const flow = isSessionSecret(browser) ? await takeFlow(service.installation.database, digestOfSecret(browser)) : null;
  const failed = () => service.audit.add(auditEventOf(request, { action: 'session.open', outcome: 'failed', detail: { method: 'oidc' } }));
  if (flow === null) {
    await failed();
    throw refused();
  }
  const current = new URL(redirectUri);
  current.search = new URL(request.url, redirectUri).search;
  try {
    const checks = { pkceCodeVerifier: flow.verifier, expectedState: flow.state, expectedNonce: flow.nonce, idTokenExpected: true };
    const claims = (await library.authorizationCodeGrant(configuration, current, checks)).claims()!;
    return { issuer: claims.iss, subject: claims.sub, login: claims.preferred_username, name: claims.name };
  } catch (error) {
    service.installation.log.warn({ err: error }, 'a sign-in through the OpenID provider failed');
    await failed();
    throw refused();
  }
}

/** By issuer and subject alone: what the provider calls somebody never leads to an account that was there before. */
function accountOf(service: Service, request: FastifyRequest, { agencyId }: OidcSettings, claims: Claims): Promise<string> {
  const { issuer, subject } = claims;
  return changing(service, request, async (client, tell) => {
    const known = await findOidcAccount(client, issuer, subject);
    if (known !== null && !known.disabled) return known.id;
    if (known !== null || agencyId === null)
      throw new Refusal(401, 'oidc.account', 'no account of this service is open to you: ask an administrator');
    const fallback = `oidc-${createHash('sha256').update(`${issuer} ${subject}`).digest('hex').slice(0, 24)}`;
    const { login, name } = claims;
    const logins = [typeof login === 'string' && /^[A-Za-z0-9][A-Za-z0-9._@+-]{1,99}$/.test(login) ? login : fallback, fallback];
    for (const each of logins) {
      const shown = typeof name === 'string' && /^[\p{L}\p{M}\p{N} .,'-]{1,200}$/u.test(name) ? name : each;
      const made = await insertAccount(client, {
        agencyId,
        login: each,
        name: shown,
        roles: [],
        password: null,
        oidc: { issuer, subject },
      });
      if (made === null) continue;
      tell({ action: 'account.create', outcome: 'done', about: { account: made.id, agency: agencyId }, detail: { method: 'oidc' } });
      return made.id;
    }
    throw refused();
  });
}
