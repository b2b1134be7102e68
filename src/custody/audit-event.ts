/** An audit event: what was asked of the service, by whom, and what was decided; chained and signed like the ledger of an exhibit. */
import { type KeyObject } from 'node:crypto';
import { canonicalDigest, canonicalText } from './canonical.ts';
import { type ChainFault, type ChainHead, lineDigest, type SealedLine } from './chain.ts';
import { EnvelopeError, openEnvelope, sealEnvelope, UnknownSignerError } from './dsse.ts';
import { statementType } from './event.ts';

export const auditPredicateType = 'urn:custodia:audit-event:v1';

export interface AuditEvent {
  /** RFC 3339, UTC: when it was written. */
  readonly at: string;
  readonly who: {
    /** Null where nobody is known. */
    readonly account: string | null;
    readonly agency: string | null;
    /** `session:` or `token:` and its id; `local` for a command on the machine itself. */
    readonly credential: string | null;
    readonly address: string | null;
  };
  /** Method and pattern of the route, not what was put into it; null for a local command. */
  readonly route: string | null;
  /** Of the policy, or what happened: `session.open`, `rights.changed`, ... */
  readonly action: string;
  readonly outcome: 'allowed' | 'denied' | 'done' | 'failed';
  /** Ids of what it was about. */
  readonly about: Readonly<Record<string, string>>;
  readonly request: string | null;
  /** Facts that the ids do not tell: roles before and after, for example. */
  readonly detail?: Readonly<Record<string, string | number | readonly string[] | null>>;
}

export interface ChainedAuditEvent extends AuditEvent {
  /** Dense, from 0. */
  readonly seq: number;
  /** SHA-256 of the line of the event before; null for the first. */
  readonly prev: { readonly sha256: string } | null;
}

/** The subject is the event itself: the digest of its canonical form. */
const statementOf = (event: ChainedAuditEvent) => ({
  _type: statementType,
  predicateType: auditPredicateType,
  subject: [{ name: `audit/${event.seq}`, digest: { sha256: canonicalDigest(event) } }],
  predicate: event,
});

export function sealAuditEvent(head: ChainHead, event: AuditEvent, privateKey: KeyObject): SealedLine {
  const chained: ChainedAuditEvent = { ...event, seq: head.seq + 1, prev: head.seq < 0 ? null : { sha256: head.digest } };
  const envelope = sealEnvelope(statementOf(chained), privateKey);
  return { envelope, digest: lineDigest(envelope) };
}

export interface AuditCheck {
  /** The event of the next line, where it can be believed. */
  add(line: string): ChainedAuditEvent | null;
  readonly faults: readonly ChainFault[];
  /** Lines that cannot be judged: signed by a key that is not at hand. They are among the faults. */
  readonly unknownSigners: number;
  readonly head: ChainHead;
  /** Events that are not among the lines: none in a whole log; in what an agency may see, those of others. */
  readonly missing: number;
}

/**
 * Checks every line: signature, form, rising sequence, digest of the line before where that is at hand. Goes on behind a fault. That the log was
 * not cut at its end shows only by a head that was kept elsewhere.
 */
export function checkAudit(keys: ReadonlyMap<string, KeyObject>): AuditCheck {
  const faults: ChainFault[] = [];
  const state = { unknownSigners: 0, missing: 0, head: { seq: -1, digest: '' } as ChainHead };
  let number = 0;
  const fault = (message: string) => void faults.push({ line: number, message: `line ${number}: ${message}` });

  function add(line: string): ChainedAuditEvent | null {
    number++;
    const { head } = state;
    const event = openAuditEvent(line, keys, (error) => {
      if (error instanceof UnknownSignerError) state.unknownSigners++;
      fault(error.message);
    });
    state.head = { seq: event?.seq ?? head.seq + 1, digest: lineDigest(line) };
    if (event === null) return null;
    if (event.seq <= head.seq) fault(`its sequence number is ${event.seq}, expected more than ${head.seq}`);
    else if (event.seq > head.seq + 1) state.missing += event.seq - head.seq - 1;
    else if (canonicalText(event.prev) !== canonicalText(head.seq < 0 ? null : { sha256: head.digest }))
      fault('it names another event before it than the one that stands there');
    return event;
  }
  return {
    add,
    faults,
    get unknownSigners() {
      return state.unknownSigners;
    },
    get head() {
      return state.head;
    },
    get missing() {
      return state.missing;
    },
  };
}

export interface ReadAudit extends Pick<AuditCheck, 'faults' | 'head' | 'missing'> {
  readonly events: readonly ChainedAuditEvent[];
}

/** `checkAudit` of lines that are all at hand. */
export function verifyAudit(lines: Iterable<string>, keys: ReadonlyMap<string, KeyObject>): ReadAudit {
  const check = checkAudit(keys);
  const events: ChainedAuditEvent[] = [];
  for (const line of lines) {
    const event = check.add(line);
    if (event !== null) events.push(event);
  }
  return { events, faults: check.faults, head: check.head, missing: check.missing };
}

function openAuditEvent(line: string, keys: ReadonlyMap<string, KeyObject>, fault: (error: Error) => void): ChainedAuditEvent | null {
  try {
    const statement = openEnvelope(line, keys).statement as ReturnType<typeof statementOf>;
    if (!isAuditStatement(statement)) throw new EnvelopeError('the signed statement is no audit event');
    if (canonicalText(statementOf(statement.predicate)) !== canonicalText(statement))
      throw new EnvelopeError('its subject is not the event that it tells of');
    return statement.predicate;
  } catch (error) {
    if (!(error instanceof EnvelopeError || error instanceof TypeError)) throw error;
    fault(error);
    return null;
  }
}

function isAuditStatement(statement: unknown): boolean {
  if (typeof statement !== 'object' || statement === null) return false;
  const { _type, predicateType, predicate } = statement as Record<string, unknown>;
  if (_type !== statementType || predicateType !== auditPredicateType || typeof predicate !== 'object' || predicate === null) return false;
  const { seq, prev, at, who, action, outcome } = predicate as Record<string, unknown>;
  return (
    Number.isSafeInteger(seq) &&
    prev !== undefined &&
    typeof at === 'string' &&
    typeof who === 'object' &&
    typeof action === 'string' &&
    typeof outcome === 'string'
  );
}
