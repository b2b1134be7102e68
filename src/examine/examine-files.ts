/** Examines files in one read each: digests, type by content, metadata, and what is inside archives. */
import { type ByteSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type FileSystem } from '../evidence/file-system.ts';
import { type Image } from '../evidence/image.ts';
import { Budget } from '../evidence/limits.ts';
import { type ExamineFilesResult, type ListedFile, type Profile } from '../evidence/task.ts';
import { extractors } from '../formats.ts';
import { type Content, digestSource } from './content.ts';
import { type EntryRecord, entryRow } from './entry-record.ts';
import { extensionMismatch, identify } from './identify.ts';
import { type Outlet } from './outlet.ts';
import { type LocatedProblems } from './problems.ts';
import { unfold } from './unfold.ts';

export interface Examination {
  readonly profile: Profile;
  readonly outlet: Outlet;
  readonly problems: LocatedProblems;
  readonly counts: { entries: number; files: number; bytes: number };
}

/** `open` gives the file system anew: one that has met damage in its tables keeps it, and would tell of it with the first file only. */
export async function examineFiles(
  image: Image,
  open: () => FileSystem,
  payload: Uint8Array,
  examination: Examination,
): Promise<ExamineFilesResult> {
  const { outlet, problems, counts } = examination;
  const { locate } = problems;
  let fileSystem: FileSystem | null = null;
  for (const line of new TextDecoder().decode(payload).split('\n')) {
    if (line === '') continue;
    const file = JSON.parse(line) as ListedFile;
    const record = file.record as unknown as EntryRecord;
    problems.locate = () => record.locator;
    fileSystem ??= open();
    const opened = image.damage.bytes;
    const content = openContent(fileSystem, file.address, problems);
    const found = image.damage.bytes;
    if (found > opened) {
      const message = `${found - opened} bytes of the tables that say where its content lies come from damaged parts of the image`;
      problems.add({ code: 'content.damaged', message, hidesEvidence: true });
      fileSystem = null;
    }
    await examineContent(record, content, new Budget(examination.profile.limits), examination, () => image.damage.bytes - found);
    outlet.progress(0, 1);
    await outlet.flush();
  }
  problems.locate = locate;
  problems.close();
  await outlet.flush(true);
  return { ...counts, problems: problems.total };
}

/** For a quarantined unit: every file stands in the catalogue as listed, with the reason why its content was left alone. */
export async function recordUntouched(
  payload: Uint8Array,
  reason: string,
  { outlet, problems, counts }: Examination,
): Promise<ExamineFilesResult> {
  const { locate } = problems;
  for (const line of new TextDecoder().decode(payload).split('\n')) {
    if (line === '') continue;
    const { record } = JSON.parse(line) as ListedFile;
    const listed = record as unknown as EntryRecord;
    problems.locate = () => listed.locator;
    problems.add({ code: 'unit.quarantined', message: reason, hidesEvidence: true });
    outlet.addEntry(entryRow(withProblems(listed, problems)));
    counts.entries++;
    await outlet.flush();
  }
  problems.locate = locate;
  problems.close();
  await outlet.flush(true);
  return { ...counts, problems: problems.total };
}

function openContent(fileSystem: FileSystem, address: string, problems: LocatedProblems): ByteSource | null {
  try {
    return fileSystem.content(address);
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof ReadError)) throw error;
    problems.add({ code: 'content.unreadable', message: `content could not be opened: ${error.message}`, hidesEvidence: true });
    return null;
  }
}

/** Examines one content, of a file or of an archive's member, and everything inside it; adds its row last, when its problems are known. */
export async function examineContent(
  record: EntryRecord,
  source: ByteSource | null,
  budget: Budget,
  examination: Examination,
  damaged: () => number = () => 0,
): Promise<void> {
  const { outlet, problems, profile, counts } = examination;
  const content = source === null ? null : digestSource(source, profile.digests, problems, (bytes) => outlet.progress(bytes, 0));
  let found: Partial<EntryRecord> = {};
  if (content !== null && source !== null) {
    counts.bytes += content.read;
    const bytes = Math.min(damaged(), content.read); // damage is counted by chunks, and a chunk may hold more than this file
    if (bytes > 0) {
      const message = `${bytes} bytes of its content come from damaged parts of the image`;
      problems.add({ code: 'content.damaged', message, hidesEvidence: true });
    }
    found = await describe(record, source, content, budget, examination);
  }
  counts.entries++;
  counts.files++;
  outlet.addEntry(entryRow(withProblems({ ...record, ...found }, problems)));
}

async function describe(
  record: EntryRecord,
  source: ByteSource,
  content: Content,
  budget: Budget,
  examination: Examination,
): Promise<Partial<EntryRecord>> {
  const { problems } = examination;
  const identity = await identify(content.head, source.size);
  const extension = extensionOf(record.name);
  if (record.size > 0 && identity !== null && extensionMismatch(extension, identity)) {
    problems.add({ code: 'type.mismatch', message: `named .${extension}, the content is ${identity.mediaType}` });
  }
  const mediaType = identity?.mediaType ?? 'application/octet-stream';
  const extracted = await extractFacts(mediaType, source, problems);
  const unfolded = await unfold({ record, mediaType, content, source, budget, examination });
  const facts = { ...record.facts, ...extracted, ...unfolded };
  return {
    mediaType,
    digests: content.digests,
    ...(content.read === record.size ? {} : { contentSize: content.read }),
    ...(Object.keys(facts).length > 0 ? { facts } : {}),
  };
}

async function extractFacts(mediaType: string, source: ByteSource, problems: LocatedProblems): Promise<Record<string, unknown>> {
  const facts: Record<string, unknown> = {};
  for (const extractor of extractors) {
    if (extractor.accepts(mediaType)) Object.assign(facts, await extractor.extract(source, problems));
  }
  return facts;
}

const extensionOf = (name: string): string => /\.([^./\\]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? '';

export function withProblems(record: EntryRecord, problems: LocatedProblems): EntryRecord {
  const codes = [...new Set([...(record.problems ?? []), ...problems.takeCodes(record.locator)])].sort();
  return codes.length === 0 ? record : { ...record, problems: codes };
}
