/** ZIP. The directory is read with yauzl, names are judged and members unpacked here. Spec: PKWARE APPNOTE.TXT 6.3.10. */
import { type ByteSource, cachedSource } from '../bytes/source.ts';
import { safeText } from '../bytes/text.ts';
import { type Archive, type ArchiveFormat, type Member } from '../evidence/archive.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type Budget } from '../evidence/limits.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { cp437 } from './zip/cp437.ts';
import { type Directory, type DirectoryEntry, entriesOf, openDirectory } from './zip/directory.ts';
import { endsWithRecord } from './zip/end-record.ts';
import { dataEndOf, findLocalHeaders, localHeaderSize } from './zip/local-headers.ts';
import { memberOf } from './zip/member.ts';
import { createRanges, type Range } from './zip/ranges.ts';
import { unpack } from './zip/unpack.ts';

export const zip: ArchiveFormat = {
  name: 'zip',
  label: 'ZIP',
  mediaTypes: [
    'application/zip',
    'application/java-archive',
    'application/vnd.android.package-archive',
    'application/epub+zip',
    'application/vnd.oasis.opendocument.text',
    'application/vnd.oasis.opendocument.spreadsheet',
    'application/vnd.oasis.opendocument.presentation',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  ],
  hangsOn: endsWithRecord,
  open: openZip,
};

async function openZip(given: ByteSource, budget: Budget, problems: ProblemLog): Promise<Archive> {
  const source = cachedSource(given);
  const directory = await openDirectory(source, problems);
  if (directory === null && isEmpty(findLocalHeaders(source, [{ start: 0, end: source.size }], silent))) {
    throw new FormatError('zip.directory', 'neither a directory nor any member can be made out');
  }
  const entries = new WeakMap<Member, DirectoryEntry>();
  async function* members(): AsyncIterable<Member> {
    let index = 0;
    for await (const entry of allEntries(source, directory, problems)) {
      const member = memberOf(entry, index++);
      entries.set(member, entry);
      yield member;
    }
  }
  return {
    facts: factsOf(directory),
    members,
    content(member) {
      const entry = entries.get(member);
      if (entry === undefined) throw new FormatError('zip.member', `member ${member.index}: not of this archive`);
      return unpack(source, entry, budget, problems);
    },
  };
}

const silent: ProblemLog = { add: () => undefined }; // the listing goes over the same bytes again, and tells

const isEmpty = (entries: Iterable<DirectoryEntry>): boolean => entries[Symbol.iterator]().next().done === true;

function factsOf(directory: Directory | null): Archive['facts'] {
  if (directory === null) return { directory: 'missing' };
  const { file, record } = directory;
  const comment = safeText(cp437(record.comment)).slice(0, longestComment).toWellFormed();
  return { members: Math.min(file.entryCount, Number.MAX_SAFE_INTEGER), ...(comment === '' ? {} : { comment }) };
}

const longestComment = 1024;

/** Those of the directory, then those that are found by their own headers where neither the directory nor any member that it lists lies. */
async function* allEntries(source: ByteSource, directory: Directory | null, problems: ProblemLog): AsyncIterable<DirectoryEntry> {
  const ranges = createRanges(); // as many as the budget allows entries
  if (directory !== null) {
    for await (const entry of entriesOf(directory, problems)) {
      const start = entry.localHeaderOffset;
      const end = tryDataEnd(source, entry, problems);
      if (end !== null) ranges.add(start, end);
      yield entry;
    }
    const overlapping = ranges.overlapping();
    if (overlapping > 0) {
      const message = `${overlapping} members lie over one another in the file: together they unpack to more than it holds`;
      problems.add({ code: 'zip.overlap', message });
    }
    ranges.add(directory.record.directoryAt, directory.record.end);
    tellOfSecond(directory, ranges.gaps(source.size, 1), problems);
  }
  let unlisted = 0;
  for (const entry of findLocalHeaders(source, ranges.gaps(source.size, localHeaderSize + 1), problems)) {
    unlisted++;
    yield entry;
  }
  if (directory !== null && unlisted > 0) {
    const message = `${unlisted} members stand in the file of which its directory tells nothing: found by their own headers`;
    problems.add({ code: 'zip.unlisted', message });
  }
}

function tellOfSecond({ record, second }: Directory, gaps: IteratorObject<Range>, problems: ProblemLog): void {
  if (second === undefined || !gaps.some(({ start, end }) => second.at >= start && second.at < end)) return;
  const message = `two directories: their end records stand at bytes ${second.at} and ${record.at}; the later one is read, other members are looked for by their own headers`;
  problems.add({ code: 'zip.directories', message, at: second.at });
}

/** Null where the member's own header is not at its place: reading its content tells of it. */
function tryDataEnd(source: ByteSource, entry: DirectoryEntry, problems: ProblemLog): number | null {
  try {
    return dataEndOf(source, entry);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({
      code: 'read.bad-sector',
      message: `header of a member: ${error.message}`,
      at: entry.localHeaderOffset,
      hidesEvidence: true,
    });
    return entry.localHeaderOffset + localHeaderSize + entry.nameRaw.length + entry.compressedSize;
  }
}
