/** Credentials that are not accepted, and forged requests, in the audit log: a flood of them becomes one event in a minute, which counts them. */
import { type FastifyRequest } from 'fastify';
import { digestOfSecret, isApiToken, isSessionSecret } from '../access/secret.ts';
import { type ToldAuditEvent } from '../store/audit.ts';
import { findLostCredential } from '../store/lost-credentials.ts';
import { auditEventOf, type Happened } from './audit.ts';
import { presentedSecret } from './identity.ts';
import { type Service } from './route.ts';

export interface Strangers {
  /** The first of its kind from an address is written at once, further ones once a minute. */
  note(request: FastifyRequest, happened: Happened): void;
  /** Writes what is counted and not yet told. */
  close(): void;
}

interface Counted {
  readonly event: ToldAuditEvent;
  further: number;
}

const minuteMs = 60_000;
/** Whoever comes from more addresses than these is counted together: the log does not grow with them. */
const mostCounted = 500;

export function createStrangers(write: (event: ToldAuditEvent) => void): Strangers {
  const counted = new Map<string, Counted>();
  function tell(): void {
    for (const [key, one] of counted) {
      if (one.further === 0) counted.delete(key);
      else write({ ...one.event, request: null, detail: { ...one.event.detail, further: one.further } });
      one.further = 0;
    }
  }
  const timer = setInterval(tell, minuteMs).unref();
  return {
    note(request, happened) {
      const told = auditEventOf(request, happened);
      const own = JSON.stringify([told.who, told.action, told.about, told.detail]);
      const isOne = counted.has(own) || counted.size < mostCounted;
      const event: ToldAuditEvent = isOne ? told : { ...told, about: {}, route: null, who: nobody, detail: { reason: 'many' } };
      const key = isOne ? own : event.action;
      const known = counted.get(key);
      if (known !== undefined) known.further++;
      else {
        counted.set(key, { event, further: 0 });
        write(event);
      }
    },
    close() {
      clearInterval(timer);
      tell();
    },
  };
}

const nobody = { account: null, agency: null, credential: null, address: null } as const;

/** Who presents nothing is not told of: every page that is opened before signing in does so. */
export async function noteUnaccepted(service: Service, request: FastifyRequest): Promise<void> {
  const secret = presentedSecret(request, service.secure);
  if (secret === null) return;
  const hasForm = isApiToken(secret) || isSessionSecret(secret);
  const lost = hasForm ? await findLostCredential(service.installation.database, digestOfSecret(secret)) : null;
  service.strangers.note(request, {
    action: 'credential.refused',
    outcome: 'denied',
    about: lost === null ? {} : { account: lost.accountId, agency: lost.agencyId, [lost.kind]: lost.id },
    detail: { reason: lost?.reason ?? 'unknown' },
  });
}
