/** Answers that take long are cut when whoever gets them may no longer have them: its token was revoked, its account disabled, its role taken. */
import { type FastifyRequest } from 'fastify';
import { type AgencyRole, isAllowed, type Scope, type Subject } from '../access/policy.ts';
import { findAbout } from './resources.ts';
import { type Found, type RoutePolicy, type Service } from './route.ts';

export interface AccessWatch {
  /** Calls `cut` once, when the request's credential or right has ended. The function given back ends the watch. */
  watch(request: FastifyRequest, cut: () => void): () => void;
}

/** A revoked token is noticed within a second; so is what it takes to look at all of them. */
const credentialsEveryMs = 400;
/** Rights are asked for less often: each asker's are a transaction of their own. */
const rightsEveryRounds = 8;

interface Watched {
  readonly request: FastifyRequest;
  readonly cut: () => void;
}

interface Known {
  id: string;
  account_id: string;
  agency_id: string;
  roles: AgencyRole[];
  scopes: Scope[] | null;
}

const knownCredentials = `
  select api_token.id, account_id, agency_id, roles, scopes from api_token join account on account.id = account_id
  where api_token.id = any ($1) and revoked_at is null and expires_at > clock_timestamp() and disabled_at is null
  union all
  select session.id, account_id, agency_id, roles, null from session join account on account.id = account_id
  where session.id = any ($1) and revoked_at is null and expires_at > clock_timestamp() and disabled_at is null`;

export function createAccessWatch(service: Service): AccessWatch {
  const { database, log } = service.installation;
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | null = null;
  let isLooking = false;
  let rounds = 0;

  function cutOff(one: Watched): void {
    if (watched.delete(one)) one.cut();
  }
  async function look(): Promise<void> {
    const all = [...watched];
    const ids = [...new Set(all.map(({ request }) => request.credential.id))];
    const { rows } = await database.query<Known>(knownCredentials, [ids]);
    const subjects = new Map(rows.map((row) => [row.id, subjectOf(row)]));
    for (const one of all) if (!subjects.has(one.request.credential.id)) cutOff(one);
    if (++rounds % rightsEveryRounds !== 0) return;
    const asked = new Map<string, Promise<boolean>>();
    for (const one of all.filter((each) => watched.has(each))) {
      const subject = subjects.get(one.request.credential.id);
      const key = JSON.stringify([one.request.credential.id, one.request.routeOptions.config.policy, one.request.params]);
      const allowed = asked.get(key) ?? isStillAllowed(service, one.request, subject);
      asked.set(key, allowed);
      if (!(await allowed)) cutOff(one);
    }
  }
  function round(): void {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error: unknown) => log.warn({ err: error }, 'rights of open answers could not be looked up: it is tried again'))
      .finally(() => {
        isLooking = false;
      });
  }
  return {
    watch(request, cut) {
      const one = { request, cut };
      watched.add(one);
      timer ??= setInterval(round, credentialsEveryMs).unref();
      return () => {
        watched.delete(one);
        if (watched.size > 0 || timer === null) return;
        clearInterval(timer);
        timer = null;
      };
    },
  };
}

const subjectOf = ({ account_id: accountId, agency_id: agencyId, roles, scopes }: Known): Subject => ({
  accountId,
  agencyId,
  roles,
  scopes,
});

async function isStillAllowed(service: Service, request: FastifyRequest, subject: Subject | undefined): Promise<boolean> {
  const policy = request.routeOptions.config.policy as RoutePolicy;
  if (subject === undefined) return false;
  const found: Found | null = await findAbout(policy.about, request.params as Record<string, unknown>, (work) =>
    service.read(request, work),
  );
  return found !== null && isAllowed(subject, policy.action, found.resource);
}
