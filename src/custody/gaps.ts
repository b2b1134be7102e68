/** Who held the exhibit when: the custody table, and what is missing between its lines. */
import { type ChainedEvent } from './event.ts';

export interface CustodyLine {
  readonly seq: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly recordedAt: string;
  readonly actor: string;
  readonly role: string;
  readonly place: string;
  readonly what: string;
}

export interface CustodyGap {
  readonly kind: 'gap' | 'overlap' | 'clock';
  readonly afterSeq: number;
  readonly message: string;
}

export const custodyTable = (events: readonly ChainedEvent[]): CustodyLine[] =>
  events.map((event) => ({
    seq: event.seq,
    type: event.type,
    occurredAt: event.occurredAt,
    recordedAt: event.recordedAt,
    actor: event.actor.name,
    role: event.actor.role,
    place: event.place.host,
    what: whatOf(event),
  }));

function whatOf({ step, looked, looks, decision, why }: ChainedEvent): string {
  if (step !== undefined) return `${step.kind}: ${step.outcome}`;
  if (looked !== undefined) return `${looked.how} ${looked.locator}`;
  if (decision !== undefined) return `${decision.what}: ${why.text}`;
  if (looks === undefined) return why.text;
  return looks.count === 1 ? `${looks.list[0]?.how} ${looks.list[0]?.locator}` : `${looks.count} looks from ${looks.from} to ${looks.to}`;
}

/**
 * Custody of an image begins when it is received. From then on it stays with the laboratory until an event hands it on: a hole is the time between
 * an event that ends custody (transferred, released, disposed) and the next that takes it up. Times that step back are told of as well.
 */
export function custodyGaps(events: readonly ChainedEvent[]): CustodyGap[] {
  const gaps: CustodyGap[] = [];
  if (events.length > 0 && events[0]!.type !== 'received') {
    gaps.push({
      kind: 'gap',
      afterSeq: -1,
      message: `the first event is '${events[0]!.type}', expected 'received': what came before is not recorded`,
    });
  }
  let held = false;
  for (const [index, event] of events.entries()) {
    const before = events[index - 1];
    if (before !== undefined && event.recordedAt < before.recordedAt) {
      gaps.push({
        kind: 'clock',
        afterSeq: before.seq,
        message: `event ${event.seq} was recorded at ${event.recordedAt}, before event ${before.seq} at ${before.recordedAt}`,
      });
    }
    if (ends.has(event.type)) {
      if (!held) gaps.push({ kind: 'overlap', afterSeq: event.seq - 1, message: `event ${event.seq} hands on what was not held` });
      held = false;
    } else if (!held) {
      if (before !== undefined && event.type !== 'received' && event.type !== 'received-by-other') {
        gaps.push({
          kind: 'gap',
          afterSeq: before.seq,
          message: `from ${before.recordedAt} to ${event.recordedAt} nobody is recorded as holding the exhibit`,
        });
      }
      held = true;
    }
  }
  return gaps;
}

const ends = new Set(['transferred', 'released', 'disposed']);
