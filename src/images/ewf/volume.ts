/** The volume section: size of the medium and of its chunks. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { hex } from '../../bytes/text.ts';
import { FormatError, ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32, readVolumeFields } from './layout.ts';
import { type Section } from './sections.ts';

export interface Volume {
  readonly mediaSize: number;
  readonly bytesPerSector: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
  readonly mediaType: number;
  readonly compressionLevel: number | null;
  readonly setIdentifier: string | null;
}

const encaseSize = 1052;
const smartSize = 94;
const largestChunk = 16 * 1024 * 1024;

/** Throws FormatError where no medium can be made out of it. */
export function readVolume(source: ByteSource, name: string, section: Section, problems: ProblemLog): Volume {
  const bytes = readData(source, name, section);
  const view = viewOf(bytes);
  const fields = readVolumeFields(view);
  const place = `${name}: ${section.type} section at byte ${section.offset}`;
  if (adler32(bytes.subarray(0, bytes.length - 4)) !== u32(view, bytes.length - 4)) {
    problems.add({
      code: 'ewf.volume-checksum',
      message: `${place}: its checksum does not fit; its values are used as they are`,
      at: section.offset,
    });
  }
  const { sectorsPerChunk, bytesPerSector, mediaType } = fields;
  const smart = bytes.length === smartSize;
  const sectorCount = smart ? u32(view, 16) : fields.sectorCount;
  const chunkSize = sectorsPerChunk * bytesPerSector;
  if (bytesPerSector < 128 || bytesPerSector > 65_536)
    throw new FormatError('ewf.sector-size', `${place}: ${bytesPerSector} bytes a sector, expected 128 to 65,536`);
  if (chunkSize === 0 || chunkSize > largestChunk)
    throw new FormatError('ewf.chunk-size', `${place}: chunks of ${chunkSize} bytes, expected 1 to ${largestChunk}`);
  const mediaSize = mediaSizeOf(sectorCount, bytesPerSector, fields.chunkCount * chunkSize, place);
  const needed = Math.ceil(mediaSize / chunkSize);
  if (needed !== fields.chunkCount) {
    const message = `${place}: ${fields.chunkCount} chunks, the medium of ${mediaSize} bytes needs ${needed}`;
    problems.add({ code: 'ewf.chunk-count', message, at: section.offset });
  }
  const identifier = smart ? '' : guid(bytes.subarray(64, 80));
  return {
    mediaSize,
    bytesPerSector,
    chunkSize,
    chunkCount: needed,
    mediaType,
    compressionLevel: smart ? null : fields.compressionLevel,
    setIdentifier: /^[0-]*$/.test(identifier) ? null : identifier,
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
