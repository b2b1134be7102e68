/** Whether an image at hand is the one that the report is about. */
import { type HashMediaResult } from '../../evidence/task.ts';
import { type ReportFindings } from '../findings.ts';
import { type Check, contradictions, fail, incomplete, unchecked } from './check.ts';
import { readLeaves } from './contents.ts';

/** What a thread computed over the image's files just now; `refused`: why its medium could not be digested. */
export interface DigestedEvidence extends Pick<HashMediaResult, 'media' | 'leaves' | 'segments'> {
  readonly refused: string | null;
}

export function checkEvidence(folder: string, { integrity, media }: ReportFindings, digested: DigestedEvidence): readonly Check[] {
  const known = integrity.atReceipt ?? integrity.atConclusion;
  const missing = missingFiles(known, digested);
  if (missing.length > 0) {
    const text = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not there; the ${digested.segments.length} other files are what was received: SHA-256 equal`;
    return [incomplete('evidence files', text), unchecked('evidence medium', 'needs all files of the image')];
  }
  const files = otherFiles(known, digested);
  return [
    contradictions(
      'evidence files',
      files,
      `${digested.segments.length === 1 ? 'the file of the image is' : `${digested.segments.length} files of the image are`} what was received: SHA-256 equal`,
    ),
    checkMedium(folder, media, digested),
  ];
}

type Known = ReportFindings['integrity']['atConclusion'];

/** Names of files that were received and are not given, where all that are given are right: the image is not another one, only not all there. */
function missingFiles(known: Known, { segments }: DigestedEvidence): string[] {
  const given = new Set(segments.map(({ sha256 }) => sha256));
  const expected = new Set(known.map(({ sha256 }) => sha256));
  if (segments.length >= known.length || segments.some(({ sha256 }) => !expected.has(sha256))) return [];
  return known.filter(({ sha256 }) => !given.has(sha256)).map(({ name }) => name);
}

function otherFiles(known: Known, { segments }: DigestedEvidence): string[] {
  const wrong = segments.length === known.length ? [] : [`the image has ${segments.length} files, ${known.length} were received`];
  for (const [index, { name, sha256 }] of segments.entries()) {
    const expected = known[index];
    if (expected !== undefined && expected.sha256 !== sha256)
      wrong.push(`${name}: SHA-256 ${sha256}, the report says ${expected.sha256} of ${expected.name}`);
  }
  return wrong;
}

function checkMedium(folder: string, media: ReportFindings['media'], digested: DigestedEvidence): Check {
  const expected = Object.entries(media.digests);
  if (digested.refused !== null) {
    return expected.length === 0
      ? unchecked('evidence medium', `it could not be digested, neither then nor now: ${digested.refused}`)
      : fail('evidence medium', `it could not be digested: ${digested.refused}`);
  }
  if (expected.length === 0) return unchecked('evidence medium', 'the report holds no digest of it: the medium was not digested then');
  const wrong = expected
    .filter(([algorithm, value]) => digested.media[algorithm] !== value)
    .map(([algorithm, value]) => `${algorithm} of the medium is ${digested.media[algorithm] ?? 'not known'}, the report says ${value}`);
  if (wrong.length > 0) wrong.unshift(...changedLeaves(folder, media.leafSize, digested.leaves));
  return contradictions(
    'evidence medium',
    wrong,
    `the medium inside is the one examined: ${expected.map(([name]) => name).join(', ')} equal`,
  );
}

function changedLeaves(folder: string, leafSize: number, now: readonly string[]): string[] {
  const { leaves } = readLeaves(folder);
  const changed = leaves.flatMap((leaf, index) => (leaf === now[index] ? [] : [index]));
  if (changed.length === 0) return [];
  const places = changed.slice(0, 3).map((index) => `${index * leafSize} to ${(index + 1) * leafSize}`);
  return [`${changed.length} of ${leaves.length} leaves differ: bytes ${places.join(', ')}${changed.length > 3 ? ', ...' : ''}`];
}
