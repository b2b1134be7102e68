/** The chain of sections of one segment file. */
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32, descriptorSize, fileHeaderSize, readDescriptor } from './layout.ts';

export interface Section {
  readonly type: string;
  /** Byte offset of its descriptor in the segment file. */
  readonly offset: number;
  /** Of what follows the descriptor. */
  readonly dataOffset: number;
  readonly dataSize: number;
}

export interface SegmentSections {
  readonly name: string;
  readonly source: ByteSource;
  readonly number: number;
  readonly sections: readonly Section[];
  /** True when the chain came to its proper end (`next` or `done`). */
  readonly whole: boolean;
}

const known = new Set(['header', 'header2', 'xheader', 'volume', 'disk', 'data', 'sectors', 'table', 'table2', 'hash', 'digest', 'xhash']);
for (const type of ['error2', 'session', 'next', 'done', 'incomplete', 'ltree', 'ltypes']) known.add(type);

/** A segment of 2 TiB with sections of a chunk each has fewer. */
const mostSections = 1_000_000;

/** Follows the chain as far as it leads: offsets must rise, so it cannot turn in a circle. */
export function readSections(source: ByteSource, name: string, problems: ProblemLog): { sections: Section[]; whole: boolean } {
  const sections: Section[] = [];
  let offset = fileHeaderSize;
  while (sections.length < mostSections) {
    const bytes = readAt(source, offset, name, problems);
    if (bytes === null) return { sections, whole: false };
    const { type, next, size, checksum } = readDescriptor(bytes);
    const stop = (what: string) => {
      problems.add({
        code: 'ewf.section-chain',
        message: `${name}: section at byte ${offset}: ${what}; what follows is not read`,
        at: offset,
        hidesEvidence: true,
      });
      return { sections, whole: false };
    };
    if (!known.has(type)) return stop(`its type is not known, found '${type.slice(0, 16)}'`);
    if (adler32(bytes.subarray(0, 72)) !== checksum) {
      const message = `${name}: section '${type}' at byte ${offset}: its checksum does not fit`;
      problems.add({ code: 'ewf.section-checksum', message, at: offset });
    }
    const last = type === 'next' || type === 'done';
    const end = last || next <= offset ? source.size : next;
    const dataOffset = offset + descriptorSize;
    const claimed = size >= descriptorSize ? size - descriptorSize : end - dataOffset;
    sections.push({ type, offset, dataOffset, dataSize: Math.max(0, Math.min(claimed, source.size - dataOffset)) });
    if (last) return { sections, whole: true };
    if (next <= offset) return stop(`the next one is said to be at byte ${next}, expected a place behind it`);
    if (next >= source.size) return stop(`the next one is said to be at byte ${next}, the file ends at ${source.size}`);
    offset = next;
  }
  problems.add({ code: 'ewf.section-chain', message: `${name}: more than ${mostSections} sections`, hidesEvidence: true });
  return { sections, whole: false };
}

function readAt(source: ByteSource, offset: number, name: string, problems: ProblemLog): Uint8Array | null {
  try {
    const bytes = source.read(offset, descriptorSize);
    if (bytes.length === descriptorSize) return bytes;
    const message = `${name}: a section is expected at byte ${offset}, the file ends at ${source.size}`;
    problems.add({ code: 'ewf.truncated', message, at: offset, hidesEvidence: true });
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({
      code: 'read.bad-sector',
      message: `${name}: section at byte ${offset}: ${error.message}`,
      at: offset,
      hidesEvidence: true,
    });
  }
  return null;
}
