/** EWF-E01 and SMART (s01): the Expert Witness Compression Format. Spec: libewf documentation "Expert Witness Compression Format (EWF)". */
import { makeSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type Image, type ImageFormat, type Segment } from '../evidence/image.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { type ChunkRun, placeChunks } from './ewf/chunk-places.ts';
import { createChunkReader } from './ewf/chunk-reader.ts';
import { correctedVolume } from './ewf/doubtful-volume.ts';
import { readFacts } from './ewf/facts.ts';
import { descriptorSize, readFileHeader, signature } from './ewf/layout.ts';
import { orderEwf } from './ewf/order.ts';
import { readSections, type SegmentSections } from './ewf/sections.ts';
import { nameOfSegment, segmentPaths } from './ewf/segment-names.ts';
import { findVolume, type Volume } from './ewf/volume.ts';

export const ewf: ImageFormat = {
  name: 'ewf',
  label: 'Expert Witness (EWF-E01)',
  signatures: [
    { at: 0, bytes: signature },
    ...['next', 'done'].map((type) => ({ at: -descriptorSize, bytes: type.padEnd(16, '\0') })), // its last section, where the start is damaged
  ],
  segmentPaths,
  orderSegments: orderEwf,
  open: openEwf,
};

function openEwf(segments: readonly Segment[], problems: ProblemLog): Image {
  const found = readSegments(segments, problems);
  if (found.length === 0)
    throw new FormatError('ewf.signature', `${segments[0]?.name ?? 'image'}: no segment starts with the EWF signature`);
  const { volume: told, foreign } = findVolume(found, problems);
  const sets = found.filter((set) => !foreign.has(set));
  reportMissing(sets, problems);
  const claimed = correctedVolume(told, sets, problems);
  const runs = placeChunks(sets, claimed, problems);
  if (runs.length === 0) throw new FormatError('ewf.no-chunks', `${sets[0]!.name}: no table of chunks is left, nor chunks without one`);
  const volume = believed(claimed, runs, sets, problems);
  const damage = { bytes: 0 };
  const chunks = createChunkReader(sets, volume, runs, damage, problems);
  const { acquisition, storedHashes } = readFacts(sets, volume, problems);
  return {
    media: makeSource(volume.mediaSize, chunks.readInto),
    sectorSize: volume.bytesPerSector,
    acquisition,
    storedHashes,
    damage,
    chunks: { chunkSize: volume.chunkSize, count: volume.chunkCount, endOf: chunks.endOf },
  };
}

/** In the order that the segments themselves tell. */
function readSegments(segments: readonly Segment[], problems: ProblemLog): SegmentSections[] {
  const sets = new Map<number, SegmentSections>();
  for (const { name, source } of segments) {
    const number = segmentNumber(name, source, problems);
    if (number === null) continue;
    const before = sets.get(number);
    if (before === undefined) {
      sets.set(number, { name, source, number, sections: readSections(source, name, problems) });
      continue;
    }
    const message = `${name}: says it is segment ${number}, as ${before.name} does: it is not read`;
    problems.add({ code: 'ewf.segment-twice', message, hidesEvidence: true });
  }
  return [...sets.values()].sort((a, b) => a.number - b.number);
}

function segmentNumber(name: string, source: Segment['source'], problems: ProblemLog): number | null {
  try {
    return readFileHeader(source, name, problems);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `${name}: ${error.message}`, at: 0, hidesEvidence: true });
    return null;
  }
}

function reportMissing(sets: readonly SegmentSections[], problems: ProblemLog): void {
  let expected = 1;
  for (const { name, number } of sets) {
    if (number > expected) {
      const [from, to] = [nameOfSegment(expected, name), nameOfSegment(number - 1, name)];
      const which = number - expected === 1 ? `segment ${expected} (${from})` : `segments ${expected} to ${number - 1} (${from} to ${to})`;
      const message = `${which} missing: the next one that is there is ${name}, which says it is segment ${number}`;
      problems.add({ code: 'ewf.segment-missing', message, hidesEvidence: true });
    }
    expected = number + 1;
  }
  const { name, number, sections } = sets.at(-1)!;
  if (sections.some(({ type }) => type === 'done')) return;
  const message = `${name} ends without a 'done' section: ${nameOfSegment(number + 1, name)} is missing, or this file is cut off`;
  problems.add({ code: 'ewf.segment-missing', message, hidesEvidence: true });
}

const freeClaim = 64 * 1024 ** 3;
const claimPerStoredByte = 4096;

/** A volume section may claim any size, and reading zeros for it would take for ever: deflate packs 1,032 to 1 at best, so far more is a lie. */
function believed(volume: Volume, runs: readonly ChunkRun[], sets: readonly SegmentSections[], problems: ProblemLog): Volume {
  const stored = sets.reduce((sum, { source }) => sum + source.size, 0);
  if (volume.mediaSize <= freeClaim + stored * claimPerStoredByte) return volume;
  const last = runs.at(-1)!;
  const chunkCount = last.firstChunk + last.count;
  const mediaSize = Math.min(volume.mediaSize, chunkCount * volume.chunkSize);
  const message = `the volume section claims ${volume.mediaSize} bytes, the segments hold ${stored}: the medium is taken to end at byte ${mediaSize}, where the tables end`;
  problems.add({ code: 'ewf.media-claim', message, at: mediaSize, hidesEvidence: true });
  return { ...volume, mediaSize, chunkCount };
}
