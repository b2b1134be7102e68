/** Whether the report says what its catalogue, its problems, its leaves and its page say: each is computed again. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import Value from 'typebox/value';
import { canonicalText, sha256 } from '../../custody/canonical.ts';
import { merkleRoot } from '../../custody/merkle.ts';
import { linesOf, readCatalogue } from '../catalogue.ts';
import { coverageOf, notExamined } from '../coverage.ts';
import { csvHeader, csvRow } from '../csv.ts';
import { Findings, type Leaves, LeavesForm, type ReportFindings, standingLimits, timeZones } from '../findings.ts';
import { renderHtml } from '../html.ts';
import { type Check, contradictions, fail, incomplete, ok } from './check.ts';
import { digestOf } from './manifest.ts';
import { readBytes, readText } from './plain-file.ts';
import { parsePlainJson } from './plain-json.ts';

export interface OpenedReport {
  readonly findings: ReportFindings | null;
  readonly digest: string;
  readonly checks: readonly Check[];
}

/** A report of ten thousand segments and a thousand volumes stays far below. */
const largestReport = 64 * 1024 * 1024;
/** Of a medium of 120 TiB. */
const largestLeaves = 128 * 1024 * 1024;

/** Throws Error where it cannot be read as JSON at all. */
export function openReport(folder: string): OpenedReport {
  const text = readText(join(folder, 'report.json'), largestReport);
  const value = parsePlainJson(text);
  const wrong: string[] = [];
  if (canonicalText(value) !== text) wrong.push('it is not in canonical form (RFC 8785)');
  if (!Value.Check(Findings, value)) {
    const [first] = Value.Errors(Findings, value);
    const where = first === undefined ? '' : ` at '${first.instancePath}': ${first.message}`;
    return { findings: null, digest: sha256(text), checks: [fail('report', `report.json has not the form of a report${where}`)] };
  }
  return {
    findings: value,
    digest: sha256(text),
    checks: [contradictions('report', wrong, 'report.json has the form of a report, in canonical form')],
  };
}

const same = (a: unknown, b: unknown): boolean => canonicalText(a) === canonicalText(b);

/** `here`: this program and its runtime. Another version may make another page of the same report: then nothing can be said of it. */
export function checkPage(folder: string, findings: ReportFindings, digest: string, here: Here): readonly Check[] {
  if (readBytes(join(folder, 'report.html'), largestReport).equals(Buffer.from(renderHtml(findings, digest)))) {
    return [ok('page', 'report.html says what report.json says, byte for byte')];
  }
  const { version, runtime } = findings.generator;
  if (version === here.version && runtime === here.runtime) return [fail('page', 'report.html is not the page that report.json gives')];
  const makers = `the report was made by version ${version} on ${runtime}, this is version ${here.version} on ${here.runtime}`;
  return [
    incomplete(
      'page',
      `report.html is not the page that report.json gives here, and ${makers}: compare the two by hand, or with that version`,
    ),
  ];
}

export interface Here {
  readonly version: string;
  readonly runtime: string;
}

/** Root, number, digest, counts and notable entries out of entries.jsonl; entries.csv made again from it. */
export function checkCatalogue(folder: string, findings: ReportFindings): readonly Check[] {
  const csv = createHash('sha256').update(csvHeader);
  const listed = findings.volumes.filter(({ fileSystem }) => fileSystem !== null);
  const found = readCatalogue(
    join(folder, 'entries.jsonl'),
    listed.map(({ locator }) => locator),
    (record) => csv.update(csvRow(record)),
  );
  const { catalogue, counts, notable } = findings;
  const wrong: string[] = [];
  if (found.root !== catalogue.root)
    wrong.push(`the catalogue root computed from entries.jsonl is ${found.root}, the report says ${catalogue.root}`);
  if (found.entries !== catalogue.entries || found.entries !== counts.entries)
    wrong.push(`entries.jsonl holds ${found.entries} entries, the report says ${catalogue.entries}`);
  if (found.sha256 !== catalogue.sha256) wrong.push('entries.jsonl has another SHA-256 than the report says');
  const { volumes, notable: foundNotable, ...foundCounts } = found.tally;
  if (!same({ entries: found.entries, ...foundCounts }, counts)) wrong.push('the report’s counts are not those of entries.jsonl');
  if (!same(foundNotable, notable)) wrong.push('the notable entries of the report are not those of entries.jsonl');
  const perVolume = listed.map(({ locator, entries, files, deleted }) => ({ locator, entries, files, deleted }));
  if (!same(volumes, perVolume)) wrong.push('the counts of the volumes are not those of entries.jsonl');
  if (csv.digest('hex') !== digestOf(join(folder, 'entries.csv'))) wrong.push('entries.csv is not the table that entries.jsonl gives');
  return [contradictions('catalogue', wrong, `${found.entries} entries, in order; catalogue root ${found.root} computed again and equal`)];
}

interface ProblemLine {
  readonly locator: string;
  readonly code: string;
  readonly message: string;
  readonly hidesEvidence: boolean;
}

/** This version knows less than three hundred. */
const mostCodes = 10_000;

export function checkProblems(folder: string, { problems }: ReportFindings): readonly Check[] {
  const digest = createHash('sha256');
  const byCode = new Map<string, ReportFindings['problems']['byCode'][number]>();
  for (const line of linesOf(join(folder, 'problems.jsonl'), (bytes) => digest.update(bytes))) {
    const { code, locator, message, hidesEvidence } = JSON.parse(line.toString('utf8')) as ProblemLine;
    const known = byCode.get(code) ?? { code, count: 0, hiding: 0, exampleLocator: locator, exampleMessage: message };
    if (byCode.size > mostCodes) throw new Error(`problems.jsonl has more than ${mostCodes} codes`);
    byCode.set(code, { ...known, count: known.count + 1, hiding: known.hiding + (hidesEvidence ? 1 : 0) });
  }
  const counted = [...byCode.values()].sort((a, b) => Buffer.compare(Buffer.from(a.code), Buffer.from(b.code)));
  const total = counted.reduce((sum, { count }) => sum + count, 0);
  const hidingEvidence = counted.reduce((sum, { hiding }) => sum + hiding, 0);
  const wrong: string[] = [];
  if (digest.digest('hex') !== problems.sha256) wrong.push('problems.jsonl has another SHA-256 than the report says');
  if (total !== problems.total || hidingEvidence !== problems.hidingEvidence || !same(counted, problems.byCode)) {
    wrong.push(`problems.jsonl holds ${total} problems, ${hidingEvidence} of them hiding evidence: the report counts them otherwise`);
  }
  return [contradictions('problems', wrong, `${total} problems, ${hidingEvidence} of them may hide evidence, as the report counts them`)];
}

/** Throws Error where the file does not hold what it should. */
export function readLeaves(folder: string): Leaves {
  const value = parsePlainJson(readText(join(folder, 'leaves.json'), largestLeaves));
  if (!Value.Check(LeavesForm, value)) throw new Error('leaves.json has not the form of a list of digests');
  return value;
}

export function checkLeaves(folder: string, { media }: ReportFindings): readonly Check[] {
  const { leafSize, mediaSize, leaves } = readLeaves(folder);
  const wrong: string[] = [];
  if (leafSize !== media.leafSize || leaves.length !== media.leaves)
    wrong.push('leaves.json has another number or size of leaves than the report says');
  if (merkleRoot(leaves.map((leaf) => Buffer.from(leaf, 'hex'))) !== media.leafRoot)
    wrong.push('the leaves do not give the root that the report says');
  const hashed = Object.keys(media.digests).length > 0;
  if (mediaSize !== (hashed ? media.size : 0)) wrong.push(`leaves.json is of a medium of ${mediaSize} bytes`);
  if (hashed && leaves.length !== Math.ceil(media.size / leafSize))
    wrong.push(`${leaves.length} leaves of ${leafSize} bytes do not cover ${media.size} bytes`);
  return [contradictions('leaves', wrong, `${leaves.length} digests of ${leafSize} bytes each give the root that the report says`)];
}

/** What the report says in two places must agree. */
export function checkItself(findings: ReportFindings, here: Here): readonly Check[] {
  const { media, integrity, coverage, volumes } = findings;
  const wrong = storedOtherwise(findings);
  const differ = integrity.atReceipt?.some(({ sha256: before }, index) => integrity.atConclusion[index]?.sha256 !== before) === true;
  if (integrity.status === 'intact' && (differ || integrity.changes.length > 0 || integrity.atReceipt === null)) {
    wrong.push('the evidence is called unchanged, and the digests or the changes listed say otherwise');
  }
  if (!same(coverageOf(media.size, volumes), coverage)) wrong.push('the coverage is not the sum of the volumes, tables and gaps');
  wrong.push(...sizesOtherwise(findings));
  const byVolumes = notExamined(volumes, []);
  if (!same(findings.notExamined.slice(0, byVolumes.length), byVolumes)) {
    wrong.push('what was not examined is not what the volumes, tables and gaps say');
  }
  const standing = { limits: findings.limits, timeZones: findings.timeZones };
  if (findings.generator.version === here.version && !same(standing, { limits: standingLimits, timeZones })) {
    wrong.push('the limits of the examination are not those of this version');
  }
  return [contradictions('consistency', wrong, 'digests, verdicts and coverage of the report agree with each other')];
}

function sizesOtherwise({ received, integrity, volumes }: ReportFindings): string[] {
  const wrong: string[] = [];
  const digested = [...(integrity.atReceipt ?? []), ...integrity.atConclusion];
  const isSettled = integrity.status !== 'changed'; // a file that changed may have been digested with another size
  if (isSettled && digested.some(({ name, size }) => !received.files.some((file) => file.name === name && file.size === size)))
    wrong.push('a file of the image has another size where its digest stands than where it was received');
  if (volumes.some(({ fileSystem, entries, files, deleted }) => fileSystem === null && entries + files + deleted !== 0))
    wrong.push('a volume that was not listed has entries');
  return wrong;
}

function storedOtherwise({ storedHashes, media }: ReportFindings): string[] {
  const wrong: string[] = [];
  for (const { algorithm, value, computed, equal } of storedHashes) {
    if (computed !== (media.digests[algorithm] ?? null))
      wrong.push(`the ${algorithm} compared with the image's own is not that of the medium`);
    if (equal !== (computed === null ? null : computed === value))
      wrong.push(`the verdict on the image's own ${algorithm} is not what the digests say`);
  }
  return wrong;
}
