/** Whether an image at hand is the one that the report is about. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HashMediaResult } from '../../evidence/task.ts';
import { type ReportFindings } from '../findings.ts';
import { type Check, contradictions } from './check.ts';

/** `digested`: what a thread computed over the image's files just now. */
export function checkEvidence(folder: string, { integrity, media }: ReportFindings, digested: HashMediaResult): readonly Check[] {
  const known = integrity.atReceipt ?? integrity.atConclusion;
  const files: string[] = [];
  if (digested.segments.length !== known.length)
    files.push(`the image has ${digested.segments.length} files, ${known.length} were received`);
  for (const [index, { name, sha256 }] of digested.segments.entries()) {
    const expected = known[index];
    if (expected !== undefined && expected.sha256 !== sha256)
      files.push(`${name}: SHA-256 ${sha256}, the report says ${expected.sha256} of ${expected.name}`);
  }
  const stream = Object.entries(media.digests)
    .filter(([algorithm, value]) => digested.media[algorithm] !== value)
    .map(([algorithm, value]) => `${algorithm} of the medium is ${digested.media[algorithm] ?? 'not known'}, the report says ${value}`);
  if (stream.length > 0) stream.push(...changedLeaves(folder, media.leafSize, digested.leaves));
  return [
    contradictions(
      'evidence files',
      files,
      `${digested.segments.length === 1 ? 'the file of the image is' : `${digested.segments.length} files of the image are`} what was received: SHA-256 equal`,
    ),
    contradictions('evidence medium', stream, `the medium inside is the one examined: ${Object.keys(media.digests).join(', ')} equal`),
  ];
}

function changedLeaves(folder: string, leafSize: number, now: readonly string[]): string[] {
  const { leaves } = JSON.parse(readFileSync(join(folder, 'leaves.json'), 'utf8')) as { leaves: string[] };
  const changed = leaves.flatMap((leaf, index) => (leaf === now[index] ? [] : [index]));
  if (changed.length === 0) return [];
  const places = changed.slice(0, 3).map((index) => `${index * leafSize} to ${(index + 1) * leafSize}`);
  return [`${changed.length} of ${leaves.length} leaves differ: bytes ${places.join(', ')}${changed.length > 3 ? ', ...' : ''}`];
}
