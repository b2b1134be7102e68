/** From a directory entry to a member: name, path, kind, times. A hostile name is a problem, and the member is listed all the same. */
import { crc32 } from 'node:zlib';
import { type ExactTime } from '../../bytes/exact-time.ts';
import { i32, u8, u16, u32, u64, viewOf } from '../../bytes/little-endian.ts';
import { deceptive, type FoundName, hex, nameFromUtf8, safeText } from '../../bytes/text.ts';
import { type Member } from '../../evidence/archive.ts';
import { type EntryTime } from '../../evidence/file-system.ts';
import { type Problem } from '../../evidence/problem.ts';
import { cp437 } from './cp437.ts';
import { type DirectoryEntry } from './directory.ts';

const unixHosts = new Set([3, 19]); // UNIX, macOS: mode in the upper half of the external attributes
const utf8Flag = 0x800;
const encryptedFlag = 0x1;

export function memberOf(entry: DirectoryEntry, index: number): Member {
  const name = nameOf(entry);
  const mode = unixHosts.has(entry.hostSystem) ? entry.externalAttributes >>> 16 : 0;
  const { path, faults } = harmless(name.text, index);
  if (name.raw !== undefined && /[\ufffd\u2400]/.test(name.text)) faults.push(`is no valid text (bytes ${name.raw.slice(0, 400)})`);
  const isDirectory =
    name.text.endsWith('/') || (mode & 0xf000) === 0x4000 || (entry.hostSystem === 0 && (entry.externalAttributes & 0x10) !== 0);
  return {
    index,
    name,
    path,
    type: isDirectory ? 'directory' : (mode & 0xf000) === 0xa000 ? 'symlink' : 'file',
    claimedSize: entry.uncompressedSize,
    times: timesOf(entry),
    ...(mode === 0 ? {} : { mode: mode & 0o7777 }),
    encrypted: (entry.flags & encryptedFlag) !== 0,
    problems: faults.length === 0 ? [] : [unsafeName(index, path, faults)],
    facts: factsOf(entry),
  };
}

const unsafeName = (index: number, path: string, faults: readonly string[]): Problem => ({
  code: 'zip.name-unsafe',
  message: `member ${index}: its name ${faults.join(', ')}; it is shown as '${path.slice(0, 200)}'`,
});

const longestComment = 1024;

function factsOf({ method, compressedSize, comment, flags }: DirectoryEntry): NonNullable<Member['facts']> {
  const facts = { method, compressedSize: Math.min(compressedSize, Number.MAX_SAFE_INTEGER) };
  if (comment === undefined || comment.length === 0) return facts;
  const { text } = textOf(comment, (flags & utf8Flag) !== 0);
  return { ...facts, comment: safeText(text.slice(0, longestComment)) };
}

/** UTF-8 where the flag or the Unicode path field (APPNOTE 4.6.9) says so, or where the bytes are UTF-8 without saying so; else code page 437. */
function nameOf({ nameRaw, extraFields, flags }: DirectoryEntry): FoundName {
  const unicode = extraFields.find(({ id, data }) => id === 0x7075 && data.length > 5 && data[0] === 1)?.data;
  if (unicode !== undefined && u32(viewOf(unicode), 1) === crc32(nameRaw)) return nameFromUtf8(unicode.subarray(5)); // else it is of another name
  return textOf(nameRaw, (flags & utf8Flag) !== 0);
}

function textOf(bytes: Uint8Array, isUtf8: boolean): FoundName {
  if (isUtf8 || bytes.every((byte) => byte < 0x80)) return nameFromUtf8(bytes);
  const guessed = nameFromUtf8(bytes);
  return guessed.raw === undefined ? { ...guessed, raw: hex(bytes) } : { text: cp437(bytes), raw: hex(bytes) };
}

const drive = /^[A-Za-z]:/;

/** A relative path that leads nowhere else, and what was wrong with the name. */
function harmless(name: string, index: number): { path: string; faults: string[] } {
  const faults: string[] = [];
  const slashed = name.replaceAll('\\', '/');
  if (slashed !== name) faults.push('holds backslashes');
  if (drive.test(slashed)) faults.push('begins with a drive');
  if (slashed.replace(drive, '').startsWith('/')) faults.push('is absolute');
  const given = slashed.split('/');
  if (given.includes('..')) faults.push('climbs up with ..');
  const steps = given.filter((step) => step !== '' && step !== '.' && step !== '..');
  while (steps.length > 0 && drive.test(steps[0]!)) {
    const rest = steps[0]!.replace(drive, '');
    steps.splice(0, 1, ...(rest === '' || rest === '.' || rest === '..' ? [] : [rest]));
  }
  if (deceptive.test(slashed)) faults.push('holds characters that cannot be seen or that turn the reading direction');
  if (name.length > 4096) faults.push(`has ${name.length} characters`);
  if (steps.length > 0) return { path: steps.join('/'), faults };
  if (name !== '/') faults.push('is empty');
  return { path: `member-${index}`, faults };
}

/** The most exact one of each kind: NTFS field (0x000a), extended timestamp (0x5455), DOS time of an unknown zone. */
function timesOf({ extraFields, dosDate, dosTime }: DirectoryEntry): EntryTime[] {
  const ntfs = extraFields.find(({ id, data }) => id === 0x000a && data.length >= 32 && u16(viewOf(data), 4) === 1)?.data;
  if (ntfs !== undefined) {
    const ticks = (['modified', 'accessed', 'created'] as const).map((kind, index) => [kind, u64(viewOf(ntfs), 8 + index * 8)] as const);
    return ticks
      .filter(([, value]) => value !== 0n) // zero says that there is none
      .map(([kind, value]) => ({ kind, time: { ns: (value - 116_444_736_000_000_000n) * 100n, resolutionNs: 100, zone: 'utc' } }));
  }
  const unix = extraFields.find(({ id, data }) => id === 0x5455 && data.length >= 5)?.data;
  if (unix !== undefined && u8(viewOf(unix), 0) & 1) {
    return [{ kind: 'modified', time: { ns: BigInt(i32(viewOf(unix), 1)) * 1_000_000_000n, resolutionNs: 1_000_000_000, zone: 'utc' } }];
  }
  const time = dosTimeOf(dosDate, dosTime);
  return time === null ? [] : [{ kind: 'modified', time }];
}

function dosTimeOf(date: number, time: number): ExactTime | null {
  const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
  const [hour, minute, second] = [time >> 11, (time >> 5) & 63, (time & 31) * 2];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const isDate = month >= 1 && new Date(ms).getUTCMonth() === month - 1 && new Date(ms).getUTCDate() === day; // 31 February would become March
  if (!isDate || hour > 23 || minute > 59 || second > 59) return null;
  return {
    ns: BigInt(ms) * 1_000_000n,
    resolutionNs: 2_000_000_000,
    zone: 'local-unknown',
  };
}
