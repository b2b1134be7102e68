/** Verifies a report folder: offline, without a database, trusting only the keys it is told to trust. */
import { type KeyObject } from 'node:crypto';
import { type HashMediaResult } from '../evidence/task.ts';
import { attempt, type Check, fail, unchecked } from './verify/check.ts';
import { checkCatalogue, checkItself, checkLeaves, checkPage, checkProblems, type OpenedReport, openReport } from './verify/contents.ts';
import { checkEvidence } from './verify/evidence.ts';
import { checkLedger } from './verify/ledger.ts';
import { checkFiles, type Manifest, openManifest } from './verify/manifest.ts';

export interface VerifyOptions {
  readonly folder: string;
  /** Fingerprints (`sha256:` and 64 hex digits). */
  readonly trusted: ReadonlySet<string>;
  /** Keys that the verifier has at hand, by their fingerprints. */
  readonly trustedKeys: ReadonlyMap<string, KeyObject>;
  /** Digests the image that the verifier has at hand; null where there is none. Rejects with Error where it cannot be read. */
  readonly digestEvidence: (() => Promise<HashMediaResult>) | null;
}

/** One check after the other, each as soon as it is settled. */
export async function* verifyReport({ folder, trusted, trustedKeys, digestEvidence }: VerifyOptions): AsyncIterable<Check> {
  const { manifest, checks } = openManifest(folder, trusted, trustedKeys);
  yield* checks;
  if (manifest !== null) yield* attempt('files', () => checkFiles(folder, manifest));
  const report = openSafely(folder);
  yield* report.checks;
  const { findings } = report;
  if (findings === null) return;
  yield* attempt('consistency', () => checkItself(findings));
  yield* attempt('page', () => checkPage(folder, findings, report.digest));
  yield* attempt('catalogue', () => checkCatalogue(folder, findings));
  yield* attempt('problems', () => checkProblems(folder, findings));
  yield* attempt('leaves', () => checkLeaves(folder, findings));
  yield* ledgerChecks(folder, report, manifest);
  yield* await evidenceChecks(folder, report, digestEvidence);
}

function openSafely(folder: string): OpenedReport {
  try {
    return openReport(folder);
  } catch (error) {
    const text = `report.json could not be read: ${error instanceof Error ? error.message : String(error)}`;
    return { findings: null, digest: '', checks: [fail('report', text)] };
  }
}

function ledgerChecks(folder: string, { findings }: OpenedReport, manifest: Manifest | null): readonly Check[] {
  if (manifest === null) return [unchecked('ledger', 'without a manifest whose signature fits there is no key to check it with')];
  return attempt('ledger', () => checkLedger(folder, findings!, manifest));
}

async function evidenceChecks(
  folder: string,
  { findings }: OpenedReport,
  digestEvidence: VerifyOptions['digestEvidence'],
): Promise<readonly Check[]> {
  if (digestEvidence === null) return [unchecked('evidence', 'the image itself was not given: --evidence IMAGE compares it')];
  try {
    const digested = await digestEvidence();
    return attempt('evidence', () => checkEvidence(folder, findings!, digested));
  } catch (error) {
    return [fail('evidence', `the image given could not be digested: ${error instanceof Error ? error.message : String(error)}`)];
  }
}
