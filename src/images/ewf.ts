/** EWF-E01 and SMART (s01): the Expert Witness Compression Format. Spec: libewf documentation "Expert Witness Compression Format (EWF)". */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeSource } from '../bytes/source.ts';
import { FormatError } from '../evidence/errors.ts';
import { type Image, type ImageFormat, type Segment } from '../evidence/image.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { createChunkReader } from './ewf/chunk-reader.ts';
import { placeTables } from './ewf/chunk-tables.ts';
import { readFacts } from './ewf/facts.ts';
import { readFileHeader, signature } from './ewf/layout.ts';
import { readSections, type SegmentSections } from './ewf/sections.ts';
import { readVolume, type Volume } from './ewf/volume.ts';

export const ewf: ImageFormat = {
  name: 'ewf',
  label: 'Expert Witness (EWF-E01)',
  signatures: [{ at: 0, bytes: signature }],
  segmentPaths,
  open: openEwf,
};

/** `E01` to `E99`, then `EAA` to `EZZ`, `FAA` to `ZZZ`; 1 to 14,295. Null for anything else. SMART files start with `s`. */
export function segmentNumber(extension: string): number | null {
  const text = extension.toUpperCase();
  if (/^[ES]\d\d$/.test(text)) return Number(text.slice(1)) || null;
  if (!/^[E-Z][A-Z][A-Z]$/.test(text)) return null;
  const [a, b, c] = [0, 1, 2].map((at) => text.charCodeAt(at) - 65) as [number, number, number];
  const first = a - 4; // E
  return 100 + (first * 26 + b) * 26 + c;
}

const split = /^(.*)\.([A-Za-z][A-Za-z0-9]{2})$/;

/** All files beside `path` with its stem and a segment's extension, in order, also beyond a gap: `open` says what is missing. */
function segmentPaths(path: string): string[] {
  const given = split.exec(basename(path));
  if (given === null || segmentNumber(given[2]!) === null) return [path];
  const found = new Map<number, string>();
  for (const name of readdirSync(dirname(path)).sort()) {
    const parts = split.exec(name);
    const number = parts === null || parts[1] !== given[1] ? null : segmentNumber(parts[2]!);
    if (number !== null && !found.has(number)) found.set(number, join(dirname(path), name));
  }
  return [...found].sort(([a], [b]) => a - b).map(([, file]) => file);
}

function openEwf(segments: readonly Segment[], problems: ProblemLog): Image {
  const sets: SegmentSections[] = [];
  for (const { name, source } of segments) {
    const number = readFileHeader(source, name, problems);
    if (number === null) continue;
    sets.push({ name, source, number, ...readSections(source, name, problems) });
  }
  sets.sort((a, b) => a.number - b.number);
  if (sets.length === 0)
    throw new FormatError('ewf.signature', `${segments[0]?.name ?? 'image'}: no segment starts with the EWF signature`);
  reportMissing(sets, problems);
  const volume = findVolume(sets, problems);
  const damage = { bytes: 0 };
  const tables = placeTables(sets, volume, problems);
  const chunks = createChunkReader(sets, volume, tables, damage, problems);
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

function findVolume(sets: readonly SegmentSections[], problems: ProblemLog): Volume {
  let refused: unknown = null;
  for (const { name, source, sections } of sets) {
    for (const section of sections) {
      if (section.type !== 'volume' && section.type !== 'disk' && section.type !== 'data') continue;
      try {
        return readVolume(source, name, section, problems);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused = error;
      }
    }
  }
  if (refused !== null) throw refused;
  throw new FormatError('ewf.no-volume', `${sets[0]!.name}: no readable volume section: neither size nor chunks of the medium are known`);
}

function reportMissing(sets: readonly SegmentSections[], problems: ProblemLog): void {
  let expected = 1;
  for (const { name, number } of sets) {
    if (number > expected) {
      const which = number - expected === 1 ? `segment ${expected}` : `segments ${expected} to ${number - 1}`;
      problems.add({
        code: 'ewf.segment-missing',
        message: `${which} missing before ${name}, which is segment ${number}`,
        hidesEvidence: true,
      });
    } else if (number < expected) {
      problems.add({ code: 'ewf.segment-twice', message: `${name}: is segment ${number}, expected ${expected}`, hidesEvidence: true });
    }
    expected = Math.max(expected, number + 1);
  }
  const last = sets.at(-1)!;
  if (!last.sections.some(({ type }) => type === 'done')) {
    const message = `${last.name}: ends without a 'done' section: segment ${last.number + 1} is missing or this one is cut off`;
    problems.add({ code: 'ewf.segment-missing', message, hidesEvidence: true });
  }
}
