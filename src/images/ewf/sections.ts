/** The chain of sections of one segment file. */
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { descriptorFits, descriptorSize, fileHeaderSize, nearestType, readDescriptor, sectionTypes } from './layout.ts';

export interface Section {
  readonly type: string;
  /** Byte offset of its descriptor in the segment file. */
  readonly offset: number;
  /** Of what follows the descriptor, up to the next section at most. */
  readonly dataOffset: number;
  readonly dataSize: number;
  /** The chain broke in front of it: others may have stood there. */
  readonly afterBreak: boolean;
}

export interface SegmentSections {
  readonly name: string;
  readonly source: ByteSource;
  readonly number: number;
  readonly sections: readonly Section[];
}

/** Segments of 16 TiB have fewer: EnCase 1 wrote four sections for each 512 MiB. */
const mostSections = 200_000;

/** Each break costs a search: more of them than this are made, not met. */
const mostBreaks = 1000;

/** The chain leads to its end: nothing of the segment is cut off. */
export const isWhole = ({ sections }: SegmentSections): boolean => {
  const last = sections.at(-1);
  return last !== undefined && isLast(last);
};

/** Follows the chain; where it breaks, goes on at the next place that looks like a section. Offsets only rise, so it comes to an end. */
export const readSections = (source: ByteSource, name: string, problems: ProblemLog): Section[] =>
  withoutOverlap(followChain(source, name, problems));

function followChain(source: ByteSource, name: string, problems: ProblemLog): Section[] {
  const sections: Section[] = [];
  let offset = fileHeaderSize;
  let afterBreak = false;
  let breaks = 0;
  while (sections.length < mostSections && breaks < mostBreaks) {
    const descriptor = named(descriptorAt(source, offset, name, problems));
    if (descriptor !== null && (descriptor.fits || sectionTypes.has(descriptor.type))) {
      reportDescriptor(descriptor, name, problems);
      sections.push({ ...sectionOf(descriptor, source.size), afterBreak });
      afterBreak = false;
      if (isLast(descriptor)) return sections;
      const { next } = descriptor;
      const sound = next > offset && next < source.size;
      if (sound && (descriptor.fits || fitsAt(source, next))) {
        offset = next;
        continue;
      }
    }
    const found = findDescriptor(source, offset + 1);
    const broken = descriptor === null ? 'cannot be read' : `type ${printable(descriptor.type)}, leads to byte ${descriptor.next}`;
    const outcome = found === null ? 'no further section is found' : `the next one is found at byte ${found}`;
    const message = `${name}: the chain of sections breaks at byte ${offset} (${broken}, the file has ${source.size} bytes): ${outcome}`;
    problems.add({ code: 'ewf.section-chain', message, at: offset, hidesEvidence: true });
    if (found === null) return sections;
    offset = found;
    afterBreak = true;
    breaks++;
  }
  const reached = breaks < mostBreaks ? `more than ${mostSections} sections` : `the chain of sections breaks ${mostBreaks} times`;
  const message = `${name}: ${reached}: the rest is not read`;
  problems.add({ code: 'ewf.section-chain', message, at: offset, hidesEvidence: true });
  return sections;
}

type Descriptor = ReturnType<typeof readDescriptor> & { readonly offset: number; readonly fits: boolean };

/** Where its checksum does not fit, one wrong letter may be all that is wrong with it. */
function named(descriptor: Descriptor | null): Descriptor | null {
  if (descriptor === null || descriptor.fits) return descriptor;
  return { ...descriptor, type: nearestType(descriptor.type) ?? descriptor.type };
}

const isLast = ({ type }: { readonly type: string }): boolean => type === 'next' || type === 'done';

/** A size that may be damaged is not used: the section then goes on to the next one. */
function sectionOf({ type, offset, size, fits }: Descriptor, fileSize: number): Omit<Section, 'afterBreak'> {
  const dataOffset = offset + descriptorSize;
  const room = Math.max(0, fileSize - dataOffset);
  return { type, offset, dataOffset, dataSize: fits && size >= descriptorSize ? Math.min(size - descriptorSize, room) : room };
}

/** No byte belongs to two sections: else a hostile file could have the same gigabytes read for each of them. */
const withoutOverlap = (sections: readonly Section[]): Section[] =>
  sections.map((section, index) => {
    const room = Math.max(0, (sections[index + 1]?.offset ?? Number.POSITIVE_INFINITY) - section.dataOffset);
    return room < section.dataSize ? { ...section, dataSize: room } : section;
  });

function reportDescriptor({ type, offset, fits }: Descriptor, name: string, problems: ProblemLog): void {
  const place = `${name}: section at byte ${offset}`;
  if (!fits) problems.add({ code: 'ewf.section-checksum', message: `${place} ('${type}'): its checksum does not fit`, at: offset });
  if (sectionTypes.has(type)) return;
  const message = `${place}: its type ${printable(type)} is not known, it is passed over`;
  problems.add({ code: 'ewf.section-type', message, at: offset, hidesEvidence: true });
}

const printable = (type: string): string =>
  /^[\x20-\x7e]+$/.test(type) ? `'${type}'` : `0x${Buffer.from(type, 'latin1').toString('hex')}`;

function descriptorAt(source: ByteSource, offset: number, name: string, problems: ProblemLog): Descriptor | null {
  try {
    const bytes = source.read(offset, descriptorSize);
    if (bytes.length === descriptorSize) return { ...readDescriptor(bytes), offset, fits: descriptorFits(bytes) };
    const message = `${name}: a section is expected at byte ${offset}, the file ends at byte ${source.size}`;
    problems.add({ code: 'ewf.truncated', message, at: offset, hidesEvidence: true });
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    const message = `${name}: section at byte ${offset}: ${error.message}`;
    problems.add({ code: 'read.bad-sector', message, at: offset, hidesEvidence: true });
  }
  return null;
}

function fitsAt(source: ByteSource, offset: number): boolean {
  const bytes = readWindow(source, offset, descriptorSize);
  return bytes?.length === descriptorSize && descriptorFits(bytes);
}

const firstWindow = 16 * 1024;
const largestWindow = 1024 * 1024;

/** The next place from `from` on with a section's name, a checksum that fits, and a next section behind it. Null when there is none. */
function findDescriptor(source: ByteSource, from: number): number | null {
  let size = firstWindow;
  for (let start = from; start + descriptorSize <= source.size; ) {
    const window = readWindow(source, start, size);
    if (window === null && size > firstWindow) {
      size = firstWindow; // once more, to lose as little as possible to a bad sector
      continue;
    }
    const found = window === null ? null : nearestDescriptor(window, start, source.size);
    if (found !== null) return found;
    start += size - descriptorSize;
    size = window === null ? firstWindow : Math.min(size * 4, largestWindow);
  }
  return null;
}

function nearestDescriptor(window: Buffer, start: number, fileSize: number): number | null {
  let nearest: number | null = null;
  for (const type of sectionTypes) {
    const at = findType(window, type, start, fileSize);
    if (at !== null && (nearest === null || at < nearest)) nearest = at;
  }
  return nearest === null ? null : start + nearest;
}

function readWindow(source: ByteSource, start: number, length: number): Buffer | null {
  try {
    const bytes = source.read(start, length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return null; // the caller tells of the broken chain in any case
  }
}

function findType(window: Buffer, type: string, start: number, size: number): number | null {
  const wanted = Buffer.alloc(16);
  wanted.write(type, 'latin1');
  for (let at = window.indexOf(wanted); at >= 0 && at + descriptorSize <= window.length; at = window.indexOf(wanted, at + 1)) {
    const bytes = window.subarray(at, at + descriptorSize);
    const { next } = readDescriptor(bytes);
    const leads = type === 'next' || type === 'done' ? next >= start + at : next > start + at && next <= size;
    if (leads && descriptorFits(bytes)) return at;
  }
  return null;
}
