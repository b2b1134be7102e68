/** Who asks: by API token, or by the session that a cookie names; of both only the digest is known here. */
import { type FastifyRequest } from 'fastify';
import { type Pool } from 'pg';
import { type Subject } from '../access/policy.ts';
import { digestOfSecret, isApiToken, isSessionSecret } from '../access/secret.ts';
import { findSession } from '../store/sessions.ts';
import { findToken } from '../store/tokens.ts';

export interface Identity {
  readonly subject: Subject;
  readonly credential: FastifyRequest['credential'];
}

/** `__Host-`: browsers take it only over TLS, for this host alone, for all paths (RFC 6265bis section 4.1.3.2). */
export const sessionCookie = (secure: boolean): string => (secure ? '__Host-custodia' : 'custodia');

/** Null for whoever is not known: nothing presented, an unknown, expired or revoked credential, a disabled account. A header goes before a cookie. */
export async function identify(database: Pool, request: FastifyRequest, secure: boolean): Promise<Identity | null> {
  const header = request.headers.authorization;
  if (header !== undefined) return byToken(database, header);
  const secret = presentedSecret(request, secure);
  if (secret === null || !isSessionSecret(secret)) return null;
  const session = await findSession(database, digestOfSecret(secret));
  if (session === null) return null;
  const { id, accountId, agencyId, roles } = session;
  return { subject: { accountId, agencyId, roles, scopes: null }, credential: { kind: 'session', id } };
}

/** Whatever is given for a secret, of the form of one or not. */
export function presentedSecret({ headers, cookies }: FastifyRequest, secure: boolean): string | null {
  const { authorization } = headers;
  if (authorization !== undefined) return authorization.startsWith('Bearer ') ? authorization.slice(7) : authorization;
  return cookies[sessionCookie(secure)] ?? null;
}

async function byToken(database: Pool, header: string): Promise<Identity | null> {
  const text = header.startsWith('Bearer ') ? header.slice(7) : '';
  if (!isApiToken(text)) return null;
  const token = await findToken(database, digestOfSecret(text));
  if (token === null) return null;
  const { id, accountId, agencyId, roles, scopes } = token;
  return { subject: { accountId, agencyId, roles, scopes }, credential: { kind: 'token', id } };
}
