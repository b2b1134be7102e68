/** ZIP. The directory is read with yauzl, names are judged and members unpacked here. Spec: PKWARE APPNOTE.TXT 6.3.10. */
import { type ByteSource, cachedSource } from '../bytes/source.ts';
import { type Archive, type ArchiveFormat, type Member } from '../evidence/archive.ts';
import { FormatError } from '../evidence/errors.ts';
import { type Budget } from '../evidence/limits.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { type DirectoryEntry, entriesOf, openDirectory } from './zip/directory.ts';
import { findLocalHeaders } from './zip/local-headers.ts';
import { memberOf } from './zip/member.ts';
import { createOverlaps } from './zip/overlaps.ts';
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
  open: openZip,
};

async function openZip(given: ByteSource, budget: Budget, problems: ProblemLog): Promise<Archive> {
  const source = cachedSource(given);
  const directory = await openDirectory(source, problems);
  const first = directory === null ? findLocalHeaders(source, new Set())[Symbol.iterator]().next() : null;
  if (first?.done === true) throw new FormatError('zip.directory', 'neither a directory nor any member can be made out');
  const entries = new WeakMap<Member, DirectoryEntry>();
  async function* members(): AsyncIterable<Member> {
    const overlaps = createOverlaps();
    const listed = new Set<number>(); // as many as the budget allows entries
    let index = 0;
    for await (const entry of allEntries(source, directory, listed, problems)) {
      listed.add(entry.localHeaderOffset);
      const member = memberOf(entry, index++, problems);
      overlaps.add(entry.localHeaderOffset, entry.localHeaderOffset + 30 + entry.nameRaw.length + entry.compressedSize);
      entries.set(member, entry);
      yield member;
    }
    const overlapping = overlaps.count();
    if (overlapping > 0) {
      problems.add({
        code: 'zip.overlap',
        message: `${overlapping} members lie over one another in the file: it was made to unpack to more than it holds`,
      });
    }
  }
  return {
    facts: directory === null ? { directory: 'missing' } : { members: directory.entryCount },
    members,
    content(member) {
      const entry = entries.get(member);
      if (entry === undefined) throw new FormatError('zip.member', `member ${member.index}: not of this archive`);
      return unpack(source, entry, budget, problems);
    },
  };
}

/** Those of the directory; where it breaks off or is missing, those that are found by their own headers. */
async function* allEntries(
  source: ByteSource,
  directory: Awaited<ReturnType<typeof openDirectory>>,
  listed: ReadonlySet<number>,
  problems: ProblemLog,
): AsyncIterable<DirectoryEntry> {
  let whole = false;
  if (directory !== null) {
    const state = { whole: false };
    yield* entriesOf(directory, state, problems);
    whole = state.whole;
  }
  if (!whole) yield* findLocalHeaders(source, listed);
}
