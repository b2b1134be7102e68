/** Who asks: by API token, of which only the digest is known here. */
import { createHash } from 'node:crypto';
import { type FastifyRequest } from 'fastify';
import { type Pool } from 'pg';
import { type AgencyRole, type Scope, type Subject } from '../access/policy.ts';

export interface Identity {
  readonly subject: Subject;
  readonly credential: FastifyRequest['credential'];
}

interface Known {
  id: string;
  account_id: string;
  agency_id: string;
  roles: AgencyRole[];
  scopes: Scope[];
}

/** Null for whoever is not known: no token, an unknown, expired or revoked one, a disabled account. */
export async function identify(database: Pool, request: FastifyRequest): Promise<Identity | null> {
  const token = /^Bearer (cst_[A-Za-z0-9_-]{43})$/.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) return null;
  const { rows } = await database.query<Known>(
    `select api_token.id, account_id, agency_id, roles, scopes from api_token join account on account.id = account_id
     where secret_sha256 = $1 and revoked_at is null and expires_at > clock_timestamp() and disabled_at is null`,
    [createHash('sha256').update(token).digest()],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { id, account_id: accountId, agency_id: agencyId, roles, scopes } = row;
  return { subject: { accountId, agencyId, roles, scopes }, credential: { kind: 'token', id } };
}
