/** Unfolds archives: every member becomes an entry of its own, members that are archives unfold in turn, all within one budget. */
import { type ByteSource } from '../bytes/source.ts';
import { type Archive, type ArchiveFormat, type Member } from '../evidence/archive.ts';
import { type Budget } from '../evidence/limits.ts';
import { childLocator, type Locator } from '../evidence/locator.ts';
import { archives } from '../formats.ts';
import { type EntryRecord, entryRow, recordOfMember } from './entry-record.ts';
import { type Examination, examineContent, spoolMember, withProblems } from './examine-files.ts';
import { isExpected } from './expected-error.ts';
import { type Identity } from './identify.ts';

/** What hinders the whole archive is a problem at the archive's own locator; what hinders one member stands at the member's. */
export async function unfold(
  record: EntryRecord,
  identity: Identity,
  source: ByteSource,
  budget: Budget,
  examination: Examination,
): Promise<void> {
  const format = archives.find(({ mediaTypes }) => mediaTypes.includes(identity.mediaType));
  if (format === undefined) return;
  const { problems } = examination;
  const outerLocate = problems.locate;
  try {
    const inner = budget.nested();
    const archive = await format.open(source, inner, problems);
    const used = new Set<string>(); // as many as the budget allows entries
    for await (const member of archive.members()) {
      inner.spendEntry();
      await takeMember({ record, format, archive, member, budget: inner, examination, used });
      problems.locate = outerLocate;
      await examination.outlet.flush();
    }
  } catch (error) {
    if (!isExpected(error)) throw error;
    problems.locate = outerLocate;
    problems.add({ code: error.code, message: `not everything inside was examined: ${error.message}`, hidesEvidence: true });
  } finally {
    problems.locate = outerLocate;
  }
}

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
  const locator = memberLocator(record.locator, format.name, member, used);
  const listed = recordOfMember(member, `${record.path}/${member.path}`, locator);
  problems.locate = () => locator;
  if (member.type !== 'file') {
    outlet.addEntry(entryRow(withProblems(listed, problems)));
    counts.entries++;
    return;
  }
  const spool = spoolMember(archive.content(member), budget);
  try {
    if (spool.error !== null) {
      if (!isExpected(spool.error)) throw spool.error;
      problems.add({ code: spool.error.code, message: `content of the member: ${spool.error.message}`, hidesEvidence: true });
    }
    const nothing = spool.error !== null && spool.source.size === 0;
    await examineContent(listed, nothing ? null : spool.source, budget, examination);
  } finally {
    spool.close();
  }
}

/** A path that stands twice in one archive gets the member's place in the directory behind it. */
export function memberLocator(archive: Locator, format: string, member: Member, used: Set<string>): Locator {
  let locator = childLocator(archive, format, member.path);
  for (let signs = 1; used.has(locator); signs++) {
    locator = childLocator(archive, format, `${member.path}${'@'.repeat(signs)}${member.index}`);
  }
  used.add(locator);
  return locator;
}
