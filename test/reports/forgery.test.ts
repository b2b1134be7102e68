/** A forger who holds the key of the laboratory's reports: report, page and manifest fit each other, and ledger and catalogue tell otherwise. */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReportFindings } from '../../src/reports/findings.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { findingsOf, type MadeReport, makeReport, resign, verify, writeFindings } from './made-report.ts';

let report: MadeReport;
let copy: string;
let original: ReportFindings;

beforeAll(async () => {
  report = await makeReport(fixturePath('disk-mbr-e01'));
  copy = report.copy();
  original = findingsOf(report.folder);
});
afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
  report.close();
});

async function forge(change: (findings: ReportFindings) => void) {
  const forged = structuredClone(original);
  change(forged);
  writeFindings(copy, forged);
  resign(copy, report.signer);
  return verify(report, copy);
}

type Path = readonly (string | number)[];

function leavesOf(value: unknown, path: Path = []): { path: Path; value: string | number | boolean | null }[] {
  if (typeof value !== 'object' || value === null) return [{ path, value: value as string }];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, Array.isArray(value) ? Number(key) : key]));
}

/** Of places that differ in their indices only: the first, the second and the last. */
function representatives(paths: readonly Path[]): Path[] {
  const alike = Map.groupBy(paths, (path) => path.map((key) => (typeof key === 'number' ? '*' : key)).join('.'));
  return [...alike.values()].flatMap((group) => [...new Set([group[0]!, group[1] ?? group[0]!, group.at(-1)!])]);
}

function change(findings: ReportFindings, path: Path): void {
  // biome-ignore lint/suspicious/noExplicitAny: any place of the report
  const holder = path.slice(0, -1).reduce((at: any, key) => at[key], findings);
  const key = path.at(-1)!;
  const value: unknown = holder[key];
  if (typeof value === 'number') holder[key] = value + 1;
  else if (typeof value === 'boolean') holder[key] = !value;
  else if (key === 'fileSystem') holder[key] = { name: 'fat', label: 'FAT', facts: {} };
  else if (value === null) holder[key] = typeof key === 'string' && /bytes|number/i.test(key) ? 1 : 'x';
  else if (/^[0-9a-f]{16,}$/.test(String(value))) holder[key] = `${String(value).slice(0, -1)}${String(value).endsWith('0') ? '1' : '0'}`;
  else holder[key] = `${String(value)}x`;
}

/** What neither ledger nor catalogue nor problems nor leaves know, nor another place of the report: only the signature of the manifest holds it. */
const heldBySignatureAlone = [
  /^report\.(id|madeAt)$/,
  /^generator\./,
  /^received\.(format|label)$/,
  /^received\.acquisition\./,
  /^media\.sectorSize$/,
  /^storedHashes\.\d+\.(place|algorithm)$/,
  /^volumeSystem\./,
  /^volumes\.\d+\.(label|type|name|guid|number|flags\.\d+|kind)$/,
  /^volumes\.0\.(length|locator|reason)$/, // of the partition table: it overlaps what lies behind it, and nobody lists it
  /^volumes\.\d+\.fileSystem\.(name|label|facts\..*)$/,
];

describe('a report signed anew by its own key', () => {
  it('verifies when nothing was changed', async () => {
    const { status, failed } = await forge(() => undefined);
    expect([status, failed]).toEqual([0, []]);
  });

  it('is caught for every number and word that ledger, catalogue, problems or leaves know', async () => {
    const uncaught: string[] = [];
    let caught = 0;
    for (const path of representatives(leavesOf(original).map(({ path: found }) => found))) {
      const { status, text } = await forge((findings) => change(findings, path));
      if (status === 1) caught++;
      else uncaught.push(path.join('.'));
      expect(status, text).not.toBe(2);
    }
    expect(uncaught.filter((path) => !heldBySignatureAlone.some((pattern) => pattern.test(path)))).toEqual([]);
    expect(caught).toBeGreaterThan(120);
  }, 300_000);

  it.each<readonly [string, (findings: ReportFindings) => void, string]>([
    ['fewer problems', ({ problems }) => problems.byCode.pop(), 'problems'],
    ['a hole in the coverage', ({ volumes }) => volumes.pop(), 'consistency'],
    ['a volume that is not told as unexamined', ({ notExamined }) => notExamined.pop(), 'consistency'],
    ['no limits', ({ limits }) => limits.pop(), 'consistency'],
    ['a shorter custody table', ({ ledger }) => ledger.table.pop(), 'ledger'],
    ['another examiner', (findings) => (findings.examiner = 'Some Body'), 'ledger and report'],
    ['another case', (findings) => (findings.case = 'Other'), 'ledger'],
    ['another time of receipt', ({ examination }) => (examination.startedAt = '2020-01-01T00:00:00.000Z'), 'ledger and report'],
    ['another version of the tool', ({ processing }) => (processing.tools[0]!.version = '9.9.9'), 'ledger and report'],
    ['other settings', (findings) => (findings.profile = {}), 'ledger and report'],
    ['a notable entry left out', ({ notable }) => notable[0]!.entries.pop(), 'catalogue'],
    ['a digest of the medium left out', ({ media }) => delete media.digests.md5, 'consistency'],
    [
      'a stored digest that is said to agree with another',
      ({ storedHashes }) => (storedHashes[0]!.computed = 'ff'.repeat(16)),
      'consistency',
    ],
    ['evidence called changed', ({ integrity }) => (integrity.status = 'changed'), 'ledger and report'],
    ['files of the image exchanged', ({ received }) => (received.files[0]!.inode = '1'), 'ledger'],
    ['files at receipt left out', ({ integrity }) => (integrity.atReceipt = null), 'consistency'],
    ['a step left out', ({ integrity }) => (integrity.steps = { total: 7, unchanged: 7 }), 'ledger and report'],
  ])('is caught with %s', async (_what, alter, speaks) => {
    const { status, failed } = await forge((findings) => void alter(findings));
    expect(status).toBe(1);
    expect(failed).toContain(speaks);
  });
});

it('a problem taken out of the record before the report was written is missed by the ledger', async () => {
  const path = join(copy, 'problems.jsonl');
  const whole = readFileSync(path, 'utf8');
  const [gone, ...kept] = whole.trimEnd().split('\n');
  const { code, hidesEvidence } = JSON.parse(gone!) as { code: string; hidesEvidence: boolean };
  const left = kept.map((line) => JSON.parse(line)).filter((problem) => problem.code === code);
  writeFileSync(path, kept.map((line) => `${line}\n`).join(''));
  try {
    const { status, failed } = await forge(({ problems }) => {
      problems.total--;
      if (hidesEvidence) problems.hidingEvidence--;
      problems.sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
      const of = problems.byCode.find((counted) => counted.code === code)!;
      const [first] = left;
      Object.assign(of, { count: left.length, exampleLocator: first?.locator, exampleMessage: first?.message });
      if (hidesEvidence) of.hiding--;
      if (left.length === 0) problems.byCode.splice(problems.byCode.indexOf(of), 1);
    });
    expect([status, failed]).toEqual([1, ['ledger and report']]);
  } finally {
    writeFileSync(path, whole);
  }
});

describe('the report itself', () => {
  it('tells what ewfinfo, ewfexport and sha256sum tell of the image', () => {
    const { mediaSize, md5, sha1, sha256, ewfinfo } = fixtureExpected('disk-mbr-e01'); // origin.md names the tools
    const { media, received, storedHashes } = original;
    expect(media).toMatchObject({ size: mediaSize, digests: { md5, sha1, sha256 } });
    expect(received.acquisition).toMatchObject(ewfinfo);
    expect(storedHashes.every(({ equal }) => equal === true)).toBe(true);
    expect(storedHashes.length).toBeGreaterThan(0);
  });
});
