/** What a report tells of one examination out of its exhibit's ledger: a pure function of the events, so that a verifier can make it again. */
import { canonicalText } from '../custody/canonical.ts';
import { type ChainedEvent, type FileState, type ProcessingStep } from '../custody/event.ts';
import { type ReportFindings } from './findings.ts';

export interface LedgerAccount {
  /** Who submitted the image for this examination. */
  readonly examiner: string;
  /** When the image was received, and when the examination was concluded, as the ledger recorded it. */
  readonly startedAt: string;
  readonly concludedAt: string;
  readonly processing: ReportFindings['processing'];
  readonly integrity: ReportFindings['integrity']['status'];
}

/** The steps of an examination: of a unit that was begun anew the last one, and of several conclusions the last. */
export function stepsThatCount(events: readonly ChainedEvent[], examinationId: string): ChainedEvent[] {
  const own = events.filter(({ step }) => step?.examination === examinationId);
  const last = new Map(own.map(({ seq, step }) => [step!.kind === 'conclude' ? 'conclude' : step!.unit, seq]));
  const counting = new Set(last.values());
  return own.filter(({ seq }) => counting.has(seq));
}

/** `files`: those of the image as they were received. Throws Error where the ledger tells of no receipt or no conclusion. */
export function accountOf(events: readonly ChainedEvent[], examinationId: string, files: readonly FileState[]): LedgerAccount {
  const own = stepsThatCount(events, examinationId);
  const conclusion = own.find(({ step }) => step?.kind === 'conclude' && step.outcome === 'done');
  const received = receiptOf(events, own[0]?.seq ?? events.length, files);
  if (received === undefined) throw new Error('ledger.receipt: no event tells that these files were received');
  if (conclusion === undefined) throw new Error('ledger.conclusion: no event tells that this examination was concluded');
  return {
    examiner: received.actor.name,
    startedAt: received.recordedAt,
    concludedAt: conclusion.recordedAt,
    processing: { tools: toolsOf(own), steps: stepsOf(own.map(({ step }) => step!)) },
    integrity: integrityOf(own, conclusion),
  };
}

/** The last receipt of these very files before the first step: the ledger may tell of other images of the exhibit as well. */
function receiptOf(events: readonly ChainedEvent[], firstStep: number, files: readonly FileState[]): ChainedEvent | undefined {
  const wanted = canonicalText(files);
  return events.findLast(
    (event) => event.type === 'received' && event.seq < firstStep && event.files !== undefined && canonicalText(event.files) === wanted,
  );
}

function toolsOf(own: readonly ChainedEvent[]): ReportFindings['processing']['tools'] {
  const tools = new Map<string, ReportFindings['processing']['tools'][number]>();
  for (const { step } of own) {
    const { tool, worker } = step!;
    const { name, version, runtime, dependencies } = tool;
    const { host, platform, architecture, isolation } = worker;
    const described = { name, version, runtime, dependencies, host, platform: `${platform} ${architecture}`, isolation };
    const key = canonicalText(described);
    tools.set(key, { ...described, steps: (tools.get(key)?.steps ?? 0) + 1 });
  }
  return [...tools.values()];
}

function stepsOf(steps: readonly ProcessingStep[]): ReportFindings['processing']['steps'] {
  const kinds = new Map<string, { done: number; split: number; quarantined: number }>();
  for (const { kind, outcome } of steps) {
    const counted = kinds.get(kind) ?? { done: 0, split: 0, quarantined: 0 };
    counted[outcome]++;
    kinds.set(kind, counted);
  }
  return [...kinds].map(([kind, counted]) => ({ kind, ...counted }));
}

/** By what the conclusion saw: each file's digest against that of its receipt, and its state. */
function integrityOf(own: readonly ChainedEvent[], conclusion: ChainedEvent): LedgerAccount['integrity'] {
  const segmentsAt = (point: string) =>
    own.flatMap(({ digests }) => digests.filter((digest) => digest.scope === 'segment' && digest.point === point));
  const [received, concluded] = [segmentsAt('H1'), segmentsAt('H5')];
  const differ = concluded.some(({ result }) => result === 'different') || concluded.length < received.length;
  if (differ || conclusion.alteration !== null || concluded.length === 0) return 'changed';
  return received.length === 0 ? 'unknown' : 'intact';
}
