/** The chain of an exhibit's events: how one is appended, and what a reader checks. */
import { type KeyObject } from 'node:crypto';
import { canonicalText, sha256 } from './canonical.ts';
import { EnvelopeError, openEnvelope, sealEnvelope } from './dsse.ts';
import {
  type ChainedEvent,
  type CustodyEvent,
  type ExhibitReference,
  eventTypes,
  predicateType,
  type Statement,
  statementOf,
  statementType,
} from './event.ts';

export interface ChainHead {
  /** -1 before the first event. */
  readonly seq: number;
  /** Empty before the first event. */
  readonly digest: string;
}

export interface SealedLine {
  readonly envelope: string;
  readonly digest: string;
}

/** The digest of an event is that of its line, without the line end. */
export const lineDigest = (line: string): string => sha256(line);

export function sealNext(head: ChainHead, event: CustodyEvent, privateKey: KeyObject): SealedLine {
  const chained: ChainedEvent = { ...event, seq: head.seq + 1, prev: head.seq < 0 ? null : { sha256: head.digest } };
  const envelope = sealEnvelope(statementOf(chained), privateKey);
  return { envelope, digest: lineDigest(envelope) };
}

export interface ChainFault {
  readonly line: number;
  readonly message: string;
}

export interface ReadChain {
  readonly events: readonly ChainedEvent[];
  readonly faults: readonly ChainFault[];
  readonly head: ChainHead;
}

/** Checks every line: signature, form, exhibit, dense sequence, digest of the line before. Goes on behind a fault, so that all are told. */
export function readChain(lines: readonly string[], keys: ReadonlyMap<string, KeyObject>, exhibit: ExhibitReference): ReadChain {
  const events: ChainedEvent[] = [];
  const faults: ChainFault[] = [];
  let head: ChainHead = { seq: -1, digest: '' };
  for (const [index, line] of lines.entries()) {
    const fault = (message: string) => void faults.push({ line: index + 1, message: `event ${index}: ${message}` });
    const event = openEvent(line, keys, fault);
    if (event !== null) {
      events.push(event);
      if (event.seq !== head.seq + 1) fault(`its sequence number is ${event.seq}, expected ${head.seq + 1}`);
      const before = head.seq < 0 ? null : { sha256: head.digest };
      if (canonicalText(event.prev) !== canonicalText(before)) fault('it names another event before it than the one that stands there');
      if (event.exhibit.case !== exhibit.case || event.exhibit.label !== exhibit.label) fault('it is about another exhibit');
    }
    head = { seq: head.seq + 1, digest: lineDigest(line) };
  }
  return { events, faults, head };
}

function openEvent(line: string, keys: ReadonlyMap<string, KeyObject>, fault: (message: string) => void): ChainedEvent | null {
  try {
    const { statement } = openEnvelope(line, keys);
    const { _type, predicateType: type, predicate } = statement as Statement;
    if (_type !== statementType || type !== predicateType) throw new EnvelopeError('the signed statement is no custody event');
    if (!isChained(predicate)) throw new EnvelopeError('the signed statement lacks what every custody event has');
    if (!eventTypes.includes(predicate.type)) throw new EnvelopeError(`type '${String(predicate.type).slice(0, 40)}' is none of the list`);
    if (canonicalText(statementOf(predicate).subject) !== canonicalText((statement as Statement).subject)) {
      throw new EnvelopeError('its subject is not the exhibit that it tells of');
    }
    return predicate;
  } catch (error) {
    if (!(error instanceof EnvelopeError || error instanceof TypeError)) throw error;
    fault(error.message);
    return null;
  }
}

const isChained = (predicate: unknown): boolean => {
  if (typeof predicate !== 'object' || predicate === null) return false;
  const { seq, prev, exhibit, digests } = predicate as Record<string, unknown>;
  return typeof seq === 'number' && prev !== undefined && typeof exhibit === 'object' && exhibit !== null && Array.isArray(digests);
};
