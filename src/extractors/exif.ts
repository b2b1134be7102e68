/** Metadata of images, read by exifr: EXIF, GPS, IPTC, text of PNG files. Values stay as written: times without a zone, nothing translated. */
import exifr from 'exifr';
import { type ByteSource } from '../bytes/source.ts';
import { hex, safeText } from '../bytes/text.ts';
import { ReadError } from '../evidence/errors.ts';
import { type Extractor, type Facts } from '../evidence/extractor.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { isHeif, readHeifExif } from './exif/heif-item.ts';
import { mostSegments, readJpegHead } from './exif/jpeg-segments.ts';
import { walkTiff } from './exif/tiff-walk.ts';
import { iptcValue, plainValue, type Value } from './exif/values.ts';

export const exif: Extractor = {
  name: 'exif',
  accepts: (mediaType) => mediaTypes.has(mediaType),
  extract,
};

const mediaTypes = new Set(['image/jpeg', 'image/tiff', 'image/x-canon-cr2', 'image/heic', 'image/heif', 'image/avif', 'image/png']);

/** A JPEG keeps its metadata before its picture; others may keep it anywhere, and are looked at only so far. */
const firstLook = 64 * 1024;
const secondLook = 8 * 1024 * 1024;
/** Writers of TIFF put its directory behind the picture. */
const tiffLook = 64 * 1024 * 1024;

/** Values as they are stored: nothing turned into dates of this machine's zone, nothing translated, previews left out. */
const options = {
  tiff: true,
  ifd0: {},
  exif: true,
  gps: true,
  interop: false,
  ifd1: false,
  iptc: true,
  xmp: false,
  icc: false,
  jfif: false,
  ihdr: true,
  makerNote: false,
  userComment: true,
  translateKeys: true,
  translateValues: false,
  reviveValues: false,
  sanitize: true,
  mergeOutput: false,
  silentErrors: true,
} as const;

async function extract(source: ByteSource, problems: ProblemLog): Promise<Facts | null> {
  try {
    const head = source.read(0, firstLook);
    const bytes = isHeif(head) ? heifExif(source, problems) : metadataOf(source, head);
    if (bytes === null) return null;
    const size = isHeif(head) ? bytes.length : source.size;
    return isHarmless(bytes, size, problems) ? settle(await parse(bytes), bytes, problems) : null;
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `metadata of the image: ${error.message}`, at: error.offset });
    return null;
  }
}

const latin = (bytes: Uint8Array, at: number, length: number): string => Buffer.from(bytes.subarray(at, at + length)).toString('latin1');
const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8;
const isTiff = (bytes: Uint8Array): boolean => /^(II\*\0|MM\0\*)/.test(latin(bytes, 0, 4));

/** exifr's own way through these files never ends where a box claims no bytes. */
function heifExif(source: ByteSource, problems: ProblemLog): Uint8Array | null {
  const { tiff, fault } = readHeifExif(source);
  if (fault !== null) problems.add({ code: 'exif.damaged', message: `metadata of the image: ${fault}` });
  if (tiff === null || isTiff(tiff)) return tiff;
  problems.add({
    code: 'exif.damaged',
    message: `metadata of the image: the Exif item begins with ${hex(tiff.subarray(0, 4))}, expected a TIFF header`,
  });
  return null;
}

/** As many of the first bytes as hold metadata, or as are looked at. */
function metadataOf(source: ByteSource, head: Uint8Array): Uint8Array {
  const enough = head.length === source.size || (isJpeg(head) && readJpegHead(head).end !== null);
  const bytes = enough ? head : source.read(0, isTiff(head) ? tiffLook : secondLook);
  if (isJpeg(bytes)) return bytes.subarray(0, (readJpegHead(bytes).end ?? bytes.length) + 2); // with the marker that ends it
  return latin(bytes, 0, 4) === '\x89PNG' ? bytes.subarray(0, pngEnd(bytes)) : bytes;
}

/** Where the first ten thousand chunks end. Spec: PNG 3rd edition, 5.3. */
function pngEnd(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 8;
  for (let count = 0; count < mostSegments && at + 12 <= bytes.length; count++) at += 12 + view.getUint32(at);
  return Math.min(at, bytes.length);
}

/** Tells what is wrong with the TIFF structures. False where the fields of one lie over one another: exifr would read the same bytes again and again. */
function isHarmless(bytes: Uint8Array, size: number, problems: ProblemLog): boolean {
  for (const { start, length, whole, certain } of tiffsIn(bytes, size)) {
    const { faults, claimed, beyond } = walkTiff(bytes.subarray(start, start + length), whole);
    if (certain)
      for (const { at, message } of faults)
        problems.add({ code: 'exif.damaged', message: `metadata of the image: ${message}`, at: start + at });
    if (certain && beyond !== null) {
      const message = `metadata of the image: it stands at byte ${beyond}, only the first ${bytes.length} are looked at`;
      problems.add({ code: 'exif.far', message, at: start, hidesEvidence: true });
    }
    if (claimed > whole + firstLook) {
      const message = `metadata of the image: its fields claim ${claimed} bytes, the structure has ${whole}; it was not read`;
      problems.add({ code: 'exif.overlap', message, at: start, hidesEvidence: true });
      return false;
    }
  }
  return true;
}

interface TiffPlace {
  readonly start: number;
  readonly length: number;
  readonly whole: number;
  /** False where it only looks like one. */
  readonly certain: boolean;
}

function* tiffsIn(bytes: Uint8Array, size: number): Iterable<TiffPlace> {
  if (isTiff(bytes)) yield { start: 0, length: bytes.length, whole: size, certain: true };
  else if (isJpeg(bytes)) {
    for (const { marker, offset, length } of readJpegHead(bytes).segments) {
      const whole = Math.min(length - 6, size - offset - 6);
      if (marker === 0xe1 && latin(bytes, offset, 6) === 'Exif\0\0') yield { start: offset + 6, length: length - 6, whole, certain: true };
    }
  } else {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const signature of ['II*\0', 'MM\0*']) {
      for (let start = buffer.indexOf(signature, 0, 'latin1'); start >= 0; start = buffer.indexOf(signature, start + 4, 'latin1')) {
        yield { start, length: bytes.length - start, whole: size - start, certain: false };
      }
    }
  }
}

interface Parsed {
  readonly found: Record<string, unknown> | null;
  readonly error: unknown;
}

async function parse(bytes: Uint8Array): Promise<Parsed> {
  try {
    const found: unknown = await exifr.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), options);
    return { found: typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : null, error: null };
  } catch (error) {
    return { found: null, error };
  }
}

const mostFacts = 200;

/** What stands before the names of each group of exifr. */
const prefixes: Readonly<Record<string, string>> = {
  ifd0: 'exif',
  exif: 'exif',
  gps: 'exif',
  interop: 'exif',
  iptc: 'iptc',
  ihdr: 'png',
  png: 'png',
};

/** What exifr computes of degrees, minutes and seconds: nine decimals are a tenth of a millimetre. */
const computed = new Set(['latitude', 'longitude']);
const rounded = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toFixed(9)) : value);

function settle({ found, error }: Parsed, bytes: Uint8Array, problems: ProblemLog): Facts | null {
  if (error !== null) {
    const reason = (error instanceof Error ? error.message : String(error)).replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
    problems.add({ code: 'exif.damaged', message: `metadata of the image could not be read: ${reason}` });
    return null;
  }
  if (found === null) return null;
  if (Array.isArray(found.errors))
    problems.add({ code: 'exif.damaged', message: `parts of the image's metadata could not be read: ${found.errors.length}` });
  const bigEndian = Buffer.from(bytes.subarray(0, 64)).includes('MM\0*', 0, 'latin1');
  const facts = new Map<string, Value>();
  for (const [group, prefix] of Object.entries(prefixes)) {
    const values = found[group];
    if (typeof values !== 'object' || values === null) continue;
    for (const [key, given] of Object.entries(values)) {
      const value = prefix === 'iptc' ? iptcValue(given) : plainValue(key, computed.has(key) ? rounded(given) : given, bigEndian);
      if (value !== null) facts.set(`${prefix}.${safeText(key).slice(0, 64).toWellFormed()}`, value);
    }
  }
  const comment = plainValue('UserComment', found.userComment, bigEndian);
  if (comment !== null) facts.set('exif.UserComment', comment);
  if (facts.size > mostFacts)
    problems.add({ code: 'exif.many', message: `${facts.size} facts about the image, the first ${mostFacts} by name are kept` });
  const kept = [...facts].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, mostFacts);
  return kept.length === 0 ? null : Object.fromEntries(kept);
}
