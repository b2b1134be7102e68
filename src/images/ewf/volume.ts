/** The volume section: size of the medium and of its chunks. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { hex } from '../../bytes/text.ts';
import { FormatError, ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32 } from './adler32.ts';
import { readVolumeFields } from './layout.ts';
import { type Section, type SegmentSections } from './sections.ts';

export interface Volume {
  readonly mediaSize: number;
  readonly bytesPerSector: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
  /** The short volume section of EnCase 1 and SMART says neither this nor what follows. */
  readonly mediaType: number | null;
  readonly compressionLevel: number | null;
  readonly setIdentifier: string | null;
  /** Its checksum fits. */
  readonly certain: boolean;
  /** As the section has it, beside the number of sectors. */
  readonly chunksTold: number;
}

type Placed = Candidate & { readonly set: SegmentSections };

/**
 * Each segment but the first of EnCase repeats the volume section under the name `data`, so one good copy is enough. Where a copy that is
 * sound tells of another medium, its segment belongs to another image: `foreign`.
 */
export function findVolume(
  sets: readonly SegmentSections[],
  problems: ProblemLog,
): { volume: Volume; foreign: ReadonlySet<SegmentSections> } {
  const { candidates, refused } = findCandidates(sets);
  const chosen = candidates.find(({ volume }) => volume.certain) ?? candidates[0];
  if (chosen === undefined && refused !== null) throw refused;
  if (chosen === undefined) {
    throw new FormatError(
      'ewf.no-volume',
      `${sets[0]!.name}: no volume section: neither the size of the medium nor that of its chunks is known`,
    );
  }
  if (refused !== null) problems.add({ code: refused.code, message: `${refused.message}; another copy is used` });
  const foreign = new Set<SegmentSections>();
  for (const candidate of candidates) {
    reportDoubt(candidate, chosen, problems);
    if (isForeign(candidate, chosen)) foreign.add(candidate.set);
  }
  return { volume: chosen.volume, foreign };
}

function findCandidates(sets: readonly SegmentSections[]): { candidates: Placed[]; refused: FormatError | null } {
  const candidates: Placed[] = [];
  let refused: FormatError | null = null;
  for (const set of sets) {
    for (const section of set.sections) {
      if (section.type !== 'volume' && section.type !== 'disk' && section.type !== 'data') continue;
      try {
        candidates.push({ ...readVolume(set.source, set.name, section), set });
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused ??= error;
      }
    }
  }
  return { candidates, refused };
}

const isForeign = ({ volume, set }: Placed, chosen: Placed): boolean =>
  volume.certain && set !== chosen.set && !sameMedium(volume, chosen.volume);

function reportDoubt(candidate: Placed, chosen: Placed, problems: ProblemLog): void {
  const { place, at, volume, set } = candidate;
  const used = candidate === chosen;
  if (!volume.certain) {
    const outcome = used ? 'no better copy is found, its values are used as they are' : 'another copy is used';
    problems.add({ code: 'ewf.volume-checksum', message: `${place}: its checksum does not fit; ${outcome}`, at, hidesEvidence: used });
  } else if (!used && !sameMedium(volume, chosen.volume)) {
    const outcome = isForeign(candidate, chosen) ? `${set.name} belongs to another image and is not read` : 'the first is used';
    const message = `${place}: tells of another medium than ${chosen.place}: ${outcome}`;
    problems.add({ code: 'ewf.segment-foreign', message, at, hidesEvidence: true });
  }
  if (used && volume.chunkCount !== volume.chunksTold) {
    const message = `${place}: ${volume.chunksTold} chunks, the medium of ${volume.mediaSize} bytes needs ${volume.chunkCount}`;
    problems.add({ code: 'ewf.chunk-count', message, at });
  }
}

const sameMedium = (a: Volume, b: Volume): boolean =>
  a.mediaSize === b.mediaSize && a.chunkSize === b.chunkSize && a.setIdentifier === b.setIdentifier;

interface Candidate {
  readonly volume: Volume;
  readonly place: string;
  readonly at: number;
}

const encaseSize = 1052;
const smartSize = 94;
const largestChunk = 16 * 1024 * 1024;

/** Throws FormatError where no medium can be made out of it. */
function readVolume(source: ByteSource, name: string, section: Section): Candidate {
  const bytes = readData(source, name, section);
  const view = viewOf(bytes);
  const fields = readVolumeFields(view);
  const place = `${name}: ${section.type} section at byte ${section.offset}`;
  const { sectorsPerChunk, bytesPerSector, mediaType } = fields;
  const short = bytes.length === smartSize;
  const chunkSize = sectorsPerChunk * bytesPerSector;
  if (bytesPerSector < 128 || bytesPerSector > 65_536)
    throw new FormatError('ewf.sector-size', `${place}: ${bytesPerSector} bytes a sector, expected 128 to 65,536`);
  if (chunkSize === 0 || chunkSize > largestChunk)
    throw new FormatError('ewf.chunk-size', `${place}: chunks of ${chunkSize} bytes, expected 1 to ${largestChunk}`);
  const sectorCount = short ? u32(view, 16) : fields.sectorCount;
  const mediaSize = mediaSizeOf(sectorCount, bytesPerSector, fields.chunkCount * chunkSize, place);
  const identifier = short ? '' : guid(bytes.subarray(64, 80));
  return {
    volume: {
      mediaSize,
      bytesPerSector,
      chunkSize,
      chunkCount: Math.ceil(mediaSize / chunkSize),
      mediaType: short ? null : mediaType,
      compressionLevel: short ? null : fields.compressionLevel,
      setIdentifier: /^[0-]*$/.test(identifier) ? null : identifier,
      certain: adler32(bytes.subarray(0, bytes.length - 4)) === u32(view, bytes.length - 4),
      chunksTold: fields.chunkCount,
    },
    place,
    at: section.offset,
  };
}

function mediaSizeOf(sectorCount: number, bytesPerSector: number, inChunks: number, place: string): number {
  const size = sectorCount === 0 ? inChunks : sectorCount * bytesPerSector;
  if (size === 0) throw new FormatError('ewf.media-size', `${place}: the medium has no sectors`);
  if (!Number.isSafeInteger(size) || size > 2 ** 52)
    throw new FormatError('ewf.media-size', `${place}: ${sectorCount} sectors of ${bytesPerSector} bytes, more than any medium`);
  return size;
}

function readData(source: ByteSource, name: string, { type, offset, dataOffset, dataSize }: Section): Uint8Array {
  const size = dataSize >= encaseSize ? encaseSize : smartSize;
  if (dataSize < smartSize)
    throw new FormatError(
      'ewf.volume-size',
      `${name}: ${type} section at byte ${offset}: ${dataSize} bytes, expected ${encaseSize} or ${smartSize}`,
    );
  try {
    const bytes = source.read(dataOffset, size);
    if (bytes.length === size) return bytes;
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    throw new FormatError('ewf.volume-unreadable', `${name}: ${type} section at byte ${offset}: ${error.message}`);
  }
  throw new FormatError('ewf.truncated', `${name}: ${type} section at byte ${offset}: the file ends within it`);
}

/** A GUID as Windows prints it: the first three groups are little-endian. */
function guid(bytes: Uint8Array): string {
  const digits = hex(Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15], (at) => bytes[at]!));
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
