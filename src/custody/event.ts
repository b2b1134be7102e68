/** A custody event: an in-toto Statement v1 about an exhibit. The fields are those of docs/LEDGER.md. */
import { canonicalDigest } from './canonical.ts';

export const statementType = 'https://in-toto.io/Statement/v1';
export const predicateType = 'urn:custodia:custody-event:v1';

/** Every change of an exhibit's state, and every look at its content. */
export type EventType =
  | 'received'
  | 'sealed'
  | 'moved'
  | 'accessed'
  | 'copied'
  | 'processed'
  | 'exported'
  | 'transferred'
  | 'received-by-other'
  | 'verified'
  | 'corrected'
  | 'reviewed'
  | 'held'
  | 'released'
  | 'disposed';

export const eventTypes: readonly EventType[] = [
  'received', 'sealed', 'moved', 'accessed', 'copied', 'processed', 'exported', 'transferred', 'received-by-other', 'verified', 'corrected', 'reviewed', 'held', 'released', 'disposed',
]; // biome-ignore format: a list

export interface ExhibitReference {
  readonly case: string;
  readonly label: string;
}

export interface EventDigest {
  readonly scope: 'segment' | 'container' | 'media-stream' | 'catalogue' | 'report';
  readonly name: string;
  readonly algorithm: string;
  readonly value: string;
  /** H1 receipt, H5 before export. */
  readonly point: 'H1' | 'H5';
  readonly result?: 'equal' | 'different';
}

/** Size, times, inode and device of a file of the evidence. */
export interface FileState {
  readonly name: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
}

export interface ProcessingStep {
  readonly examination: string;
  readonly unit: string;
  readonly kind: string;
  readonly tool: { readonly name: string; readonly version: string; readonly runtime: string; readonly dependencies: string };
  readonly settings: unknown;
  readonly worker: {
    /** Of this run of the process, as it was registered. */
    readonly id?: string;
    readonly host: string;
    readonly process: number;
    readonly platform: string;
    /** Of the operating system. */
    readonly release?: string;
    readonly architecture: string;
    readonly isolation: string;
  };
  /** Of the process and its threads; those of the task are in the settings. */
  readonly limits?: { readonly silenceMs: number; readonly heapMiB: number; readonly threads: number };
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: 'done' | 'split' | 'quarantined';
  readonly reason?: string;
  /** Hash points H3 and H4: the files of the evidence before and after the step. */
  readonly before: readonly FileState[];
  readonly after: readonly FileState[];
  readonly unchanged: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly deterministic: true;
}

export interface CustodyEvent {
  readonly exhibit: ExhibitReference;
  readonly type: EventType;
  readonly actor: { readonly name: string; readonly role: string; readonly authenticator: string };
  readonly onBehalfOf?: string;
  readonly occurredAt: string;
  readonly recordedAt: string;
  /** `offsetMs`: the database's clock minus this machine's, where it was measured: when the database was opened. */
  readonly clock: { readonly source: string; readonly offsetMs?: number; readonly uncertaintyMs: number };
  readonly place: { readonly host: string };
  readonly why: { readonly text: string };
  readonly how: { readonly procedure: string; readonly version: string };
  readonly digests: readonly EventDigest[];
  readonly alteration: null | { readonly what: string };
  /** Where the evidence lies: paths as they were given. */
  readonly storage?: readonly string[];
  readonly files?: readonly FileState[];
  /** Of the container, by the name of its reader. */
  readonly format?: string;
  readonly step?: ProcessingStep;
  /** How an examination is to go on. */
  readonly decision?: { readonly what: string; readonly examination: string; readonly unit?: string };
  /** Locator of what was looked at. */
  readonly looked?: { readonly how: string; readonly locator: string; readonly examination: string };
  /** Many looks of one account in one session; `session` is the id of the session or token, never its secret. */
  readonly looks?: {
    readonly account: string;
    readonly session: string;
    readonly count: number;
    readonly from: string;
    readonly to: string;
    readonly list: readonly { readonly at: string; readonly how: string; readonly locator: string; readonly examination: string }[];
  };
}

export interface ChainedEvent extends CustodyEvent {
  /** Dense, from 0. */
  readonly seq: number;
  /** SHA-256 of the line of the event before; null for the first. */
  readonly prev: { readonly sha256: string } | null;
}

export interface Statement {
  readonly _type: typeof statementType;
  readonly predicateType: typeof predicateType;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicate: ChainedEvent;
}

/** The subject is the exhibit: the digest of its canonical reference; once the medium's digest is known it stands beside it. */
export function statementOf(event: ChainedEvent): Statement {
  const { case: reference, label } = event.exhibit;
  const media = event.digests.find(({ scope, algorithm }) => scope === 'media-stream' && algorithm === 'sha256');
  return {
    _type: statementType,
    predicateType,
    subject: [
      { name: `${reference}/${label}`, digest: { sha256: canonicalDigest(event.exhibit) } },
      ...(media === undefined ? [] : [{ name: `${reference}/${label}#media-stream`, digest: { sha256: media.value } }]),
    ],
    predicate: event,
  };
}
