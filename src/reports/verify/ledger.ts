/** Whether the ledger holds, and whether the report tells what it says. */
import { join } from 'node:path';
import { canonicalText } from '../../custody/canonical.ts';
import { readChain } from '../../custody/chain.ts';
import { type ChainedEvent, type EventDigest } from '../../custody/event.ts';
import { linesOf } from '../catalogue.ts';
import { quotedFacts, type ReportFindings } from '../findings.ts';
import { ledgerView } from '../ledger-view.ts';
import { accountOf, type LedgerAccount, stepsThatCount } from '../processing.ts';
import { type Check, contradictions } from './check.ts';
import { type Manifest } from './manifest.ts';

export function checkLedger(folder: string, findings: ReportFindings, { keys, keyId, predicate }: Manifest): readonly Check[] {
  const lines = readLines(join(folder, 'ledger.jsonl'));
  const { events, faults, head } = readChain(lines, keys, { case: findings.case, label: findings.exhibit });
  const wrong = faults.map(({ message }) => message);
  if (wrong.length === 0) {
    if (canonicalText(ledgerView(events, head.digest)) !== canonicalText(findings.ledger)) {
      wrong.push('the custody table, its gaps or its head in the report are not those of ledger.jsonl');
    }
    if (findings.signer !== keyId) wrong.push(`the report names ${findings.signer} as its signer, it is signed by ${keyId}`);
    wrong.push(...statedOtherwise(findings, predicate, head.digest, events.length));
  }
  return [
    contradictions('ledger', wrong, `${events.length} events, each signed, each naming the one before it, none missing in between`),
    contradictions(
      'ledger and report',
      wrong.length > 0 ? [] : reportedOtherwise(findings, events),
      'digests and steps in the ledger are those of the report',
    ),
  ].slice(0, wrong.length > 0 ? 1 : 2);
}

/** A chain is checked as a whole, in memory: what no laboratory writes is refused before it fills it. */
const largestLedger = 512 * 1024 * 1024;
const mostEvents = 1_000_000;

function readLines(path: string): string[] {
  const lines: string[] = [];
  let size = 0;
  for (const line of linesOf(path, () => undefined)) {
    size += line.length;
    if (size > largestLedger || lines.length === mostEvents) {
      throw new Error(`ledger.jsonl is larger than ${largestLedger} bytes or has more than ${mostEvents} events`);
    }
    lines.push(line.toString('utf8'));
  }
  return lines;
}

/** The signed manifest quotes the report. */
function statedOtherwise(findings: ReportFindings, predicate: Manifest['predicate'], head: string, events: number): string[] {
  const expected = { ...quotedFacts(findings), ledger: { events, head } };
  return Object.entries(expected)
    .filter(([name, value]) => canonicalText(predicate[name] ?? null) !== canonicalText(value))
    .map(([name]) => `the manifest states another ${name} than the report`);
}

function reportedOtherwise(findings: ReportFindings, events: readonly ChainedEvent[]): string[] {
  const own = stepsThatCount(events, findings.examination.id);
  const account = accountOf(events, findings.examination.id, findings.received.files);
  return [...digestsOtherwise(findings, own), ...accountOtherwise(findings, account), ...countsOtherwise(findings, own)];
}

function digestsOtherwise({ media, integrity, catalogue }: ReportFindings, own: readonly ChainedEvent[]): string[] {
  const digests = own.flatMap((event) => event.digests);
  const wrong: string[] = [];
  const expect = (what: string, found: EventDigest | undefined, value: string | undefined) => {
    if (found?.value !== value) wrong.push(`${what}: the ledger says ${found?.value ?? 'nothing'}, the report ${value ?? 'nothing'}`);
  };
  const all = (scope: string, point: string) => digests.filter((digest) => digest.scope === scope && digest.point === point);
  const stream = all('media-stream', 'H1');
  for (const algorithm of new Set([...Object.keys(media.digests), ...stream.map((digest) => digest.algorithm)])) {
    const found = stream.find((digest) => digest.algorithm === algorithm);
    expect(`${algorithm} of the medium`, found, media.digests[algorithm]);
  }
  const files = [
    ['at receipt', all('segment', 'H1'), integrity.atReceipt ?? []],
    ['at the end', all('segment', 'H5'), integrity.atConclusion],
  ] as const;
  for (const [when, inLedger, inReport] of files) {
    if (inLedger.length !== inReport.length) wrong.push(`files ${when}: the ledger has ${inLedger.length}, the report ${inReport.length}`);
    for (const [index, { name, sha256 }] of inReport.entries()) {
      const found = inLedger[index];
      expect(`${name} ${when}`, found?.name === name ? found : undefined, sha256);
    }
  }
  const sealed = (name: string) => all('catalogue', 'H5').find((digest) => digest.name === name);
  expect('catalogue root', sealed('catalogue root'), catalogue.root);
  expect('entries.jsonl', sealed('entries.jsonl'), catalogue.sha256);
  return wrong;
}

function accountOtherwise(findings: ReportFindings, account: LedgerAccount): string[] {
  const { examiner, examination, processing, integrity } = findings;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['examiner', examiner, account.examiner],
    ['time of receipt', examination.startedAt, account.startedAt],
    ['time of the conclusion', examination.concludedAt, account.concludedAt],
    ['tools and steps', processing, account.processing],
    ['verdict on the evidence', integrity.status, account.integrity],
    ['status', examination.status, account.integrity === 'changed' ? 'integrity-failed' : 'complete'],
  ];
  return pairs
    .filter(([, said, recorded]) => canonicalText(said) !== canonicalText(recorded))
    .map(([what]) => `${what}: the report says otherwise than the ledger`);
}

/** Numbers that steps left in the ledger, against those of the report. */
function countsOtherwise(findings: ReportFindings, own: readonly ChainedEvent[]): string[] {
  const { media, integrity, catalogue, volumes, problems, profile, notExamined } = findings;
  const steps = own.map(({ step }) => step!);
  const wrong: string[] = [];
  const expect = (what: string, recorded: unknown, said: unknown) => {
    if (canonicalText(recorded) !== canonicalText(said)) {
      wrong.push(`${what}: the ledger says ${canonicalText(recorded).slice(0, 200)}, the report ${canonicalText(said).slice(0, 200)}`);
    }
  };
  const done = (kind: string) => steps.filter((step) => step.kind === kind && step.outcome === 'done');
  const countOf = (kind: string, name: string) => done(kind)[0]?.counts[name];
  expect('number of steps', steps.length, integrity.steps.total);
  expect('steps that left the evidence unchanged', steps.filter((step) => step.unchanged).length, integrity.steps.unchanged);
  if (integrity.status === 'intact' && steps.some((step) => !step.unchanged)) {
    wrong.push('the evidence is called unchanged, and a step of the ledger saw it changed');
  }
  expect('size of the medium', countOf('survey', 'mediaBytes') ?? countOf('hash-media', 'mediaBytes') ?? 0, media.size);
  expect('damaged bytes', countOf('hash-media', 'damagedBytes') ?? 0, media.damagedBytes);
  expect('volumes', countOf('survey', 'volumes') ?? 0, volumes.filter(({ kind }) => kind === 'volume').length);
  expect('entries', countOf('conclude', 'entries'), catalogue.entries);
  expect(
    'problems',
    steps.reduce((sum, { counts }) => sum + (counts.problems ?? 0), 0),
    problems.total,
  );
  const unallocated = volumes.flatMap(({ unallocatedBytes }) => (unallocatedBytes === null ? [] : [unallocatedBytes]));
  const listed = done('list-files').map(({ counts }) => counts.unallocatedBytes ?? 0);
  expect('unallocated bytes of the volumes', listed.sort(ascending), unallocated.sort(ascending));
  const givenUp = steps.filter(({ outcome }) => outcome === 'quarantined').map(({ kind, reason = '' }) => `${kind} given up: ${reason}`);
  const told = notExamined.filter(({ bytes, reason }) => bytes === null && reason.includes(' given up: ')).map(({ reason }) => reason);
  expect('work that was given up', givenUp.sort(), told.sort());
  if (steps.some(({ settings }) => canonicalText(settings) !== canonicalText(profile))) {
    wrong.push('settings: the report says otherwise than the ledger');
  }
  return wrong;
}

const ascending = (a: number, b: number): number => a - b;
