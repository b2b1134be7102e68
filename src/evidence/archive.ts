/** An archive: a file that holds members. */
import { type ByteSource } from '../bytes/source.ts';
import { type FoundName } from '../bytes/text.ts';
import { type EntryTime } from './file-system.ts';
import { type Budget } from './limits.ts';
import { type Problem, type ProblemLog } from './problem.ts';

export interface ArchiveFormat {
  /** Stands in locators: never renamed. */
  readonly name: string;
  readonly label: string;
  /** Media types (as `identify` gives them) that this reader opens. */
  readonly mediaTypes: readonly string[];
  /** True when such an archive ends with these last bytes of a file, which begins as something else. */
  readonly hangsOn?: (tail: Uint8Array) => boolean;
  /** Throws FormatError when no directory of members can be read. */
  open(source: ByteSource, budget: Budget, problems: ProblemLog): Promise<Archive>;
}

export interface Archive {
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** In the order of the archive's own directory. A hostile name is a problem of its member, which is still listed. */
  members(): AsyncIterable<Member> | Iterable<Member>;
  /**
   * The unpacked content in pieces, each valid until the next is asked for. Spends the budget for what it really produces (never what headers claim).
   * Throws LimitError when the budget is spent, FormatError when the member cannot be unpacked (encrypted, unknown method, damaged).
   */
  content(member: Member): Iterable<Uint8Array>;
}

export interface Member {
  /** Place in the archive's directory, from 0. */
  readonly index: number;
  readonly name: FoundName;
  /** `name` as a relative path with `/`, made harmless for display (no leading `/`, no `..` steps, no drive): only shown, never opened on this machine. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** As the header claims: not trusted. */
  readonly claimedSize: number;
  readonly times: readonly EntryTime[];
  readonly mode?: number;
  readonly encrypted: boolean;
  /** What is wrong with its entry in the directory: whoever lists members adds these at the member's own place. */
  readonly problems: readonly Problem[];
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}
