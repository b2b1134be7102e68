/** A file system: its facts, its entries (live and deleted), their content. */
import { type ExactTime } from '../bytes/exact-time.ts';
import { type ByteSource, type Extent } from '../bytes/source.ts';
import { type FoundName } from '../bytes/text.ts';
import { type ProblemLog } from './problem.ts';

export interface FileSystemFormat {
  /** Stands in locators and in the ledger: never renamed. */
  readonly name: string;
  readonly label: string;
  /** True when the volume looks like this file system: cheap, throws nothing but ReadError. */
  recognises(volume: ByteSource): boolean;
  /** Throws FormatError (or ReadError) when nothing can be listed. */
  open(volume: ByteSource, problems: ProblemLog): FileSystem;
}

export interface FileSystem {
  /** For the report: plain values only (`type`, `label`, `uuid`, `blockSize`, `blockCount`, ...). */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly clusterSize: number;
  /**
   * Every entry once, deterministic in order, lazily: memory does not grow with their number beyond a few bytes each.
   * The root directory itself is not listed. A damaged record is a problem and the walk goes on; ReadError inside becomes the problem `read.bad-sector`.
   */
  entries(): Iterable<Entry>;
  /** The content of the entry with this address, in any process and without a walk. Damage is a problem. Throws FormatError, ReadError. */
  content(address: string): ByteSource;
  /** Ranges of the volume (bytes) that no allocated file or metadata uses, in order. */
  unallocated(): Iterable<Extent>;
}

export type EntryType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'fifo'
  | 'socket'
  | 'character-device'
  | 'block-device'
  | 'volume-label'
  | 'unknown';

export interface Entry {
  /** Unique within the file system, the same on every run, enough for `content`: an inode number, or what the Sleuth Kit would call the metadata address. */
  readonly address: string;
  /** From the root, names joined by `/`, no leading `/`; each name already `FoundName.text`. */
  readonly path: string;
  readonly name: FoundName;
  readonly type: EntryType;
  /** Bytes of content as the metadata says. */
  readonly size: number;
  /** Is the name in its directory still in use; is the metadata record (inode, directory entry) still in use. */
  readonly nameAllocated: boolean;
  readonly metadataAllocated: boolean;
  readonly times: readonly EntryTime[];
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkCount?: number;
  /** Where a symbolic link points to, never followed. */
  readonly target?: FoundName;
  /** Extended attributes: small values are read at once. */
  readonly attributes?: readonly EntryAttribute[];
  /** Other facts worth keeping, plain: FAT attribute letters, ext flags, short names. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  /** Byte offset in the volume of the first content byte, to read in disk order; null when there is none or it is inside metadata. */
  readonly firstOffset: number | null;
}

export interface EntryTime {
  /** `modified`, `accessed`, `changed` (metadata), `created`, `deleted`. */
  readonly kind: 'modified' | 'accessed' | 'changed' | 'created' | 'deleted';
  readonly time: ExactTime;
}

export interface EntryAttribute {
  readonly name: string;
  readonly value: Uint8Array;
}
