/** Metadata of images, read by exifr: EXIF, GPS, IPTC, dimensions. Keys are `exif.` and the names of EXIF 2.32 (exiv2.org lists them); times stay as written, without a zone. */
import exifr from 'exifr';
import { type ByteSource } from '../bytes/source.ts';
import { safeText } from '../bytes/text.ts';
import { ReadError } from '../evidence/errors.ts';
import { type Extractor, type Facts } from '../evidence/extractor.ts';
import { type ProblemLog } from '../evidence/problem.ts';

export const exif: Extractor = {
  name: 'exif',
  accepts: (mediaType) => mediaTypes.has(mediaType),
  extract,
};

const mediaTypes = new Set(['image/jpeg', 'image/tiff', 'image/heic', 'image/heif', 'image/avif', 'image/png']);

/** A JPEG keeps its metadata in front; others may keep it anywhere, and are looked at only so far. */
const firstLook = 64 * 1024;
const secondLook = 8 * 1024 * 1024;

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
  userComment: false,
  translateKeys: true,
  translateValues: false,
  reviveValues: false,
  sanitize: true,
  mergeOutput: true,
  silentErrors: true,
} as const;

async function extract(source: ByteSource, problems: ProblemLog): Promise<Facts | null> {
  try {
    const head = source.read(0, firstLook);
    const first = await parse(head);
    if (first.found !== null || source.size <= firstLook || isJpegWithoutExif(head, first.error)) return settle(first, problems);
    return settle(await parse(source.read(0, secondLook)), problems);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `metadata of the image: ${error.message}`, at: error.offset });
    return null;
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

/** The pictures' data begins (ff da) within the head, and nothing was wrong: there is none to come. */
const isJpegWithoutExif = (head: Uint8Array, error: unknown): boolean =>
  error === null && head[0] === 0xff && head[1] === 0xd8 && Buffer.from(head).includes('\xff\xda', 0, 'latin1');

function settle({ found, error }: Parsed, problems: ProblemLog): Facts | null {
  if (error !== null) {
    const reason = (error instanceof Error ? error.message : String(error)).replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
    problems.add({ code: 'exif.damaged', message: `metadata of the image could not be read: ${reason}` });
    return null;
  }
  if (found === null) return null;
  if (Array.isArray(found.errors))
    problems.add({ code: 'exif.damaged', message: `parts of the image's metadata could not be read: ${found.errors.length}` });
  const facts: Record<string, string | number | boolean | (string | number)[]> = {};
  for (const key of Object.keys(found).sort().slice(0, mostFacts)) {
    const value = plain(found[key]);
    if (key !== 'errors' && value !== null) facts[`exif.${safeText(key).slice(0, 64)}`] = value;
  }
  return Object.keys(facts).length === 0 ? null : facts;
}

const mostFacts = 200;
const longestText = 1024;
const longestList = 64;

/** Plain values only; binary and nested ones are left out. */
function plain(value: unknown): string | number | boolean | (string | number)[] | null {
  if (typeof value === 'string') return trimmed(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  if (!Array.isArray(value) || value.length === 0 || value.length > longestList) return null;
  const list = value.map((item) => (typeof item === 'string' ? trimmed(item) : item));
  return list.every((item) => typeof item === 'string' || (typeof item === 'number' && Number.isFinite(item)))
    ? (list as (string | number)[])
    : null;
}

const trimmed = (text: string): string => safeText(text.replace(/\0+$/, '').slice(0, longestText)).trim();
