/** Unfolds archives: every member becomes an entry of its own, members that are archives unfold in turn, all within one budget. */
import { createHash } from 'node:crypto';
import { type ByteSource } from '../bytes/source.ts';
import { nameFromUtf8 } from '../bytes/text.ts';
import { type Archive, type ArchiveFormat, type Member } from '../evidence/archive.ts';
import { type Budget } from '../evidence/limits.ts';
import { childLocator, type Locator } from '../evidence/locator.ts';
import { archives } from '../formats.ts';
import { type Content, spoolOf } from './content.ts';
import { type EntryRecord, entryRow, recordOfMember } from './entry-record.ts';
import { type Examination, examineContent, withProblems } from './examine-files.ts';
import { isExpected } from './expected-error.ts';
import { type LocatedProblems } from './problems.ts';

interface Unfolded {
  readonly record: EntryRecord;
  readonly mediaType: string;
  readonly content: Content;
  readonly source: ByteSource;
  readonly budget: Budget;
  readonly examination: Examination;
}

/**
 * What hinders the whole archive is a problem at the archive's own locator; what hinders one member stands at the member's.
 * Gives what the archive says of itself.
 */
export async function unfold({ record, mediaType, content, source, budget, examination }: Unfolded): Promise<Record<string, unknown>> {
  const { problems } = examination;
  const format = formatOf(mediaType, content, problems);
  if (format === undefined) return {};
  const outerLocate = problems.locate;
  try {
    const inner = budget.nested(keyOf(content, record.locator));
    const archive = await format.open(source, inner, problems);
    const used = new Set<string>(); // as many as the budget allows entries
    for await (const member of archive.members()) {
      inner.spendEntry();
      await takeMember({ record, format, archive, member, budget: inner, examination, used });
      problems.locate = outerLocate;
      await examination.outlet.flush();
    }
    return Object.fromEntries(Object.entries(archive.facts).map(([name, value]) => [`${format.name}.${name}`, value]));
  } catch (error) {
    if (!isExpected(error)) throw error;
    problems.locate = outerLocate;
    problems.add({ code: error.code, message: `not everything inside was examined: ${error.message}`, hidesEvidence: true });
    return {};
  } finally {
    problems.locate = outerLocate;
  }
}

/** By the content's type; else by its last bytes: an archive that hangs on a file of another type is a problem, and is looked into. */
function formatOf(mediaType: string, { tail }: Content, problems: LocatedProblems): ArchiveFormat | undefined {
  const known = archives.find(({ mediaTypes }) => mediaTypes.includes(mediaType));
  if (known !== undefined) return known;
  const appended = archives.find(({ hangsOn }) => hangsOn?.(tail) === true);
  if (appended !== undefined)
    problems.add({ code: 'archive.appended', message: `the content is ${mediaType}, and a ${appended.label} archive hangs on its end` });
  return appended;
}

/** Equal for equal contents; without a digest no two contents are known to be equal. */
const keyOf = ({ digests }: Content, locator: Locator): string => digests.sha256 ?? Object.values(digests)[0] ?? locator;

interface Taken {
  readonly record: EntryRecord;
  readonly format: ArchiveFormat;
  readonly archive: Archive;
  readonly member: Member;
  readonly budget: Budget;
  readonly examination: Examination;
  readonly used: Set<string>;
}

async function takeMember({ record, format, archive, member, budget, examination, used }: Taken): Promise<void> {
  const { problems, outlet, counts } = examination;
  const { locator, again } = memberLocator(record.locator, format.name, member, used);
  const listed = recordOfMember(member, `${record.path}/${member.path}`, locator);
  problems.locate = () => locator;
  for (const problem of member.problems) problems.add(problem);
  if (again) problems.add({ code: 'archive.name-twice', message: 'another member of the archive has the same path' });
  if (member.type === 'symlink' || (member.type === 'directory' && member.claimedSize === 0)) {
    const target = member.type === 'symlink' ? targetOf(archive.content(member), problems) : {};
    outlet.addEntry(entryRow(withProblems({ ...listed, ...target }, problems)));
    counts.entries++;
    return;
  }
  if (member.type === 'directory')
    problems.add({ code: 'archive.directory-content', message: 'a directory that has content, which is examined as that of a file' });
  const spool = spoolOf(archive.content(member), () => outlet.progress(0, 0)); // large members take long until they are digested
  try {
    if (spool.error !== null) tellOf(spool.error, problems);
    const nothing = spool.error !== null && spool.source.size === 0;
    await examineContent(listed, nothing ? null : spool.source, budget, examination);
  } finally {
    spool.close();
  }
}

function tellOf(error: unknown, problems: LocatedProblems): void {
  if (!isExpected(error)) throw error;
  problems.add({ code: error.code, message: `content of the member: ${error.message}`, hidesEvidence: true });
}

const longestTarget = 4096;

/** Where a symbolic link points to: its content, as far as any system would follow it. */
function targetOf(pieces: Iterable<Uint8Array>, problems: LocatedProblems): Pick<EntryRecord, 'target' | 'targetRaw'> {
  let bytes = new Uint8Array(0);
  try {
    for (const piece of pieces) {
      bytes = Uint8Array.from([...bytes, ...piece.subarray(0, longestTarget + 1)]);
      if (bytes.length > longestTarget) {
        problems.add({
          code: 'archive.link-long',
          message: `a symbolic link of more than ${longestTarget} bytes: the rest was not read`,
          hidesEvidence: true,
        });
        break;
      }
    }
  } catch (error) {
    tellOf(error, problems);
  }
  const { text, raw } = nameFromUtf8(bytes.subarray(0, longestTarget));
  if (/^([\\/]|[A-Za-z]:)|(^|[\\/])\.\.([\\/]|$)/.test(text))
    problems.add({ code: 'archive.link-outside', message: 'a symbolic link that leads out of the archive; it was not followed' });
  return { target: text, ...(raw === undefined ? {} : { targetRaw: raw }) };
}

/** A path that stands twice in one archive gets the member's place in the directory behind it. */
export function memberLocator(archive: Locator, format: string, member: Member, used: Set<string>): { locator: Locator; again: boolean } {
  let locator = boundedLocator(archive, format, member.path);
  let again = false;
  for (let signs = 1; used.has(short(locator)); signs++) {
    again = true;
    locator = boundedLocator(archive, format, `${member.path}${'@'.repeat(signs)}${member.index}`);
  }
  used.add(short(locator));
  return { locator, again };
}

/**
 * An index of PostgreSQL takes about 2,670 bytes of text (btree, a third of a page). Eight archives deep it is at most this and seven times 185:
 * 16 characters of up to nine bytes when escaped, 35 bytes behind them, 6 before.
 */
const longestLocator = 1000;

/** A longer path is named by its beginning and its digest; the record holds all of it. */
function boundedLocator(archive: Locator, format: string, path: string): Locator {
  const locator = childLocator(archive, format, path);
  if (Buffer.byteLength(locator) <= longestLocator) return locator;
  return childLocator(archive, format, `${path.slice(0, 16)}...${createHash('sha256').update(path).digest('hex').slice(0, 32)}`);
}

/** Names may have 65,535 bytes each: long ones are remembered by their digest. */
const short = (locator: Locator): string => (locator.length <= 256 ? locator : createHash('sha256').update(locator).digest('base64'));
