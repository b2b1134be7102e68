/** The Sleuth Kit as a witness of listings: its entries, and where it and we differ for a known reason. */
import { createHash } from 'node:crypto';
import { type ByteSource } from '../../src/bytes/source.ts';
import { FormatError, ReadError } from '../../src/evidence/errors.ts';
import { type Entry, type FileSystem, type FileSystemFormat } from '../../src/evidence/file-system.ts';
import { ext } from '../../src/filesystems/ext.ts';
import { fat } from '../../src/filesystems/fat.ts';
import { keepProblems } from '../support/problems.ts';

/** One line of `fls -r -p -m`, or one entry of the corpus. Times are seconds, 0 for none. */
export interface Witnessed {
  readonly path: string;
  readonly address: string;
  readonly mode: string;
  readonly size: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly accessed: number;
  readonly modified: number;
  readonly changed: number;
  readonly created: number;
  readonly target?: string;
  readonly deleted?: boolean;
  readonly sha256?: string | null;
}

export function open(source: ByteSource) {
  const format = [ext, fat].find((candidate) => candidate.recognises(source)) as FileSystemFormat;
  const problems = keepProblems();
  const fileSystem = format.open(source, problems);
  return { format, problems, fileSystem, entries: [...fileSystem.entries()] };
}

export function sha256Of(content: ByteSource): string {
  const hash = createHash('sha256');
  for (let at = 0; at < content.size; at += 1 << 20) hash.update(content.read(at, 1 << 20));
  return hash.digest('hex');
}

/** The lines of `fls -r -p -m ''`, without the virtual files that the Sleuth Kit makes up. */
export function parseBodyFile(text: string): Witnessed[] {
  const entries: Witnessed[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const fields = line.split('|');
    const [address, mode, uid, gid, size, accessed, modified, changed, created] = fields.slice(-9) as [string, ...string[]];
    const named = /^(.*?)( \(Volume Label Entry\))?( -> (.*?))?( \(deleted(?:-realloc)?\))?$/s.exec(fields.slice(1, -9).join('|').slice(1));
    const [, path, , , target, deleted] = named as unknown as string[];
    if (/^\$(MBR|FAT\d|OrphanFiles)$/.test(path!)) continue;
    const numbers = { uid: Number(uid), gid: Number(gid), size: Number(size), accessed: Number(accessed), modified: Number(modified) };
    const rest = { changed: Number(changed), created: Number(created), ...(target === undefined ? {} : { target }) };
    entries.push({ path: path!, address, mode: mode!, ...numbers, ...rest, deleted: deleted !== undefined });
  }
  return entries;
}

const letters: Readonly<Record<string, Entry['type']>> = {
  r: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  c: 'character-device',
  b: 'block-device',
  h: 'socket',
  s: 'socket',
};

export const seconds = (entry: Entry, kind: string): number => {
  const found = entry.times.find((time) => time.kind === kind);
  return found === undefined
    ? 0
    : Number((found.time.ns - (((found.time.ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n);
};

const fraction = (entry: Entry, kind: string): bigint | undefined => {
  const found = entry.times.find((time) => time.kind === kind);
  return found && found.time.ns % 1_000_000_000n;
};

/** The Sleuth Kit prints control characters as `^`; so it does with bytes of an unknown code page in short names of FAT, see `isMasked`. */
const shown = ({ path }: Entry): string => path.replace(/[\u0001-\u001f]/g, '^');
const addressOf = (entry: Entry): string => entry.address.split('-')[0]!;
const keyOf = (path: string, address: string, deleted: boolean): string => `${path.trimEnd()} @${address}${deleted ? ' deleted' : ''}`;

/** Every difference between our list and the Sleuth Kit's for which no reason is known. */
export function differences(entries: readonly Entry[], witnessed: readonly Witnessed[], fileSystem: FileSystem): string[] {
  const found: string[] = [];
  const ours = new Map(entries.map((entry) => [keyOf(shown(entry), addressOf(entry), !entry.nameAllocated), entry]));
  for (const theirs of witnessed) {
    const key = keyOf(theirs.path, theirs.address, theirs.deleted === true);
    const entry = ours.get(key) ?? otherName(entries, theirs);
    if (entry === undefined) {
      if (!isGhost(theirs) && !isSecond(theirs, witnessed, entries)) found.push(`only the Sleuth Kit: ${key}`);
      continue;
    }
    ours.delete(keyOf(shown(entry), addressOf(entry), !entry.nameAllocated));
    found.push(...differing(entry, theirs, fileSystem).map((what) => `${key}: ${what}`));
  }
  return [...found, ...[...ours.keys()].map((key) => `only ours: ${key}`)];
}

/** Slack of a split hash-tree block that it takes for a record, with control characters for a name: no name was ever that. */
const isGhost = ({ path, deleted, mode }: Witnessed): boolean => deleted === true && /(^|\/)\^+$/.test(path) && mode === '-/----------';

/** FAT: entries of deleted directories it lists in their directory and once more among the orphans; we list each once. */
const isSecond = (theirs: Witnessed, all: readonly Witnessed[], entries: readonly Entry[]): boolean =>
  theirs.path.startsWith('$OrphanFiles/') &&
  entries.some(({ address }) => address === theirs.address) &&
  all.some(({ address, path }) => address === theirs.address && path !== theirs.path);

/** FAT: it cuts names after 255 bytes; of entries that it found in free clusters, and so of all above them in a path, it knows the short names only. */
function otherName(entries: readonly Entry[], theirs: Witnessed): Entry | undefined {
  return entries.find((entry) => {
    if (entry.address !== theirs.address || entry.nameAllocated !== !theirs.deleted) return false;
    if (theirs.path.length > 200 && entry.path.startsWith(theirs.path)) return true;
    const [ours, others] = [entry.path.split('/'), theirs.path.split('/')];
    if (ours.length !== others.length) return false;
    const last = others.length - 1;
    const names = [entry.name.text, String(entry.facts?.shortName)];
    const isOrphan = ours[0] === '$OrphanFiles';
    return others.every((name, at) => (at === last ? names.some((own) => isMasked(own, name)) : isOrphan || isMasked(ours[at]!, name)));
  });
}

/** Equal but for the characters that it shows as `^`. */
const isMasked = (own: string, theirs: string): boolean =>
  own.length === theirs.length && [...theirs].every((character, at) => character === '^' || character === [...own][at]);

function differing(entry: Entry, theirs: Witnessed, { facts }: FileSystem): string[] {
  const isFat = String(facts.type).startsWith('FAT');
  // an inode or a name that serves something else now: we do not claim its metadata for the old name
  if (entry.facts?.reallocatedInode !== undefined || theirs.address === '0') return [];
  const said: string[] = [];
  const compare = (what: string, a: unknown, b: unknown) => (a === b ? 0 : said.push(`${what} ${a}, the Sleuth Kit has ${b}`));
  if (entry.type !== 'volume-label') compare('type', entry.type, letters[theirs.mode[2]!] ?? 'unknown');
  if (entry.type === 'file' || (!isFat && entry.type === 'directory')) compare('size', entry.size, theirs.size); // FAT gives directories no size
  for (const kind of ['accessed', 'modified', 'changed', 'created'] as const) {
    if (kind === 'created' && (facts.type === 'ext2' || facts.type === 'ext3')) continue; // it looks for it in ext4 only; debugfs shows it
    // FAT: 100 hundredths are a second (fatgen103: 0 to 199); it adds one only above 100
    if (kind === 'created' && isFat && seconds(entry, kind) === theirs[kind] + 1 && fraction(entry, kind) === 0n) continue;
    // it takes the seconds as 32 bits without a sign and without ext4's two bits of the epoch
    compare(kind, ((seconds(entry, kind) % 2 ** 32) + 2 ** 32) % 2 ** 32, ((theirs[kind] % 2 ** 32) + 2 ** 32) % 2 ** 32);
  }
  if (isFat) return said;
  if (theirs.uid !== undefined) compare('owner', `${entry.uid} ${entry.gid}`, `${theirs.uid} ${theirs.gid}`);
  compare('mode', modeText(entry.mode ?? 0), theirs.mode.slice(3));
  if (theirs.target !== undefined) compare('target', entry.target?.text, theirs.target);
  return said;
}

/** As `ls` writes it. */
function modeText(mode: number): string {
  const bit = (at: number, letter: string) => (mode & (1 << at) ? letter : '-');
  const execute = (at: number, special: number, letter: string) =>
    mode & (1 << special) ? (mode & (1 << at) ? letter : letter.toUpperCase()) : bit(at, 'x');
  return `${bit(8, 'r')}${bit(7, 'w')}${execute(6, 11, 's')}${bit(5, 'r')}${bit(4, 'w')}${execute(3, 10, 's')}${bit(2, 'r')}${bit(1, 'w')}${execute(0, 9, 't')}`;
}

/** Paths of files whose content is not what the witness says. */
export function otherContents(
  fileSystem: FileSystem,
  entries: readonly Entry[],
  sha256: (entry: Entry) => string | null | undefined,
): string[] {
  const wrong: string[] = [];
  for (const entry of entries) {
    const expected = sha256(entry);
    if (expected === undefined || expected === null) continue;
    const got = tryDigest(fileSystem, entry.address);
    if (got !== expected) wrong.push(`${entry.path} @${entry.address}: ${got}, expected ${expected}`);
  }
  return wrong;
}

function tryDigest(fileSystem: FileSystem, address: string): string {
  try {
    return sha256Of(fileSystem.content(address));
  } catch (error) {
    if (error instanceof FormatError || error instanceof ReadError) return error.message;
    throw error;
  }
}
