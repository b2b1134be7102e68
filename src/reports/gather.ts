/** Gathers the findings of an examination from the record, and the parts of the ledger and of the media digests that go with them. */
import { createPublicKey } from 'node:crypto';
import { type Pool } from 'pg';
import { leafSize } from '../config.ts';
import { readChain } from '../custody/chain.ts';
import { type ChainedEvent } from '../custody/event.ts';
import { merkleRoot } from '../custody/merkle.ts';
import { type Signer } from '../custody/signer.ts';
import { type HashMediaResult, type ListFilesResult, type SurveyedVolume, type SurveyResult } from '../evidence/task.ts';
import { countProblems, readVolumes } from '../store/catalogue.ts';
import { type Conclusion } from '../store/conclusion.ts';
import { type Examination, readExamination } from '../store/examinations.ts';
import { readLedger } from '../store/ledger.ts';
import { unitsOf } from '../store/units.ts';
import { coverageOf, type GivenUpUnit, notExamined } from './coverage.ts';
import { type Leaves, type ReportFindings, standingLimits, timeZones } from './findings.ts';
import { ledgerView } from './ledger-view.ts';
import { accountOf, type LedgerAccount, stepsThatCount } from './processing.ts';

export interface ReportFrame {
  readonly reportId: string;
  readonly madeAt: string;
  readonly signer: Signer;
  /** SHA-256 of problems.jsonl. */
  readonly problemsDigest: string;
  readonly generator: ReportFindings['generator'];
}

export interface Gathered {
  readonly findings: ReportFindings;
  readonly leaves: Leaves;
  /** Lines of ledger.jsonl. */
  readonly ledger: readonly string[];
  readonly hidesEvidence: boolean;
}

/** Throws Error where the examination has not concluded, or where its ledger does not verify. */
export async function gatherFindings(database: Pool, examinationId: string, frame: ReportFrame): Promise<Gathered> {
  const found = await readExamination(database, examinationId);
  if (found === null) throw new Error(`examination.not-found: ${examinationId}`);
  const { examination, exhibit } = found;
  const conclusion = examination.conclusion as Conclusion | null;
  if (conclusion === null) throw new Error(`examination.open: ${examinationId} has not concluded: its status is '${examination.status}'`);
  const [units, volumes, byCode, ledger] = await Promise.all([
    unitsOf(database, examinationId, ['hash-media', 'survey', 'list-files', 'examine-files']),
    readVolumes(database, examinationId),
    countProblems(database, examinationId),
    readLedger(database, exhibit.id),
  ]);
  const { events, head } = checkedLedger(ledger, frame.signer, { case: exhibit.caseReference, label: exhibit.label });
  const account = accountOf(events, examinationId, examination.received);
  const survey = resultOf<SurveyResult>(units, 'survey');
  const media = resultOf<HashMediaResult>(units, 'hash-media');
  const described = describeVolumes(volumes, units, conclusion);
  const mediaSize = survey?.mediaSize ?? media?.mediaSize ?? 0;
  const leaves: Leaves = { leafSize, mediaSize: media?.mediaSize ?? 0, leaves: [...(media?.leaves ?? [])] };
  const { tally, root, entries, sha256 } = conclusion.catalogue;
  const { volumes: _perVolume, notable, ...counts } = tally;
  const findings: ReportFindings = {
    report: { id: frame.reportId, version: 1, format: 'custodia-report/1', madeAt: frame.madeAt },
    generator: frame.generator,
    case: exhibit.caseReference,
    exhibit: exhibit.label,
    examiner: account.examiner,
    examination: describeExamination(examination, account),
    received: {
      format: survey?.format ?? examination.image.format,
      label: survey?.label ?? 'an image that could not be opened',
      files: [...examination.received],
      acquisition: { ...survey?.acquisition },
    },
    media: describeMedia(mediaSize, survey, media, leaves),
    storedHashes: conclusion.storedHashes.map((hash) => ({ ...hash })),
    integrity: describeIntegrity(conclusion, events, examinationId),
    processing: account.processing,
    volumeSystem: survey?.volumeSystem ?? { name: 'unknown', label: 'The image could not be opened', facts: {} },
    volumes: described,
    coverage: coverageOf(mediaSize, volumes),
    catalogue: { root, entries, sha256 },
    counts: { entries, ...counts, byType: { ...counts.byType }, byMediaType: [...counts.byMediaType] },
    notable: notable.map((group) => ({ ...group, entries: [...group.entries] })),
    problems: {
      total: byCode.reduce((sum, { count }) => sum + count, 0),
      hidingEvidence: byCode.reduce((sum, { hiding }) => sum + hiding, 0),
      sha256: frame.problemsDigest,
      byCode,
    },
    notExamined: notExamined(described, givenUpUnits(units)),
    profile: examination.profile,
    ledger: ledgerView(events, head),
    signer: frame.signer.keyId,
    timeZones,
    limits: [...standingLimits],
  };
  return { findings, leaves, ledger, hidesEvidence: conclusion.hidesEvidence };
}

type Units = Awaited<ReturnType<typeof unitsOf>>;

const resultOf = <T>(units: Units, kind: string): T | null =>
  (units.find((unit) => unit.kind === kind && unit.status === 'done')?.result as T | undefined) ?? null;

function checkedLedger(lines: readonly string[], { keyId, publicKeyPem }: Signer, exhibit: { case: string; label: string }) {
  const { events, faults, head } = readChain(lines, new Map([[keyId, createPublicKey(publicKeyPem)]]), exhibit);
  if (faults.length > 0) throw new Error(`ledger.broken: the ledger of this exhibit does not verify: ${faults[0]!.message}`);
  return { events, head: head.digest };
}

const describeExamination = ({ id, status }: Examination, { startedAt, concludedAt }: LedgerAccount): ReportFindings['examination'] => ({
  id,
  startedAt,
  concludedAt,
  status,
});

const describeMedia = (
  size: number,
  survey: SurveyResult | null,
  media: HashMediaResult | null,
  leaves: Leaves,
): ReportFindings['media'] => ({
  size,
  sectorSize: survey?.sectorSize ?? 512,
  digests: { ...media?.media },
  damagedBytes: media?.damagedBytes ?? 0,
  leafSize: leaves.leafSize,
  leaves: leaves.leaves.length,
  leafRoot: merkleRoot(leaves.leaves.map((leaf) => Buffer.from(leaf, 'hex'))),
});

function describeIntegrity(conclusion: Conclusion, events: readonly ChainedEvent[], examinationId: string): ReportFindings['integrity'] {
  const steps = stepsThatCount(events, examinationId).map(({ step }) => step!);
  return {
    status: conclusion.integrity,
    changes: [...conclusion.changes],
    atReceipt: conclusion.received === null ? null : [...conclusion.received],
    atConclusion: [...conclusion.concluded],
    steps: { total: steps.length, unchanged: steps.filter(({ unchanged }) => unchanged).length },
  };
}

function describeVolumes(volumes: readonly SurveyedVolume[], units: Units, { catalogue }: Conclusion): ReportFindings['volumes'] {
  return volumes.map(({ system: _system, ...volume }) => {
    const tally = catalogue.tally.volumes.find(({ locator }) => locator === volume.locator);
    const listing = units.find((unit) => unit.kind === 'list-files' && locatorOf(unit) === volume.locator && unit.status === 'done');
    const { entries = 0, files = 0, deleted = 0 } = tally ?? {};
    const unallocatedBytes = (listing?.result as ListFilesResult | undefined)?.unallocatedBytes ?? null;
    return { ...volume, ...(volume.flags === undefined ? {} : { flags: [...volume.flags] }), entries, files, deleted, unallocatedBytes };
  }) as ReportFindings['volumes'];
}

const locatorOf = ({ input }: Units[number]): string => (input as { volume?: { locator?: string } }).volume?.locator ?? 'image:';

const givenUpUnits = (units: Units): GivenUpUnit[] =>
  units
    .filter(({ status }) => status === 'quarantined')
    .map((unit) => ({ kind: unit.kind, locator: locatorOf(unit), reason: unit.reason ?? 'for an unknown reason' }));
