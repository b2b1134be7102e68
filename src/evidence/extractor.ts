/** Reads metadata out of the content of one file. */
import { type ByteSource } from '../bytes/source.ts';
import { type ProblemLog } from './problem.ts';

export type Facts = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>;

export interface Extractor {
  /** Stands before the names of its facts: `exif`. */
  readonly name: string;
  accepts(mediaType: string): boolean;
  /** Plain values, keys stable and documented; null when there is nothing. Damage is a problem; throws nothing of its own. */
  extract(source: ByteSource, problems: ProblemLog): Promise<Facts | null>;
}
