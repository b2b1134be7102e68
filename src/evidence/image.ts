/** A container of a medium: one file or a set of segments that together hold the bytes of a disk. */
import { type ByteSource } from '../bytes/source.ts';
import { type ProblemLog } from './problem.ts';
import { type Signature } from './signature.ts';

export interface ImageFormat {
  readonly name: string;
  readonly label: string;
  readonly signatures: readonly Signature[];
  /**
   * Given any one path of a set (usually the first), the paths of all its segments in order, found by the format's own naming rule
   * beside it. Reads only names of the folder. A gap in the numbering ends the set; `open` finds out what is missing.
   */
  segmentPaths(path: string): string[];
  /** The order of the segments as they tell it themselves, whatever they are called; absent where there is nothing to order. */
  orderSegments?(segments: readonly Segment[]): OrderedSegments;
  /** Throws FormatError when the container cannot be understood at all; damage that leaves something readable is a problem. */
  open(segments: readonly Segment[], problems: ProblemLog): Image;
}

export interface OrderedSegments {
  /** Places in what was given, and a name for each that tells its place. */
  readonly order: readonly { readonly index: number; readonly fileName: string }[];
  /** In words: `segment 2`. */
  readonly missing: readonly string[];
  /** What does not belong to them. */
  readonly foreign: readonly { readonly index: number; readonly because: string }[];
}

export interface Segment {
  /** The file's name without its folder. */
  readonly name: string;
  readonly source: ByteSource;
}

export interface Image {
  /** The bytes of the disk. Damaged ranges read as zeros (or as stored), are reported as problems and counted in `damage`. */
  readonly media: ByteSource;
  readonly sectorSize: number;
  readonly acquisition: Acquisition;
  readonly storedHashes: readonly StoredHash[];
  /** How many damaged bytes `media` has given out so far: counts each read anew, so a caller compares before and after. */
  readonly damage: { readonly bytes: number };
  /** For containers that store the medium in chunks: how to get many of them at once, and where they lie. */
  readonly chunks?: ChunkMap;
}

/** A run of media bytes that decodes from one place of one segment. */
export interface ChunkMap {
  readonly chunkSize: number;
  readonly count: number;
  /** Where in its segment file the stored form of chunk `index` ends: the container digest follows behind it. */
  endOf(index: number): { segment: number; offset: number };
}

/** What the tool that made the image wrote down, as it wrote it. Keys are ours (docs/GLOSSARY.md), values are text. */
export interface Acquisition {
  readonly caseNumber?: string;
  readonly evidenceNumber?: string;
  readonly description?: string;
  readonly examiner?: string;
  readonly notes?: string;
  readonly tool?: string;
  readonly toolVersion?: string;
  readonly operatingSystem?: string;
  /** As stored: zone often unknown. */
  readonly acquired?: string;
  readonly systemDate?: string;
  readonly mediaType?: string;
  readonly compression?: string;
  readonly segmentFileVersion?: string;
  readonly setIdentifier?: string;
  readonly model?: string;
  readonly serialNumber?: string;
  /** Sectors that the acquiring tool could not read, as it recorded them. */
  readonly errorSectors?: readonly { firstSector: number; sectorCount: number }[];
}

export interface StoredHash {
  readonly algorithm: 'md5' | 'sha1' | 'sha256';
  /** Lower-case hex. */
  readonly value: string;
  /** Where it stood: `hash section`, `digest section`. */
  readonly place: string;
}
