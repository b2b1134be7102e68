/** The steps of an examination and what follows what: hash-media and survey, then list-files per volume, examine-files per batch, conclude. */
import { leafSize } from '../config.ts';
import { type ListedFile, type SegmentDigest, type SurveyResult, type VolumeReference } from '../evidence/task.ts';
import { insertProblem, insertVolumes } from '../store/catalogue.ts';
import { setExaminationStatus } from '../store/examinations.ts';
import { type UnitKind } from '../store/schema.ts';
import { type NewUnit } from '../store/units.ts';
import { singleFiles, unpack } from './collected.ts';
import { conclude } from './conclude.ts';
import { type DigestStatement, nothing, priorities, type StepContext, type StepOutcome } from './step.ts';
import { TaskError } from './task-error.ts';

export const steps: Readonly<Record<UnitKind, (context: StepContext) => Promise<StepOutcome>>> = {
  'hash-media': hashMedia,
  survey,
  'list-files': listFiles,
  'examine-files': examineFiles,
  conclude,
};

export const volumeOf = (context: StepContext): VolumeReference => (context.unit.input as { volume: VolumeReference }).volume;

/** What a file says `rowPrefix` is: every row starts with whose it is. */
export const rowPrefixOf = ({ examination, unit }: StepContext): string => `${examination.id}\t${unit.id}\t`;

/** A medium of zeros is about so many times the size of its container: deflate gives 1,032 bytes for one at most. */
const densestContainer = 1032;

const receivedBytes = ({ examination }: StepContext): number => examination.received.reduce((sum, { size }) => sum + size, 0);

const segmentDigests = (segments: readonly SegmentDigest[]): DigestStatement[] =>
  segments.map(({ name, sha256 }) => ({ scope: 'segment', name, algorithm: 'sha256', value: sha256, point: 'H1' }));

async function hashMedia(context: StepContext): Promise<StepOutcome> {
  const { examination, unit } = context;
  const { image } = examination;
  try {
    const result = await context.run({ kind: 'hash-media', image, leafSize }, receivedBytes(context) * densestContainer);
    const media = Object.entries(result.media).map(
      ([algorithm, value]): DigestStatement => ({ scope: 'media-stream', name: 'media', algorithm, value, point: 'H1' }),
    );
    return {
      status: 'done',
      result,
      counts: { mediaBytes: result.mediaSize, damagedBytes: result.damagedBytes, problems: result.problems.length },
      digests: [...media, ...segmentDigests(result.segments)],
      children: nothing,
      async write(client) {
        for (const problem of result.problems) {
          await insertProblem(client, examination.id, unit.id, { ...problem, at: problem.at ?? null });
        }
      },
    };
  } catch (error) {
    if (!(error instanceof TaskError && error.final)) throw error;
    return hashFilesOnly(context, error);
  }
}

/** The image cannot be opened as what it should be: its files are digested as they are. */
async function hashFilesOnly(context: StepContext, error: TaskError): Promise<StepOutcome> {
  const { examination, unit } = context;
  const segments = await context.run({ kind: 'hash-segments', image: examination.image }, receivedBytes(context));
  const message = `the medium could not be digested, only the image's files: ${error.message}`;
  return {
    status: 'done',
    reason: error.message,
    result: { mediaSize: 0, media: {}, leaves: [], segments, damagedBytes: 0, problems: [] },
    counts: { mediaBytes: 0, problems: 1 },
    digests: segmentDigests(segments),
    children: nothing,
    write: (client) =>
      insertProblem(client, examination.id, unit.id, { locator: 'image:', code: error.code, message, at: null, hidesEvidence: true }),
  };
}

async function survey(context: StepContext): Promise<StepOutcome> {
  const { examination, unit } = context;
  const result = await context.run({ kind: 'survey', image: examination.image, rowPrefix: rowPrefixOf(context) }, receivedBytes(context));
  const { volumes, ...facts } = result;
  return {
    status: 'done',
    result: facts,
    counts: { mediaBytes: result.mediaSize, volumes: volumes.filter(({ kind }) => kind === 'volume').length, problems: result.problems },
    digests: [],
    children: volumes.flatMap(listingUnit),
    write: (client) => insertVolumes(client, examination.id, unit.id, volumes),
  };
}

function listingUnit({ locator, offset, length, fileSystem }: SurveyResult['volumes'][number]): NewUnit[] {
  if (fileSystem === null) return [];
  const volume: VolumeReference = { locator, offset, length, fileSystem: fileSystem.name };
  return [{ kind: 'list-files', priority: priorities['list-files'], input: { volume } }];
}

async function listFiles(context: StepContext): Promise<StepOutcome> {
  const { examination, collected } = context;
  const volume = volumeOf(context);
  const { image, profile } = examination;
  const task = { kind: 'list-files', image, volume, profile, rowPrefix: rowPrefixOf(context) } as const;
  const result = await context.run(task, volume.length);
  return { status: 'done', result, counts: { ...result }, digests: [], children: examiningUnits(collected.groups(), volume) };
}

async function* examiningUnits(
  groups:
    | AsyncIterable<{ payload: Uint8Array; count: number; bytes: number }>
    | Iterable<{ payload: Uint8Array; count: number; bytes: number }>,
  volume: VolumeReference,
): AsyncIterable<NewUnit> {
  for await (const { payload, count, bytes } of groups) {
    yield { kind: 'examine-files', priority: priorities['examine-files'], input: { volume }, payload, files: count, bytes };
  }
}

async function examineFiles(context: StepContext): Promise<StepOutcome> {
  const result = await runExamineFiles(context);
  return { status: 'done', result, counts: { ...result }, digests: [], children: nothing };
}

async function runExamineFiles(context: StepContext, untouchedBecause?: string) {
  const { examination, unit } = context;
  if (unit.payload === null) throw new TaskError('unit.no-payload', 'the unit has no list of files', true);
  const files = await unpack(unit.payload);
  const { image, profile } = examination;
  const task = { kind: 'examine-files', image, volume: volumeOf(context), profile, files, rowPrefix: rowPrefixOf(context) } as const;
  const bytes = Number(unit.bytes) + profile.limits.unpackedBytes;
  return context.run(untouchedBecause === undefined ? task : { ...task, untouchedBecause }, bytes);
}

/** A batch that fails again and again: each of its files becomes a unit of its own, so that one bad file cannot hide the others. */
export async function split(context: StepContext): Promise<StepOutcome> {
  const { unit } = context;
  const reason = unit.reason ?? (unit.losses > 0 ? `its worker was lost ${unit.losses} times` : 'a batch may not fail even once');
  const groups = await singleFiles(unit.payload!, (file: ListedFile) => Number((file.record as { size?: number }).size ?? 0));
  return {
    status: 'split',
    reason,
    result: { files: groups.length },
    counts: { files: groups.length },
    digests: [],
    children: examiningUnits(groups, volumeOf(context)),
  };
}

/** Given up: the reason stands in the ledger, in the report and with everything concerned; the examination goes on. */
export async function quarantine(context: StepContext, reason: string): Promise<StepOutcome> {
  const { unit } = context;
  if (unit.kind !== 'examine-files') return abandon(context, reason);
  const result = await runExamineFiles(context, `${unit.kind} given up: ${reason}`);
  return { status: 'quarantined', reason, result, counts: { ...result }, digests: [], children: nothing };
}

/** Given up without a look at the unit's files: nothing is left that could fail. Without a conclusion the examination itself has failed. */
export async function abandon(context: StepContext, reason: string): Promise<StepOutcome> {
  const { unit, examination } = context;
  const inVolume = unit.kind === 'list-files' || unit.kind === 'examine-files';
  const locator = inVolume ? volumeOf(context).locator : 'image:';
  const missing = unit.kind === 'examine-files' ? `, ${unit.files} of its files are not in the catalogue` : '';
  const message = `${unit.kind} given up${missing}: ${reason}`;
  return {
    status: 'quarantined',
    reason,
    result: null,
    counts: unit.kind === 'examine-files' ? { files: unit.files, problems: 1 } : { problems: 1 },
    digests: [],
    children: nothing,
    async write(client) {
      await insertProblem(client, examination.id, unit.id, { locator, code: 'unit.quarantined', message, at: null, hidesEvidence: true });
      if (unit.kind === 'conclude') await setExaminationStatus(client, examination.id, 'failed');
    },
  };
}
