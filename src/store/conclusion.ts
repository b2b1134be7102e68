/** What the last step of an examination leaves: in the examination's row, and in its folder. */
import { join } from 'node:path';
import { type StoredHash } from '../evidence/image.ts';
import { type SealedCatalogue, type SegmentDigest } from '../evidence/task.ts';

/** Stands in the examination's row. */
export interface Conclusion {
  readonly catalogue: SealedCatalogue;
  /** `intact`: every file of the image has the digest and the state it was received with. `unknown`: it could not be digested at receipt. */
  readonly integrity: 'intact' | 'changed' | 'unknown';
  readonly changes: readonly string[];
  /** At receipt and at the end. */
  readonly received: readonly SegmentDigest[] | null;
  readonly concluded: readonly SegmentDigest[];
  /** Digests that the image's maker stored, against ours. */
  readonly storedHashes: readonly (StoredHash & { readonly computed: string | null; readonly equal: boolean | null })[];
  readonly hidesEvidence: boolean;
}

/** Holds the sealed catalogue of an examination: `entries.jsonl` and `entries.csv`. */
export const catalogueFolder = (dataFolder: string, examinationId: string): string => join(dataFolder, 'examinations', examinationId);
