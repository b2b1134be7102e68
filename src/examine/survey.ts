/** Surveys an image: container facts, partitions, and which file system each volume holds. Every byte of the medium is accounted for. */
import { type ByteSource, sliceSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type Image } from '../evidence/image.ts';
import { childLocator, imageLocator, type Locator } from '../evidence/locator.ts';
import { type SurveyedVolume, type SurveyResult } from '../evidence/task.ts';
import { type VolumeRange, type VolumeSystemFormat } from '../evidence/volume-system.ts';
import { fileSystems, unsupportedContent, volumeSystems } from '../formats.ts';
import { hasSignature, type OpenImage } from './open-evidence.ts';
import { type LocatedProblems } from './problems.ts';

export function survey({ image, format, segments }: OpenImage, problems: LocatedProblems): SurveyResult {
  const divided = divide(image, problems);
  return {
    format: format.name,
    label: format.label,
    mediaSize: image.media.size,
    sectorSize: image.sectorSize,
    segments: segments.map(({ name, source }) => ({ name, size: source.size })),
    acquisition: image.acquisition,
    storedHashes: image.storedHashes,
    volumeSystem: divided.system,
    volumes: divided.ranges.map((range) => surveyRange(image.media, divided.system.name, range, problems)),
    problems: problems.total,
  };
}

interface Division {
  readonly system: SurveyResult['volumeSystem'];
  readonly ranges: readonly VolumeRange[];
}

/** By the first partition table that fits; else the medium is one volume. A file system right at the start wins over stray partition entries. */
function divide({ media, sectorSize }: Image, problems: LocatedProblems): Division {
  for (const format of volumeSystems) {
    const opened = tryVolumeSystem(format, media, sectorSize, problems);
    if (opened !== null) return opened;
  }
  tellOldTable(media, sectorSize, problems);
  const whole: VolumeRange = { kind: 'volume', number: null, offset: 0, length: media.size, label: 'whole medium' };
  return { system: { name: 'whole-media', label: 'no partition table', facts: {} }, ranges: media.size === 0 ? [] : [whole] };
}

/** A disk that was partitioned once and then formatted as a whole keeps the backup of its GPT in the last sector. */
function tellOldTable(media: ByteSource, sectorSize: number, problems: LocatedProblems): void {
  for (const at of [sectorSize, -sectorSize]) {
    if (!hasSignature(media, { at, bytes: 'EFI PART' })) continue;
    const place = at < 0 ? media.size + at : at;
    const message = `byte ${place}: header of a GPT on a medium that is one volume now: what it once listed is not shown`;
    problems.add({ code: 'gpt.left-over', message, at: place });
  }
}

function tryVolumeSystem(format: VolumeSystemFormat, media: ByteSource, sectorSize: number, problems: LocatedProblems): Division | null {
  try {
    if (!format.recognises(media, sectorSize)) return null;
    const opened = format.open(media, sectorSize, problems);
    return { system: { name: format.name, label: format.label, facts: opened.facts }, ranges: opened.volumes() };
  } catch (error) {
    if (error instanceof FormatError) problems.add({ code: error.code, message: error.message });
    else if (error instanceof ReadError)
      problems.add({ code: 'read.bad-sector', message: error.message, at: error.offset, hidesEvidence: true });
    else throw error;
    return null;
  }
}

export function volumeLocator(system: string, number: number | null, offset: number): Locator {
  if (system === 'whole-media') return imageLocator;
  return number === null
    ? childLocator(imageLocator, `${system}-range`, String(offset))
    : childLocator(imageLocator, system, String(number));
}

function surveyRange(media: ByteSource, system: string, range: VolumeRange, problems: LocatedProblems): SurveyedVolume {
  const locator = volumeLocator(system, range.number, range.offset);
  const placed = { locator, system, ...range };
  if (range.kind === 'table') return { ...placed, fileSystem: null, reason: 'partition table: read for the list of volumes' };
  if (range.kind === 'gap')
    return { ...placed, fileSystem: null, reason: 'belongs to no volume: covered by the digests, content not examined' };
  const volume = sliceSource(media, range.offset, range.length);
  const outer = problems.locate;
  problems.locate = () => locator;
  try {
    return { ...placed, ...recognise(volume, problems) };
  } finally {
    problems.locate = outer;
  }
}

function recognise(volume: ByteSource, problems: LocatedProblems): Pick<SurveyedVolume, 'fileSystem' | 'reason'> {
  let refused: string | null = null;
  for (const format of fileSystems) {
    try {
      if (!format.recognises(volume)) continue;
      const { facts } = format.open(volume, { add: () => undefined }); // its problems are told by the listing
      return { fileSystem: { name: format.name, label: format.label, facts } };
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof ReadError)) throw error;
      refused = `${format.label}: ${error.message}`;
      problems.add({ code: error.code, message: error.message, hidesEvidence: true });
    }
  }
  const reason = refused ?? unsupportedReason(volume);
  if (refused === null) problems.add({ code: 'volume.not-examined', message: reason, hidesEvidence: true });
  return { fileSystem: null, reason };
}

function unsupportedReason(volume: ByteSource): string {
  if (volume.size === 0) return 'none of its bytes are on the medium';
  for (const { label, signatures } of unsupportedContent) {
    if (signatures.some((signature) => hasSignature(volume, signature))) return `${label}: recognised, not supported by this version`;
  }
  const head = volume.read(0, 1024 * 1024);
  return head.every((byte) => byte === 0) ? 'no file system recognised: its first MiB is zeros' : 'no file system recognised';
}
