/** What the acquiring tool wrote down: header sections, stored digests, sectors it could not read. */
import { inflateSync } from 'node:zlib';
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { hex, safeText } from '../../bytes/text.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type Acquisition, type StoredHash } from '../../evidence/image.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32 } from './adler32.ts';
import { type Section, type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

export interface ImageFacts {
  readonly acquisition: Acquisition;
  readonly storedHashes: readonly StoredHash[];
}

const largestHeader = 1024 * 1024;
const mostErrors = 100_000;
/** The tools write headers twice, and the rest once for each image; a set of many segments may repeat them. */
const mostOfType = 64;

/** Identifiers of the header's columns (libewf documentation, section "Header section"). */
const columns: Readonly<Record<string, keyof Acquisition>> = {
  c: 'caseNumber',
  n: 'evidenceNumber',
  a: 'description',
  e: 'examiner',
  t: 'notes',
  av: 'toolVersion',
  ov: 'operatingSystem',
  m: 'acquired',
  u: 'systemDate',
  md: 'model',
  sn: 'serialNumber',
};

/** The same of the XML that ewfacquire writes into EWF-X files. */
const elements: Readonly<Record<string, keyof Acquisition>> = {
  case_number: 'caseNumber',
  evidence_number: 'evidenceNumber',
  description: 'description',
  examiner_name: 'examiner',
  notes: 'notes',
  acquiry_software_version: 'toolVersion',
  acquiry_operating_system: 'operatingSystem',
  acquiry_date: 'acquired',
  system_date: 'systemDate',
  model: 'model',
  serial_number: 'serialNumber',
};

const textTypes = ['header', 'header2', 'xheader', 'xhash'] as const;

export function readFacts(sets: readonly SegmentSections[], volume: Volume, problems: ProblemLog): ImageFacts {
  const [header, header2, xheader, xhash] = textTypes.map((type) => firstText(sets, type, problems)) as [string, string, string, string];
  const storedHashes = [
    ...sectionsOf(sets, ['hash', 'digest'], problems).flatMap(([set, section]) => readHashes(set, section, problems)),
    ...hashesOfXml(xhash),
  ];
  const errorSectors = sectionsOf(sets, ['error2'], problems).flatMap(([set, section]) => readErrors(set, section, problems));
  const told = { ...columnsOf(header), ...columnsOf(header2), ...elementsOf(xheader) };
  const errors = errorSectors.length > 0 ? { errorSectors: errorSectors.slice(0, mostErrors) } : {};
  return { acquisition: { ...told, ...volumeFacts(volume), ...errors }, storedHashes: withoutRepeats(storedHashes) };
}

type Placed = readonly [set: SegmentSections, section: Section];

/** The first ones of these types, in order. */
function sectionsOf(sets: readonly SegmentSections[], types: readonly string[], problems: ProblemLog): Placed[] {
  const all = sets.flatMap((set) => set.sections.filter(({ type }) => types.includes(type)).map((section): Placed => [set, section]));
  if (all.length > mostOfType) {
    const message = `${all.length} sections of type ${types.join(' or ')}: the first ${mostOfType} are read`;
    problems.add({ code: 'ewf.section-count', message, at: all[mostOfType]![1].offset, hidesEvidence: true });
  }
  return all.slice(0, mostOfType);
}

/** Empty where there is none that can be unpacked. */
function firstText(sets: readonly SegmentSections[], type: (typeof textTypes)[number], problems: ProblemLog): string {
  let first: string | undefined;
  for (const [set, section] of sectionsOf(sets, [type], problems)) {
    const text = readText(set, section, problems);
    if (text !== undefined) reportOther(first, text, set, section, problems);
    first ??= text;
  }
  return first ?? '';
}

/** EnCase and FTK Imager write headers twice, with the same words. */
function reportOther(before: string | undefined, text: string, { name }: SegmentSections, { type, offset }: Section, problems: ProblemLog) {
  if (before === undefined || before === text) return;
  const message = `${name}: ${type} section at byte ${offset}: tells other facts than the one before it; those of the first are given`;
  problems.add({ code: 'ewf.headers-differ', message, at: offset });
}

function volumeFacts({ mediaType, compressionLevel, setIdentifier }: Volume): Acquisition {
  const types: Readonly<Record<number, string>> = {
    0: 'removable disk',
    1: 'fixed disk',
    3: 'optical disc',
    14: 'logical evidence',
    16: 'memory',
  };
  const levels = ['no compression', 'good (fast) compression', 'best compression'];
  return {
    ...(mediaType === null ? {} : { mediaType: types[mediaType] ?? `unknown (${mediaType})` }),
    ...(compressionLevel === null ? {} : { compression: levels[compressionLevel] ?? `unknown (${compressionLevel})` }),
    ...(setIdentifier === null ? {} : { setIdentifier }),
  };
}

function readData(
  { name, source }: SegmentSections,
  { type, offset, dataOffset, dataSize }: Section,
  problems: ProblemLog,
): Uint8Array | null {
  try {
    return source.read(dataOffset, Math.min(dataSize, largestHeader));
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `${name}: ${type} section at byte ${offset}: ${error.message}`, at: offset });
    return null;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const windows1252 = new TextDecoder('windows-1252');

/** The code page of the acquiring machine stands nowhere: UTF-8 where the bytes are valid UTF-8, else that of western Windows. */
function textOfUnknownPage(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return windows1252.decode(bytes);
  }
}

/** Packed text: UTF-16 (header2), UTF-8 (xheader, xhash) or the code page of the acquiring machine (header). */
function readText(set: SegmentSections, section: Section, problems: ProblemLog): string | undefined {
  const packed = readData(set, section, problems);
  if (packed === null) return undefined;
  try {
    const bytes = inflateSync(packed, { maxOutputLength: largestHeader });
    if (bytes[0] === 0xff && bytes[1] === 0xfe) return safeText(bytes.subarray(2).toString('utf16le'));
    if (bytes[0] === 0xfe && bytes[1] === 0xff)
      return safeText(
        Buffer.from(bytes.subarray(2, bytes.length & ~1))
          .swap16()
          .toString('utf16le'),
      );
    return safeText(textOfUnknownPage(bytes));
  } catch (error) {
    const message = `${set.name}: ${section.type} section at byte ${section.offset}: cannot be unpacked (${(error as Error).message})`;
    problems.add({ code: 'ewf.header-damaged', message, at: section.offset });
    return undefined;
  }
}

/** Lines: version, `main`, identifiers, values; tabs between. Times are Unix seconds (header2) or `2026 11 23 19 28 54`. */
function columnsOf(text: string): Acquisition {
  const lines = text.split(/\r?\n/);
  const main = lines.indexOf('main');
  if (main < 0) return {};
  const names = (lines[main + 1] ?? '').split('\t');
  const values = (lines[main + 2] ?? '').split('\t');
  const facts: Record<string, string> = {};
  names.forEach((name, index) => {
    const key = columns[name];
    const value = values[index]?.trim();
    if (key !== undefined && value) facts[key] = key === 'acquired' || key === 'systemDate' ? timeOf(value) : value;
  });
  return facts;
}

function timeOf(value: string): string {
  if (/^\d{9,11}$/.test(value)) return new Date(Number(value) * 1000).toISOString().replace('.000', '');
  const parts = value.split(/\s+/).map(Number);
  if (parts.length !== 6 || parts.some(Number.isNaN)) return value;
  const [year, month, day, hour, minute, second] = parts.map((part) => String(part).padStart(2, '0'));
  return `${year}-${month}-${day}T${hour}:${minute}:${second} (zone not recorded)`;
}

/** The few flat elements that are looked for: no XML parser, no entities beyond the five. */
function elementsOf(xml: string): Acquisition {
  const facts: Record<string, string> = {};
  for (const [element, key] of Object.entries(elements)) {
    const value = elementText(xml, element);
    if (value) facts[key] = value;
  }
  return facts;
}

function elementText(xml: string, element: string): string | null {
  const start = xml.indexOf(`<${element}>`);
  const end = start < 0 ? -1 : xml.indexOf(`</${element}>`, start);
  if (end < 0) return null;
  const text = xml.slice(start + element.length + 2, end);
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
    .trim();
}

const hexDigits = { md5: 32, sha1: 40, sha256: 64 };

function hashesOfXml(xml: string): StoredHash[] {
  return (['md5', 'sha1', 'sha256'] as const).flatMap((algorithm) => {
    const value = (elementText(xml, algorithm.toUpperCase()) ?? elementText(xml, algorithm) ?? '').toLowerCase();
    return value.length === hexDigits[algorithm] && /^[0-9a-f]+$/.test(value) ? [{ algorithm, value, place: 'xhash section' }] : [];
  });
}

/** `hash`: MD5. `digest`: MD5 and SHA-1; what is all zeros was not computed. */
function readHashes(set: SegmentSections, section: Section, problems: ProblemLog): StoredHash[] {
  const { type, offset } = section;
  const size = type === 'hash' ? 36 : 80;
  const bytes = readData(set, section, problems)?.subarray(0, size) ?? new Uint8Array(0);
  if (bytes.length < size) {
    problems.add({
      code: 'ewf.truncated',
      message: `${set.name}: ${type} section at byte ${offset}: ${bytes.length} bytes, expected ${size}`,
      at: offset,
    });
    return [];
  }
  if (adler32(bytes.subarray(0, size - 4)) !== u32(viewOf(bytes), size - 4)) {
    problems.add({
      code: 'ewf.hash-checksum',
      message: `${set.name}: ${type} section at byte ${offset}: its checksum does not fit`,
      at: offset,
    });
  }
  const place = `${type} section`;
  const md5: StoredHash = { algorithm: 'md5', value: hex(bytes.subarray(0, 16)), place };
  const found = type === 'hash' ? [md5] : [md5, { algorithm: 'sha1', value: hex(bytes.subarray(16, 36)), place } as const];
  return found.filter(({ value }) => !/^0*$/.test(value));
}

/** The same digest often stands in several places: each place once. */
function withoutRepeats(hashes: readonly StoredHash[]): StoredHash[] {
  const byText = new Map(hashes.map((hash) => [`${hash.algorithm} ${hash.value} ${hash.place}`, hash]));
  return [...byText.values()];
}

const errorHeaderSize = 520;

function readErrors(set: SegmentSections, section: Section, problems: ProblemLog): { firstSector: number; sectorCount: number }[] {
  const bytes = readData(set, section, problems);
  if (bytes === null || bytes.length < errorHeaderSize) return [];
  const view = viewOf(bytes);
  const room = Math.floor((bytes.length - errorHeaderSize) / 8);
  const count = Math.min(u32(view, 0), room, mostErrors);
  if (u32(view, 0) > count) {
    const message = `${set.name}: error2 section at byte ${section.offset}: ${u32(view, 0)} ranges, ${count} are read`;
    problems.add({ code: 'ewf.error-list', message, at: section.offset });
  }
  return Array.from({ length: count }, (_, index) => ({
    firstSector: u32(view, errorHeaderSize + index * 8),
    sectorCount: u32(view, errorHeaderSize + index * 8 + 4),
  }));
}
