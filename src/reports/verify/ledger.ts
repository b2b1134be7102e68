/** Whether the ledger holds, and whether the report tells what it says. */
import { join } from 'node:path';
import { canonicalText } from '../../custody/canonical.ts';
import { readChain } from '../../custody/chain.ts';
import { type ChainedEvent, type EventDigest } from '../../custody/event.ts';
import { linesOf } from '../catalogue.ts';
import { type ReportFindings } from '../findings.ts';
import { ledgerView } from '../ledger-view.ts';
import { type Check, contradictions } from './check.ts';
import { type Manifest } from './manifest.ts';

export function checkLedger(folder: string, findings: ReportFindings, { keys, keyId, predicate }: Manifest): readonly Check[] {
  const lines = [...linesOf(join(folder, 'ledger.jsonl'), () => undefined)].map((line) => line.toString('utf8'));
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

/** The signed manifest quotes the report. */
function statedOtherwise(findings: ReportFindings, predicate: Manifest['predicate'], head: string, events: number): string[] {
  const { report, examination, catalogue } = findings;
  const expected = {
    report: report.id,
    format: report.format,
    madeAt: report.madeAt,
    case: findings.case,
    exhibit: findings.exhibit,
    examination: examination.id,
    catalogueRoot: catalogue.root,
    ledger: { events, head },
  };
  return Object.entries(expected)
    .filter(([name, value]) => canonicalText(predicate[name] ?? null) !== canonicalText(value))
    .map(([name]) => `the manifest states another ${name} than the report`);
}

function reportedOtherwise(findings: ReportFindings, events: readonly ChainedEvent[]): string[] {
  const own = events.filter(({ step }) => step?.examination === findings.examination.id);
  const steps = own.map(({ step }) => step!);
  const digests = own.flatMap((event) => event.digests);
  const { media, integrity, catalogue } = findings;
  const wrong: string[] = [];
  const expect = (what: string, found: EventDigest | undefined, value: string | undefined) => {
    if (found?.value !== value) wrong.push(`${what}: the ledger says ${found?.value ?? 'nothing'}, the report ${value ?? 'nothing'}`);
  };
  const find = (scope: string, point: string, name?: string, algorithm = 'sha256') =>
    digests.find(
      (digest) =>
        digest.scope === scope && digest.point === point && digest.algorithm === algorithm && (name === undefined || digest.name === name),
    );
  for (const algorithm of new Set([
    ...Object.keys(media.digests),
    ...['md5', 'sha1', 'sha256'].filter((known) => find('media-stream', 'H1', undefined, known)),
  ])) {
    expect(`${algorithm} of the medium`, find('media-stream', 'H1', undefined, algorithm), media.digests[algorithm]);
  }
  for (const { name, sha256 } of integrity.atReceipt ?? []) expect(`${name} at receipt`, find('segment', 'H1', name), sha256);
  for (const { name, sha256 } of integrity.atConclusion) expect(`${name} at the end`, find('segment', 'H5', name), sha256);
  expect('catalogue root', find('catalogue', 'H5', 'catalogue root'), catalogue.root);
  const unchanged = steps.filter((step) => step.unchanged).length;
  if (integrity.steps.total !== steps.length || integrity.steps.unchanged !== unchanged)
    wrong.push('the number of steps is not that of the ledger');
  if (integrity.status === 'intact' && unchanged < steps.length)
    wrong.push('the evidence is called unchanged, and a step of the ledger saw it changed');
  return wrong;
}
