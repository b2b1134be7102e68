/** Raw images: the bytes of the medium as they are, in one file or split into numbered ones. */
import { type ByteSource, concatSources, makeSource } from '../bytes/source.ts';
import { FormatError } from '../evidence/errors.ts';
import { type Image, type ImageFormat, type Segment } from '../evidence/image.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { orderParts } from './raw/order.ts';
import { otherContainer } from './raw/other-containers.ts';
import { firstOfSet, numberOfPart, splitPaths } from './raw/part-names.ts';
import { readAround } from './raw/read-around.ts';

export const raw: ImageFormat = {
  name: 'raw',
  label: 'raw image',
  signatures: [],
  segmentPaths: (path) => [path],
  open: openRaw,
};

export const splitRaw: ImageFormat = {
  name: 'split-raw',
  label: 'split raw image',
  signatures: [],
  segmentPaths: splitPaths,
  orderSegments: orderParts,
  open: openSplit,
};

const sectorSize = 512;

function openRaw(segments: readonly Segment[], problems: ProblemLog): Image {
  const damage = { bytes: 0 };
  const media = readAround(concatSources(segments.map(({ source }) => source)), damage, problems);
  reportLonePart(segments, problems);
  return imageOf(media, segments, damage, problems);
}

function imageOf(media: ByteSource, segments: readonly Segment[], damage: { bytes: number }, problems: ProblemLog): Image {
  if (media.size === 0) throw new FormatError('image.empty', `${segments[0]?.name ?? 'image'}: 0 bytes, expected a medium`);
  reportContainer(media, segments, problems);
  const odd = media.size % sectorSize;
  if (odd !== 0) {
    const message = `the medium has ${media.size} bytes: its last sector is cut off, expected a multiple of ${sectorSize}`;
    problems.add({ code: 'raw.partial-sector', message, at: media.size - odd });
  }
  return { media, sectorSize, acquisition: {}, storedHashes: [], damage };
}

function reportContainer(media: ByteSource, segments: readonly Segment[], problems: ProblemLog): void {
  const name = segments[0]?.name ?? 'image';
  const container = otherContainer(media);
  if (container !== null) {
    const message = `${name}: looks like ${container}, which this version does not unpack: its own bytes are taken for the medium`;
    problems.add({ code: 'raw.other-container', message, at: 0, hidesEvidence: true });
  } else if (/\.[EeSs]\d\d$/.test(name)) {
    const message = `${name}: named like an EWF segment, does not start as one: its own bytes are taken for the medium`;
    problems.add({ code: 'raw.other-container', message, at: 0, hidesEvidence: true });
  }
}

/** `.001` alone is what imaging tools call a small image; any higher number had others before it. */
function reportLonePart([segment]: readonly Segment[], problems: ProblemLog): void {
  const digits = /\.(\d{3})$/.exec(segment?.name ?? '')?.[1];
  if (digits === undefined || Number(digits) < 2) return;
  const message = `${segment!.name}: named like part ${Number(digits)} of a split image, no other part stands beside it: taken for a whole medium`;
  problems.add({ code: 'raw.lone-part', message, hidesEvidence: true });
}

/** Parts that are not there keep their place: zeros as long as the first part, so that what follows stands where it was. */
function openSplit(segments: readonly Segment[], problems: ProblemLog): Image {
  const partSize = segments[0]?.source.size ?? 0;
  const damage = { bytes: 0 };
  const parts: ByteSource[] = [];
  let expected = firstOfSet(segments[0]?.name ?? '');
  segments.forEach(({ name, source }, index) => {
    const number = numberOfPart(name);
    if (number === null) throw new FormatError('split-raw.name', `${name}: no number at its end, expected one like .001 or .aa`);
    const missing = Math.max(0, number - expected);
    if (missing > 0) parts.push(missingParts(missing, name, partSize, damage, problems));
    if (index < segments.length - 1 && source.size !== partSize) {
      const message = `${name}: ${source.size} bytes, expected ${partSize} like ${segments[0]!.name}: what follows may stand in the wrong place`;
      problems.add({ code: 'split-raw.part-size', message, hidesEvidence: true });
    }
    parts.push(readAround(source, damage, problems, name));
    expected = number + 1;
  });
  return imageOf(concatSources(parts), segments, damage, problems);
}

const mostMissing = 1024;

function missingParts(count: number, before: string, partSize: number, damage: { bytes: number }, problems: ProblemLog): ByteSource {
  const what = count === 1 ? `the part before ${before} is missing` : `${count} parts before ${before} are missing`;
  if (count > mostMissing) throw new FormatError('split-raw.part-missing', `${what}, expected at most ${mostMissing}`);
  const size = count * partSize;
  const message = `${what}: ${size} bytes are taken as zeros, as long as the first part that is there`;
  problems.add({ code: 'split-raw.part-missing', message, hidesEvidence: true });
  return makeSource(size, (target, offset) => {
    const length = Math.max(0, Math.min(target.length, size - offset));
    target.fill(0, 0, length);
    damage.bytes += length;
    return length;
  });
}
