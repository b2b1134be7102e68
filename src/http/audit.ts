/** What stands in the audit log of a request: each decision before its effect, and what was changed together with the change. */
import { type FastifyRequest } from 'fastify';
import { type PoolClient } from 'pg';
import { type Action, rules } from '../access/policy.ts';
import { appendAudit, type ToldAuditEvent } from '../store/audit.ts';
import { transaction } from '../store/transaction.ts';
import { type Found, isId, type Service } from './route.ts';

export type Happened = Pick<ToldAuditEvent, 'action' | 'outcome'> & Partial<Pick<ToldAuditEvent, 'about' | 'detail'>>;

export function auditEventOf(request: FastifyRequest, { action, outcome, about = {}, detail }: Happened): ToldAuditEvent {
  const { subject, credential, routeOptions, method, ip } = request;
  return {
    who: {
      account: subject?.accountId ?? null,
      agency: subject?.agencyId ?? null,
      credential: credential === undefined ? null : `${credential.kind}:${credential.id}`,
      address: ip,
    },
    route: routeOptions.url === undefined ? null : `${method} ${routeOptions.url}`,
    action,
    outcome,
    about,
    request: request.id,
    ...(detail === undefined ? {} : { detail }),
  };
}

/** The ids that the subject gave, where they have the form of ids, and those of what was found. */
function aboutOf(request: FastifyRequest, found: Found | null): Record<string, string> {
  const given = Object.entries((request.params ?? {}) as Record<string, unknown>)
    .filter((pair): pair is [string, string] => typeof pair[1] === 'string' && isId(pair[1]))
    .map(([name, id]) => [name.replace(/Id$/, ''), id]);
  const { agencyId, caseId, exhibitId, examinationId, unitId } = found ?? {};
  const known = Object.entries({ agency: agencyId, case: caseId, exhibit: exhibitId, examination: examinationId, unit: unitId });
  return Object.fromEntries([...given, ...known.filter(([, id]) => id !== undefined)]) as Record<string, string>;
}

const reads = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Awaited before content leaves and before anything changes: no entry, no effect. Others are written in the same moment, not waited for. */
export async function auditDecision(
  service: Service,
  request: FastifyRequest,
  decision: { readonly action: Action | 'unknown'; readonly allowed: boolean; readonly found: Found | null },
): Promise<void> {
  const { action, allowed, found } = decision;
  const event = auditEventOf(request, { action, outcome: allowed ? 'allowed' : 'denied', about: aboutOf(request, found) });
  const written = service.audit.add(event);
  const mustStand = allowed && (!reads.has(request.method) || (action !== 'unknown' && rules[action].scope === 'content'));
  if (mustStand) return written;
  written.catch((error: unknown) => service.installation.log.error({ err: error }, 'a decision could not be written into the audit log'));
}

/** One transaction of the owner: the change, and what the audit log tells of it; neither without the other. */
export const changing = <T>(
  service: Service,
  request: FastifyRequest,
  change: (client: PoolClient, tell: (happened: Happened) => void) => Promise<T>,
): Promise<T> => {
  const { database, signer } = service.installation;
  return transaction(database, async (client) => {
    const told: ToldAuditEvent[] = [];
    const result = await change(client, (happened) => void told.push(auditEventOf(request, happened)));
    if (told.length > 0) await appendAudit(client, signer.privateKey, told); // last: it holds the head of the whole log
    return result;
  });
};
