/** A report made by the real main job, and its folder to be tampered with: changed, re-signed, verified. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import Value from 'typebox/value';
import { processImages } from '../../src/cli/process.ts';
import { runVerify } from '../../src/cli/verify.ts';
import { readConfig } from '../../src/config.ts';
import { canonicalText, sha256 } from '../../src/custody/canonical.ts';
import { parseEnvelope, sealEnvelope } from '../../src/custody/dsse.ts';
import { type Signer } from '../../src/custody/signer.ts';
import { openInstallation } from '../../src/installation.ts';
import { Findings, manifestFile, type ReportFindings } from '../../src/reports/findings.ts';
import { renderHtml } from '../../src/reports/html.ts';
import { type Check } from '../../src/reports/verify/check.ts';
import { testDatabase } from '../support/database.ts';

export interface MadeReport {
  /** Never changed: tests work on copies. */
  readonly folder: string;
  readonly version: string;
  readonly signer: Signer;
  /** A new copy of the folder; `close` removes it. */
  copy(): string;
  close(): void;
}

const silent = { show: () => undefined, note: () => undefined, done: () => undefined };

/** An image that ends in `.zst` is unpacked first. */
export async function makeReport(packed: string): Promise<MadeReport> {
  const base = mkdtempSync(join(tmpdir(), 'custodia-report-'));
  const image = packed.endsWith('.zst') ? join(base, 'image.raw') : packed;
  if (image !== packed) writeFileSync(image, zstdDecompressSync(readFileSync(packed)));
  const database = await testDatabase();
  const environment = { CUSTODIA_DATA: join(base, 'data'), CUSTODIA_LOG: 'fatal', DATABASE_URL: database.url };
  const installation = await openInstallation(readConfig({}, environment, 2));
  try {
    const folder = join(base, 'report');
    const options = { images: [image], caseReference: 'Tamper 1', exhibit: 'T-1', examiner: 'Exam Iner', digests: [], out: folder };
    await processImages(installation, options, silent, new AbortController().signal);
    let copies = 0;
    return {
      folder,
      version: installation.version,
      signer: installation.signer,
      copy() {
        const target = join(base, `copy-${copies++}`);
        cpSync(folder, target, { recursive: true });
        return target;
      },
      close: () => rmSync(base, { recursive: true, force: true }),
    };
  } finally {
    await installation.close();
    await database.close();
  }
}

export interface Verdict {
  readonly status: number;
  readonly checks: readonly Check[];
  /** Names of the checks that failed. */
  readonly failed: readonly string[];
  readonly text: string;
}

export interface VerifyWith {
  readonly evidence?: readonly string[];
  readonly trust?: readonly string[];
}

export async function verify(
  report: MadeReport,
  folder: string,
  { evidence = [], trust = [report.signer.keyId] }: VerifyWith = {},
): Promise<Verdict> {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const place = { folder, evidence, trust, json: true, dataFolder: join(folder, 'nowhere'), threads: 2, version: report.version, write };
  const status = await runVerify(place);
  const checks = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Check & { event: string })
    .filter(({ event }) => event === 'check');
  return { status, checks, failed: checks.filter(({ verdict }) => verdict === 'fail').map(({ what }) => what), text };
}

export const findingsOf = (folder: string): ReportFindings =>
  JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as ReportFindings;

/** Writes the findings, and the page that goes with them where they have the form of findings at all. */
export function writeFindings(folder: string, findings: ReportFindings): void {
  const text = canonicalText(findings);
  writeFileSync(join(folder, 'report.json'), text);
  if (Value.Check(Findings, findings))
    writeFileSync(join(folder, 'report.html'), renderHtml(JSON.parse(text) as ReportFindings, sha256(text)));
}

/** A manifest that fits the folder as it is now, and quotes its report. */
export function resign(folder: string, signer: Pick<Signer, 'privateKey'>, quote = true): void {
  const old = JSON.parse(Buffer.from(parseEnvelope(readFileSync(join(folder, manifestFile), 'utf8')).payload, 'base64').toString()) as {
    subject: { name: string; digest: { sha256: string } }[];
    predicate: Record<string, unknown>;
  };
  const names = readdirSync(folder).filter((name) => name !== manifestFile);
  const bytes = new Map(names.sort().map((name) => [name, readFileSync(join(folder, name))]));
  const { report, examination, ledger, catalogue, ...findings } = findingsOf(folder);
  const quoted = {
    ...{ report: report.id, format: report.format, madeAt: report.madeAt, case: findings.case, exhibit: findings.exhibit },
    ...{ examination: examination.id, ledger: { events: ledger.events, head: ledger.head }, catalogueRoot: catalogue.root },
  };
  const statement = {
    ...old,
    subject: [...bytes].map(([name, content]) => ({ name, digest: { sha256: sha256(content) } })),
    predicate: {
      ...(quote ? quoted : old.predicate),
      sizes: Object.fromEntries([...bytes].map(([name, content]) => [name, content.length])),
    },
  };
  writeFileSync(join(folder, manifestFile), sealEnvelope(statement, signer.privateKey));
}

/** Mulberry32 (public domain, T. Ettinger): the same places for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
