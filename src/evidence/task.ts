/** What crosses the bridge between the two towers: tasks in, batches out, one result. Plain data, nothing shared. */
import { type Acquisition, type OrderedSegments, type StoredHash } from './image.ts';
import { type Limits } from './limits.ts';
import { type Locator } from './locator.ts';

/** The files of one image, in order, and the name of the format that found them. */
export interface ImageReference {
  readonly format: string;
  /** Absolute paths. */
  readonly paths: readonly string[];
}

/** A file of the evidence, and what whoever brought it calls it. */
export interface NamedSegment {
  readonly path: string;
  readonly name: string;
}

export interface SegmentSet extends OrderedSegments {
  readonly format: string;
}

/** A file system inside an image. Offsets and lengths are bytes of the medium. */
export interface VolumeReference {
  readonly locator: Locator;
  readonly offset: number;
  readonly length: number;
  readonly fileSystem: string;
}

/** How files are examined: stands in the ledger and in the report. */
export interface Profile {
  /** Digests of every file, by the names of `createDigests`. */
  readonly digests: readonly string[];
  readonly limits: Limits;
}

export type Task =
  | { readonly kind: 'find-segments'; readonly path: string }
  | { readonly kind: 'order-segments'; readonly segments: readonly NamedSegment[] }
  | { readonly kind: 'hash-media'; readonly image: ImageReference; readonly leafSize: number }
  | { readonly kind: 'hash-segments'; readonly image: ImageReference }
  | ({ readonly kind: 'survey'; readonly image: ImageReference } & RowOwner)
  | ({
      readonly kind: 'list-files';
      readonly image: ImageReference;
      readonly volume: VolumeReference;
      readonly profile: Profile;
    } & RowOwner)
  | ({
      readonly kind: 'examine-files';
      readonly image: ImageReference;
      readonly volume: VolumeReference;
      readonly profile: Profile;
      /** Lines of `ListedFile`, as `list-files` made them. */
      readonly files: Uint8Array;
      /** Set for a quarantined unit: its files are recorded as listed, with this reason, and their content is left alone. */
      readonly untouchedBecause?: string;
    } & RowOwner)
  | {
      readonly kind: 'seal-catalogue';
      readonly entriesPath: string;
      readonly csvPath: string;
      /** Those whose files were listed. */
      readonly volumes: readonly Locator[];
    }
  | {
      readonly kind: 'read-content';
      readonly image: ImageReference;
      readonly locator: Locator;
      readonly volume: VolumeReference | null;
      /** Of the content; all of it when absent. */
      readonly part?: { readonly offset: number; readonly length: number };
    };

/** What stands before the columns of every row in COPY form: `examination`, TAB, `unit`, TAB. */
export interface RowOwner {
  readonly rowPrefix: string;
}

export type Batch =
  /** Lines of PostgreSQL's COPY text format, columns as src/store/copy.ts lists them. */
  | { readonly kind: 'rows'; readonly table: 'entry' | 'problem'; readonly rows: Uint8Array; readonly count: number }
  /** Files for a child unit `examine-files`. */
  | { readonly kind: 'files'; readonly files: Uint8Array; readonly count: number; readonly bytes: number }
  | { readonly kind: 'content'; readonly bytes: Uint8Array }
  /** Counted since the last one: a sign of life too. */
  | { readonly kind: 'progress'; readonly bytes: number; readonly files: number };

export interface SegmentDigest {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** A problem with the locator of the thing concerned, as the problem table holds it. */
export interface LocatedProblem {
  readonly locator: Locator;
  readonly code: string;
  readonly message: string;
  readonly at?: number;
  readonly hidesEvidence: boolean;
}

export interface HashMediaResult {
  readonly mediaSize: number;
  readonly media: Readonly<Record<string, string>>;
  /** SHA-256 of every `leafSize` bytes of media, lower-case hex. */
  readonly leaves: readonly string[];
  readonly segments: readonly SegmentDigest[];
  readonly damagedBytes: number;
  readonly problems: readonly LocatedProblem[];
}

/** `md5` and `sha` share the work of one image; `all` does it alone. */
export type HashRole = 'all' | 'md5' | 'sha';

/** What one thread computed of a `hash-media` task. */
export interface HashMediaPart extends Omit<HashMediaResult, 'leaves' | 'segments'> {
  /** Index and SHA-256 of the leaves that this thread digested. */
  readonly leaves: readonly (readonly [number, string])[];
  readonly segments: readonly SegmentDigest[] | null;
}

export interface SurveyedVolume {
  readonly locator: Locator;
  /** `mbr`, `gpt` or `whole-media`. */
  readonly system: string;
  readonly number: number | null;
  readonly kind: 'volume' | 'table' | 'gap';
  readonly offset: number;
  readonly length: number;
  readonly label: string;
  readonly type?: string;
  readonly name?: string;
  readonly guid?: string;
  readonly flags?: readonly string[];
  /** The file system to list, or null and the reason why there is nothing to list. */
  readonly fileSystem: {
    readonly name: string;
    readonly label: string;
    readonly facts: Readonly<Record<string, string | number | boolean>>;
  } | null;
  readonly reason?: string;
}

export interface SurveyResult {
  readonly format: string;
  readonly label: string;
  readonly mediaSize: number;
  readonly sectorSize: number;
  readonly segments: readonly { readonly name: string; readonly size: number }[];
  readonly acquisition: Acquisition;
  readonly storedHashes: readonly StoredHash[];
  readonly volumeSystem: { readonly name: string; readonly label: string; readonly facts: Readonly<Record<string, string | number>> };
  readonly volumes: readonly SurveyedVolume[];
  readonly problems: number;
}

export interface ListFilesResult {
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
  readonly problems: number;
  readonly unallocatedBytes: number;
  readonly unallocatedRanges: number;
}

export interface ExamineFilesResult {
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
  readonly problems: number;
}

export interface SealedCatalogue {
  readonly root: string;
  readonly entries: number;
  readonly sha256: string;
  readonly tally: CatalogueTally;
}

export interface CatalogueTally {
  readonly files: number;
  readonly deleted: number;
  /** Of content that was read and digested. */
  readonly bytes: number;
  readonly byType: Readonly<Record<string, number>>;
  /** The most frequent first. */
  readonly byMediaType: readonly { readonly mediaType: string; readonly count: number }[];
  readonly volumes: readonly VolumeTally[];
  readonly notable: readonly NotableGroup[];
}

export interface VolumeTally {
  readonly locator: Locator;
  readonly entries: number;
  readonly files: number;
  readonly deleted: number;
}

export interface NotableGroup {
  readonly why: string;
  readonly total: number;
  /** The first of them, in order of their locators. */
  readonly entries: readonly { readonly locator: Locator; readonly path: string; readonly size: number; readonly note: string }[];
}

export interface TaskResults {
  'find-segments': ImageReference;
  'order-segments': SegmentSet;
  'hash-media': HashMediaResult;
  'hash-segments': readonly SegmentDigest[];
  survey: SurveyResult;
  'list-files': ListFilesResult;
  'examine-files': ExamineFilesResult;
  'seal-catalogue': SealedCatalogue;
  'read-content': { readonly size: number };
}

/** What a thread answers: the result, or an error of a reader with its code. */
export type Answer<T> = { readonly result: T } | { readonly refused: { readonly code: string; readonly message: string } };

/** The pool of threads, seen from outside: task in, batches out, abort. A later one may live in another process. */
export interface ThreadPool {
  readonly threads: number;
  /**
   * Batches arrive in order; the task waits while `onBatch` is pending. Rejects with TaskError when the task throws, dies, stays silent too long or is aborted.
   */
  run<T extends Task>(task: T, options: RunOptions): Promise<TaskResults[T['kind']]>;
  close(): Promise<void>;
}

export interface RunOptions {
  onBatch(batch: Batch): Promise<void> | void;
  readonly signal: AbortSignal;
  /** The task and its thread are ended after so many milliseconds of work, whatever signs of life it gives. */
  readonly timeLimitMs?: number;
}

/** A file to examine: one line of JSON in the payload of an `examine-files` unit. `record` is the entry's record so far. */
export interface ListedFile {
  readonly address: string;
  readonly record: Readonly<Record<string, unknown>>;
  readonly firstOffset: number | null;
}
