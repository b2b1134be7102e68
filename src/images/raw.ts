/** Raw images: the bytes of the medium as they are, in one file or split into numbered ones. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ByteSource, concatSources, makeSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type Image, type ImageFormat, type Segment } from '../evidence/image.ts';
import { type ProblemLog } from '../evidence/problem.ts';

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
  open: openSplit,
};

const sectorSize = 512;

function openRaw(segments: readonly Segment[], problems: ProblemLog): Image {
  const damage = { bytes: 0 };
  const joined = concatSources(segments.map(({ source }) => source));
  if (joined.size === 0) throw new FormatError('image.empty', `${segments[0]?.name ?? 'image'}: 0 bytes, expected a medium`);
  if (joined.size % sectorSize !== 0) {
    const message = `the medium has ${joined.size} bytes: its last sector is cut off, expected a multiple of ${sectorSize}`;
    problems.add({ code: 'raw.partial-sector', message, at: joined.size - (joined.size % sectorSize) });
  }
  return { media: readAround(joined, damage, problems), sectorSize, acquisition: {}, storedHashes: [], damage };
}

/** The smallest piece that is given up where the system refuses to read. */
const pieceSize = 4096;

/** Reads on where a read is refused: the sectors concerned read as zeros, are counted and told of once. */
export function readAround(source: ByteSource, damage: { bytes: number }, problems: ProblemLog): ByteSource {
  let toldUpTo = -1; // pieces are told of in the order they are met; going back over them tells again only below this
  const readPiece = (target: Uint8Array, offset: number) => {
    try {
      source.readInto(target, offset);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      target.fill(0);
      damage.bytes += target.length;
      if (offset <= toldUpTo) return;
      toldUpTo = offset;
      problems.add({ code: 'read.bad-sector', message: `${error.message}: taken as zeros`, at: offset, hidesEvidence: true });
    }
  };
  return makeSource(source.size, (target, offset) => {
    try {
      return source.readInto(target, offset);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
    }
    const wanted = Math.max(0, Math.min(target.length, source.size - offset));
    for (let at = 0; at < wanted; at += pieceSize) readPiece(target.subarray(at, Math.min(wanted, at + pieceSize)), offset + at);
    return wanted;
  });
}

/** `.001`, `.000`, `.01`, `.aa`, `.aaa`: the ways in which dd, split and imaging tools number the parts of an image. */
const suffix = /^(.+)\.(\d{2,4}|[a-z]{2,3}|[A-Z]{2,3})$/;

/** All numbered files beside `path` that belong to its set, from the first number on; empty where there is no set. */
function splitPaths(path: string): string[] {
  const given = suffix.exec(basename(path));
  if (given === null) return [];
  const [, stem, number] = given;
  const parts = new Map<number, string>();
  for (const name of readdirSync(dirname(path))) {
    const found = suffix.exec(name);
    if (found === null || found[1] !== stem || found[2]!.length !== number!.length || !sameKind(found[2]!, number!)) continue;
    parts.set(ordinal(found[2]!), join(dirname(path), name));
  }
  const first = [0, 1].find((start) => parts.has(start));
  if (first === undefined || !parts.has(ordinal(number!)) || (parts.size < 2 && !/^0+[01]$/.test(number!))) return [];
  const paths: string[] = [];
  for (let at = first; parts.has(at); at++) paths.push(parts.get(at)!);
  return paths.includes(path) ? paths : [...parts.keys()].sort((a, b) => a - b).map((key) => parts.get(key)!);
}

const kindOf = (text: string): string => (/^\d/.test(text) ? '0' : /^[a-z]/.test(text) ? 'a' : 'A');
const sameKind = (a: string, b: string): boolean => kindOf(a) === kindOf(b);

/** `aa` counts as 0, `ab` as 1. */
function ordinal(text: string): number {
  if (/^\d/.test(text)) return Number(text);
  let value = 0;
  for (const letter of text.toLowerCase()) value = value * 26 + (letter.charCodeAt(0) - 97);
  return value;
}

function openSplit(segments: readonly Segment[], problems: ProblemLog): Image {
  const numbers = segments.map(({ name }) => ordinal(suffix.exec(name)?.[2] ?? '0'));
  numbers.forEach((number, index) => {
    const before = numbers[index - 1];
    if (before === undefined || number === before + 1) return;
    const message = `between ${segments[index - 1]!.name} and ${segments[index]!.name} ${number - before - 1} parts are missing: what follows stands too early`;
    problems.add({ code: 'split-raw.segment-missing', message, hidesEvidence: true });
  });
  const sizes = segments.map(({ source }) => source.size);
  sizes.forEach((size, index) => {
    if (index === sizes.length - 1 || size === sizes[0]) return;
    const message = `${segments[index]!.name}: ${size} bytes, expected ${sizes[0]} like the first part`;
    problems.add({ code: 'split-raw.segment-size', message, hidesEvidence: size < sizes[0]! });
  });
  return openRaw(segments, problems);
}
