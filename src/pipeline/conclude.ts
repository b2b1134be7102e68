/** The last step: the evidence is digested once more and compared, the catalogue is sealed. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type StoredHash } from '../evidence/image.ts';
import { type HashMediaResult, type SealedCatalogue, type SegmentDigest, type SurveyResult } from '../evidence/task.ts';
import { countProblems, insertProblem, readVolumes } from '../store/catalogue.ts';
import { type Conclusion, catalogueFolder } from '../store/conclusion.ts';
import { exportRecords } from '../store/copy.ts';
import { concludeExamination } from '../store/examinations.ts';
import { unitsOf } from '../store/units.ts';
import { differences, statEvidence } from './evidence-files.ts';
import { type DigestStatement, nothing, type StepContext, type StepOutcome } from './step.ts';
import { TaskError } from './task-error.ts';

export async function conclude(context: StepContext): Promise<StepOutcome> {
  const { examination, unit, database } = context;
  const [catalogue, again, known] = await Promise.all([sealEntries(context), lookAgain(context), earlierResults(context)]);
  const received = known.media?.segments ?? null;
  const { concluded } = again;
  const changes = again.refused === null ? [...again.differences, ...digestChanges(received, concluded)] : [again.refused];
  const integrity = changes.length > 0 ? 'changed' : received === null ? 'unknown' : 'intact';
  const storedHashes = compareStored(known.survey?.storedHashes ?? [], known.media);
  const mismatches = storedHashes.filter(({ equal }) => equal === false);
  const hiding = (await countProblems(database, examination.id)).some(({ hiding: count }) => count > 0);
  const hidesEvidence = hiding || integrity !== 'intact' || mismatches.length > 0;
  const conclusion: Conclusion = { catalogue, integrity, changes, received, concluded, storedHashes, hidesEvidence };
  return {
    status: 'done',
    result: { integrity },
    counts: { entries: catalogue.entries, problems: changes.length + mismatches.length },
    digests: statements(catalogue, concluded, received),
    children: nothing,
    async write(client) {
      const tell = (code: string, message: string) =>
        insertProblem(client, examination.id, unit.id, { locator: 'image:', code, message, at: null, hidesEvidence: true });
      for (const change of changes) await tell('evidence.changed', change);
      for (const { algorithm, value, computed, place } of mismatches) {
        await tell('hash.mismatch', `${algorithm} in the image's ${place}: ${value}, computed over the medium: ${computed}`);
      }
      await concludeExamination(client, examination.id, integrity === 'changed' ? 'integrity-failed' : 'complete', conclusion);
    },
  };
}

async function sealEntries(context: StepContext): Promise<SealedCatalogue> {
  const { examination, unit, database, dataFolder } = context;
  const folder = catalogueFolder(dataFolder, examination.id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeDrafts(folder, Number(unit.fence));
  const entriesPath = join(folder, `entries.${unit.fence}.jsonl`);
  const csvPath = join(folder, `entries.${unit.fence}.csv`);
  await exportRecords(database, examination.id, entriesPath, () => undefined);
  const volumes = (await readVolumes(database, examination.id))
    .filter(({ fileSystem }) => fileSystem !== null)
    .map(({ locator }) => locator);
  const sealed = await context.run({ kind: 'seal-catalogue', entriesPath, csvPath, volumes }, 1024 ** 4);
  await rename(entriesPath, join(folder, 'entries.jsonl'));
  await rename(csvPath, join(folder, 'entries.csv'));
  return sealed;
}

/** What tries before this one have left: their process was killed, or they are too late and would only write the same. */
async function removeDrafts(folder: string, fence: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const earlier = /^entries\.(\d+)\.(jsonl|csv)$/.exec(name);
    if (earlier !== null && Number(earlier[1]) < fence) await rm(join(folder, name), { force: true });
  }
}

/** The evidence as it is now. Where it cannot be read any more, however often it is tried, that is what there is to say. */
async function lookAgain({ examination, isLastTry, run }: StepContext) {
  const { image, received } = examination;
  const bytes = received.reduce((sum, { size }) => sum + size, 0);
  try {
    await statEvidence(image.paths);
    const concluded: readonly SegmentDigest[] = await run({ kind: 'hash-segments', image }, bytes);
    const now = await statEvidence(image.paths);
    return { concluded, differences: differences(received, now), refused: null };
  } catch (error) {
    if (!(error instanceof TaskError) || error.code === 'task.aborted' || !(error.final || isLastTry)) throw error;
    return { concluded: [], differences: [], refused: `the evidence could not be digested again: ${error.message}` };
  }
}

async function earlierResults({
  database,
  examination,
}: StepContext): Promise<{ media: HashMediaResult | null; survey: SurveyResult | null }> {
  const units = await unitsOf(database, examination.id, ['hash-media', 'survey']);
  const resultOf = (kind: string) => units.find((unit) => unit.kind === kind && unit.status === 'done')?.result ?? null;
  return { media: resultOf('hash-media') as HashMediaResult | null, survey: resultOf('survey') as SurveyResult | null };
}

const digestChanges = (received: readonly SegmentDigest[] | null, concluded: readonly SegmentDigest[]): string[] =>
  (received ?? []).flatMap(({ name, sha256 }, index) => {
    const now = concluded[index]?.sha256;
    return now === sha256 ? [] : [`${name}: SHA-256 at receipt ${sha256}, at the end ${now ?? 'none'}`];
  });

function compareStored(stored: readonly StoredHash[], media: HashMediaResult | null): Conclusion['storedHashes'] {
  return stored.map((hash) => {
    const computed = media?.media[hash.algorithm] ?? null;
    return { ...hash, computed, equal: computed === null ? null : computed === hash.value };
  });
}

function statements(
  catalogue: SealedCatalogue,
  concluded: readonly SegmentDigest[],
  received: readonly SegmentDigest[] | null,
): DigestStatement[] {
  const segments = concluded.map(({ name, sha256 }, index): DigestStatement => {
    const before = received?.[index]?.sha256;
    const result = before === undefined ? {} : { result: before === sha256 ? ('equal' as const) : ('different' as const) };
    return { scope: 'segment', name, algorithm: 'sha256', value: sha256, point: 'H5', ...result };
  });
  return [
    ...segments,
    { scope: 'catalogue', name: 'catalogue root', algorithm: 'sha256', value: catalogue.root, point: 'H5' },
    { scope: 'catalogue', name: 'entries.jsonl', algorithm: 'sha256', value: catalogue.sha256, point: 'H5' },
  ];
}
