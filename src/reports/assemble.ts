/** Writes a report folder: gathers what the record holds about an examination, and signs what it says. */
import { randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { type Pool } from 'pg';
import { canonicalText, sha256 } from '../custody/canonical.ts';
import { sealEnvelope } from '../custody/dsse.ts';
import { statementType } from '../custody/event.ts';
import { type Signer } from '../custody/signer.ts';
import { type SegmentDigest, type ThreadPool } from '../evidence/task.ts';
import { catalogueFolder } from '../store/conclusion.ts';
import { exportProblems } from '../store/copy.ts';
import { manifestFile, manifestType, quotedFacts, type ReportFindings, reportFiles } from './findings.ts';
import { gatherFindings } from './gather.ts';
import { renderHtml } from './html.ts';

/** What a report is made from: the record, and the key that signs. */
export interface ReportSource {
  readonly database: Pool;
  readonly threads: ThreadPool;
  readonly signer: Signer;
  readonly recorder: {
    recordLooks(database: Pool, due: { readonly examinationId: string }): Promise<void>;
    recordExport(database: Pool, examinationId: string, reportDigest: string): Promise<void>;
  };
  readonly config: { readonly dataFolder: string };
  readonly version: string;
}

/** What a person or a program wants to know at once. */
export interface ReportSummary {
  readonly folder: string;
  readonly examinationId: string;
  readonly case: string;
  readonly exhibit: string;
  readonly mediaSize: number;
  readonly digests: Readonly<Record<string, string>>;
  readonly storedHashes: readonly { readonly algorithm: string; readonly place: string; readonly equal: boolean | null }[];
  readonly entries: number;
  readonly files: number;
  readonly catalogueRoot: string;
  readonly problems: number;
  readonly hiding: number;
  readonly hidesEvidence: boolean;
  readonly integrity: 'intact' | 'changed' | 'unknown';
  readonly signer: string;
}

/**
 * The folder appears under its name when it is whole, and after the ledger has taken up that it leaves. `folder` must be new or empty.
 * Throws Error where the sealed catalogue is not the one that the conclusion tells of.
 */
export async function writeExaminationReport(source: ReportSource, examinationId: string, folder: string): Promise<ReportSummary> {
  const target = resolve(folder);
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.partial`);
  await mkdir(draft, { recursive: true, mode: 0o700 });
  try {
    await source.recorder.recordLooks(source.database, { examinationId }); // so that the report tells of them
    const { findings, reportDigest, hidesEvidence } = await writeFiles(source, examinationId, draft);
    const digests = await digestFiles(source.threads, draft);
    const catalogue = digests.find(({ name }) => name === 'entries.jsonl');
    if (catalogue?.sha256 !== findings.catalogue.sha256) {
      throw new Error(
        `report.catalogue: entries.jsonl has SHA-256 ${catalogue?.sha256}, the conclusion tells of ${findings.catalogue.sha256}`,
      );
    }
    await writeFile(join(draft, manifestFile), signManifest(source.signer, findings, digests), { flush: true });
    await source.recorder.recordExport(source.database, examinationId, reportDigest);
    await syncFolder(draft);
    await moveInto(draft, target);
    await syncFolder(dirname(target));
    return summaryOf(findings, target, hidesEvidence);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/** Another process may have put its report there since the folder was looked at: that one stays. */
async function moveInto(draft: string, target: string): Promise<void> {
  try {
    await rename(draft, target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code)) throw error;
    const text = `${target}: something was put there while the report was made, expected an empty or new folder`;
    throw Object.assign(new Error(text, { cause: error }), { code: 'out.not-empty' });
  }
}

async function writeFiles(source: ReportSource, examinationId: string, draft: string) {
  const { database, config } = source;
  const sealed = catalogueFolder(config.dataFolder, examinationId);
  for (const name of ['entries.jsonl', 'entries.csv']) await copyFile(join(sealed, name), join(draft, name), constants.COPYFILE_FICLONE);
  await exportProblems(database, examinationId, join(draft, 'problems.jsonl'));
  const [problems] = await digestPaths(source.threads, [join(draft, 'problems.jsonl')]);
  const { findings, leaves, ledger, hidesEvidence } = await gatherFindings(database, examinationId, {
    reportId: randomUUID(),
    madeAt: new Date().toISOString(),
    signer: source.signer,
    problemsDigest: problems!.sha256,
    generator: {
      name: 'custodia',
      version: source.version,
      runtime: `Node ${process.versions.node}`,
      platform: `${process.platform} ${process.arch}`,
      host: hostname(),
    },
  });
  const report = canonicalText(findings);
  const reportDigest = sha256(report);
  await writeFile(join(draft, 'report.json'), report, { flush: true });
  const asWritten = JSON.parse(report) as ReportFindings; // keys in the order in which a verifier finds them
  await writeFile(join(draft, 'report.html'), renderHtml(asWritten, reportDigest), { flush: true });
  await writeFile(join(draft, 'leaves.json'), canonicalText(leaves), { flush: true });
  await writeFile(join(draft, 'ledger.jsonl'), ledger.map((line) => `${line}\n`).join(''), { flush: true });
  await writeFile(join(draft, 'signer.pub'), source.signer.publicKeyPem, { flush: true });
  return { findings, reportDigest, hidesEvidence };
}

/** On a thread, from the disk: what is signed is what can be read again. */
const digestPaths = (threads: ThreadPool, paths: readonly string[]): Promise<readonly SegmentDigest[]> =>
  threads.run(
    { kind: 'hash-segments', image: { format: 'raw', paths } },
    { onBatch: () => undefined, signal: new AbortController().signal },
  );

async function digestFiles(threads: ThreadPool, folder: string): Promise<readonly SegmentDigest[]> {
  const found = (await readdir(folder)).sort();
  const missing = reportFiles.filter((name) => !found.includes(name));
  if (missing.length > 0) throw new Error(`report.files: ${missing.join(', ')} not written`);
  return digestPaths(
    threads,
    found.map((name) => join(folder, name)),
  );
}

function signManifest(signer: Signer, findings: ReportFindings, files: readonly SegmentDigest[]): string {
  const statement = {
    _type: statementType,
    predicateType: manifestType,
    subject: files.map(({ name, sha256: value }) => ({ name, digest: { sha256: value } })),
    predicate: { ...quotedFacts(findings), sizes: Object.fromEntries(files.map(({ name, size }) => [name, size])) },
  };
  return sealEnvelope(statement, signer.privateKey);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function summaryOf(findings: ReportFindings, folder: string, hidesEvidence: boolean): ReportSummary {
  const { examination, media, storedHashes, catalogue, counts, problems, integrity, signer } = findings;
  return {
    folder,
    examinationId: examination.id,
    case: findings.case,
    exhibit: findings.exhibit,
    mediaSize: media.size,
    digests: media.digests,
    storedHashes: storedHashes.map(({ algorithm, place, equal }) => ({ algorithm, place, equal })),
    entries: counts.entries,
    files: counts.files,
    catalogueRoot: catalogue.root,
    problems: problems.total,
    hiding: problems.hidingEvidence,
    hidesEvidence,
    integrity: integrity.status,
    signer,
  };
}
