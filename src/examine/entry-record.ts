/** The record of an entry: what the catalogue holds about it, in canonical form (RFC 8785), the same on every run. */
import canonicalize from 'canonicalize';
import { formatExactTime } from '../bytes/exact-time.ts';
import { hex } from '../bytes/text.ts';
import { type Member } from '../evidence/archive.ts';
import { type Entry, type EntryAttribute, type EntryTime } from '../evidence/file-system.ts';
import { childLocator, type Locator } from '../evidence/locator.ts';
import { copyBytes, copyValue } from './copy-form.ts';
import { digestsOf } from './digests.ts';

/** Plain JSON; absent facts have no key. */
export interface EntryRecord {
  readonly locator: Locator;
  readonly path: string;
  readonly name: string;
  readonly nameRaw?: string;
  readonly type: string;
  readonly size: number;
  readonly allocated: { readonly name: boolean; readonly metadata: boolean };
  readonly times: readonly RecordedTime[];
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkCount?: number;
  readonly target?: string;
  readonly targetRaw?: string;
  readonly attributes?: readonly RecordedAttribute[];
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly digests?: Readonly<Record<string, string>>;
  readonly mediaType?: string;
  /** Digested bytes, where they are fewer than `size` promises. */
  readonly contentSize?: number;
  readonly problems?: readonly string[];
}

interface RecordedAttribute {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  /** The value where it is plain text, else the hex digits of its first bytes. */
  readonly text?: string;
  readonly hex?: string;
}

interface RecordedTime {
  readonly kind: string;
  readonly time: string;
  readonly zone: string;
  readonly resolutionNs: number;
  readonly offsetMinutes?: number;
}

export function recordOfEntry(entry: Entry, locator: Locator): EntryRecord {
  return {
    ...common(entry, locator),
    size: exact(entry.size),
    allocated: { name: entry.nameAllocated, metadata: entry.metadataAllocated },
    ...given({ mode: entry.mode, uid: entry.uid, gid: entry.gid, linkCount: entry.linkCount, facts: entry.facts }),
    ...given({ target: entry.target?.text, targetRaw: entry.target?.raw }),
    ...(entry.attributes === undefined || entry.attributes.length === 0 ? {} : { attributes: entry.attributes.map(recordOfAttribute) }),
  };
}

export function recordOfMember(member: Member, path: string, locator: Locator): EntryRecord {
  return {
    ...common({ ...member, path }, locator),
    size: exact(member.claimedSize),
    allocated: { name: true, metadata: true },
    ...given({ mode: member.mode, facts: { ...member.facts, ...(member.encrypted ? { encrypted: true } : {}) } }),
  };
}

/** A claim beyond 2^53 is no size: it stands as the largest exact number, and reading the content tells the rest. */
const exact = (size: number): number => Math.min(size, Number.MAX_SAFE_INTEGER);

type Named = Pick<Entry, 'path' | 'name' | 'type' | 'times'>;

const common = ({ path, name, type, times }: Named, locator: Locator) => ({
  locator,
  path,
  name: name.text,
  ...given({ nameRaw: name.raw }),
  type,
  times: times.map(recordOfTime),
});

const recordOfTime = ({ kind, time }: EntryTime): RecordedTime => ({
  kind,
  time: formatExactTime(time),
  zone: time.zone,
  resolutionNs: time.resolutionNs,
  ...given({ offsetMinutes: time.offsetMinutes }),
});

function recordOfAttribute({ name, value }: EntryAttribute): RecordedAttribute {
  const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
  const printable = value.length <= 1024 && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffd]/.test(text);
  return {
    name,
    size: value.length,
    sha256: digestsOf(['sha256'], value).sha256!,
    ...(printable ? { text } : { hex: hex(value.subarray(0, 64)) }),
  };
}

/** The object without the keys whose value is undefined. */
function given<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** The columns of the entry table in COPY form, in the order of `columnsOf` (src/store/copy.ts). */
export function entryRow(record: EntryRecord): string {
  const { locator, path, type, size, allocated, digests, mediaType } = record;
  const columns = [locator, path, type, size, allocated.name && allocated.metadata].map(copyValue);
  const canonical = canonicalize(record);
  if (canonical === undefined) throw new TypeError(`entry ${locator}: has no canonical form`);
  return [...columns, copyBytes(digests?.sha256 ?? null), copyValue(mediaType ?? null), copyValue(canonical)].join('\t');
}

export const entryLocator = (volume: Locator, fileSystem: string, address: string): Locator => childLocator(volume, fileSystem, address);
