/** Verifies a report folder: offline, without a database, trusting only the keys it is told to trust. */
import { type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { reportFiles } from './findings.ts';
import { attempt, type Check, incomplete, troubleOf, unchecked } from './verify/check.ts';
import {
  checkCatalogue,
  checkItself,
  checkLeaves,
  checkPage,
  checkProblems,
  type Here,
  type OpenedReport,
  openReport,
} from './verify/contents.ts';
import { checkEvidence, type DigestedEvidence } from './verify/evidence.ts';
import { checkLedger } from './verify/ledger.ts';
import { checkFiles, type Manifest, openManifest } from './verify/manifest.ts';
import { isPlainFile } from './verify/plain-file.ts';

export interface VerifyOptions {
  readonly folder: string;
  /** Fingerprints (`sha256:` and 64 hex digits), each with where the trust in it comes from, in words. */
  readonly trusted: ReadonlyMap<string, string>;
  /** Keys that the verifier has at hand, by their fingerprints. */
  readonly trustedKeys: ReadonlyMap<string, KeyObject>;
  readonly here: Here;
  /** Digests the image that the verifier has at hand; null where there is none. Rejects with Error where it cannot be read. */
  readonly digestEvidence: (() => Promise<DigestedEvidence>) | null;
}

/** One check after the other, each as soon as it is settled. */
export async function* verifyReport({ folder, trusted, trustedKeys, here, digestEvidence }: VerifyOptions): AsyncIterable<Check> {
  const { manifest, checks } = openManifest(folder, trusted, trustedKeys);
  yield* checks;
  yield* manifest === null ? missingFiles(folder) : attempt('files', () => checkFiles(folder, manifest));
  const report = openSafely(folder);
  yield* report.checks;
  const { findings } = report;
  if (findings === null) return;
  const over = (what: string, files: readonly string[], check: () => readonly Check[]): readonly Check[] => {
    const missing = files.filter((name) => !isPlainFile(join(folder, name)));
    return missing.length === 0 ? attempt(what, check) : [unchecked(what, `${missing.join(', ')} is not there`)];
  };
  yield* attempt('consistency', () => checkItself(findings, here));
  yield* over('page', ['report.html'], () => checkPage(folder, findings, report.digest, here));
  yield* over('catalogue', ['entries.jsonl', 'entries.csv'], () => checkCatalogue(folder, findings));
  yield* over('problems', ['problems.jsonl'], () => checkProblems(folder, findings));
  yield* over('leaves', ['leaves.json'], () => checkLeaves(folder, findings));
  yield* over('ledger', ['ledger.jsonl'], () => ledgerChecks(folder, report, manifest));
  yield* await evidenceChecks(folder, report, digestEvidence);
}

/** Where no manifest tells what belongs to the folder: what every report has. */
const missingFiles = (folder: string): readonly Check[] =>
  reportFiles
    .filter((name) => name !== 'signer.pub' && !isPlainFile(join(folder, name)))
    .map((name) => incomplete('files', `${name} is not there, or is no plain file`));

function openSafely(folder: string): OpenedReport {
  if (!isPlainFile(join(folder, 'report.json'))) {
    return { findings: null, digest: '', checks: [unchecked('report', 'without report.json there is nothing to compare')] };
  }
  try {
    return openReport(folder);
  } catch (error) {
    return { findings: null, digest: '', checks: [troubleOf('report', 'report.json could not be read', error)] };
  }
}

function ledgerChecks(folder: string, { findings }: OpenedReport, manifest: Manifest | null): readonly Check[] {
  if (manifest === null) return [unchecked('ledger', 'without a manifest whose signature fits there is no key to check it with')];
  return checkLedger(folder, findings!, manifest);
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
    const text = `the image given could not be read, so nothing can be said of it: ${error instanceof Error ? error.message : String(error)}`;
    return [incomplete('evidence', text)];
  }
}
