/** A partition table and what it divides the medium into. */
import { type ByteSource } from '../bytes/source.ts';
import { type ProblemLog } from './problem.ts';

export interface VolumeSystemFormat {
  /** Stands in locators: never renamed. */
  readonly name: string;
  readonly label: string;
  /** True when the medium carries this table (or its backup): cheap, reads a few sectors, throws nothing but ReadError. */
  recognises(media: ByteSource, sectorSize: number): boolean;
  /** Throws FormatError when no partition can be made out. */
  open(media: ByteSource, sectorSize: number, problems: ProblemLog): VolumeSystem;
}

export interface VolumeSystem {
  readonly facts: Readonly<Record<string, string | number>>;
  /** Every byte of the medium exactly once, in order of offset: volumes, tables, gaps. Overlapping partitions are a problem and stand beside the tiling. */
  volumes(): readonly VolumeRange[];
}

export interface VolumeRange {
  /** `volume` has content to look into; `table` holds partition tables; `gap` belongs to no partition. */
  readonly kind: 'volume' | 'table' | 'gap';
  /** Volumes: the number in the locator (`mbr:5`, `gpt:2`), as mmls and the operating system count partitions from 1. Others: null. */
  readonly number: number | null;
  readonly offset: number;
  readonly length: number;
  /** In plain words: `Linux (0x83)`, `EFI System`, `Primary GPT header and table`. */
  readonly label: string;
  /** The type as stored: `0x83`, or a GUID in lower case. */
  readonly type?: string;
  /** GPT: the partition's own name and GUID. */
  readonly name?: string;
  readonly guid?: string;
  /** Where it overlaps another partition or runs past the medium it is still listed, with a problem. */
  readonly flags?: readonly string[];
}
