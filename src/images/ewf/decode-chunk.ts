/** One chunk from its stored form: unpacked and checked; zeros (and a word about it) where that fails. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { ReadError } from '../../evidence/errors.ts';
import { adler32 } from './adler32.ts';
import { type ChunkRun } from './chunk-places.ts';
import { createInflater } from './inflater.ts';
import { runOf } from './kept-entries.ts';
import { mostPacked } from './layout.ts';
import { type SegmentSections } from './sections.ts';
import { type RunEntries } from './table-entries.ts';
import { type Volume } from './volume.ts';

/** What is wrong with a chunk; null for nothing. */
type Fault = readonly [code: string, message: string] | null;

/** Fills `target`, which has the size of the chunk, with what chunk `index` holds. */
export function createDecoder(
  sets: readonly SegmentSections[],
  { chunkSize }: Volume,
  runs: readonly ChunkRun[],
  entriesOf: (run: ChunkRun) => RunEntries | null,
  tell: (index: number, code: string, message: string) => void,
) {
  const inflate = createInflater();
  const stored = new Uint8Array(mostPacked(chunkSize));

  function decode(index: number, target: Uint8Array): Fault {
    const run = runOf(runs, index);
    const entries = run === null ? null : entriesOf(run);
    if (run === null || entries === null) {
      target.fill(0);
      return ['ewf.chunk-missing', 'this one and those behind it are not in the image, taken as zeros'];
    }
    const { name, source } = sets[run.table.segment]!;
    const at = index - run.firstChunk;
    const start = entries.starts[at]!;
    const compressed = entries.compressed[at] === 1;
    const most = compressed ? stored.length : target.length + 4;
    // a chunk ends where the next begins; where that is no use (the last of a table, damage) what is read too much is not looked at
    const given = entries.starts[at + 1]! - start;
    const length = Math.min(given > 0 ? given : most, most, source.size - start);
    if (length <= 0) {
      target.fill(0);
      return ['ewf.chunk-offset', `said to be at byte ${start} of ${name}, which ends at byte ${source.size}; taken as zeros`];
    }
    try {
      const bytes = stored.subarray(0, source.readInto(stored.subarray(0, length), start));
      return compressed ? unpack(bytes, target) : takeStored(bytes, target);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      target.fill(0);
      return ['read.bad-sector', `${name}: ${error.message}; taken as zeros`];
    }
  }

  function unpack(bytes: Uint8Array, target: Uint8Array): Fault {
    const { size, fault } = inflate(bytes, target);
    const full = size === target.length;
    if (full && fault === null) return null;
    if (fault === 'longer' && target.length < chunkSize) return unpackFilledUp(bytes, target);
    if (full && fault === 'checksum') return ['ewf.chunk-checksum', 'the checksum of its zlib stream does not fit; taken as it unpacks'];
    if (fault !== null && fault !== 'longer') {
      target.fill(0);
      return ['ewf.chunk-checksum', `cannot be unpacked (${fault}); taken as zeros`];
    }
    target.fill(0, size);
    const found = fault === null ? `${size} bytes` : `more than ${target.length} bytes`;
    return ['ewf.chunk-length', `unpacks to ${found}, expected ${target.length}; taken as far as it goes`];
  }

  /** A last chunk that was filled up to its full size: only all of it shows whether it is sound. */
  function unpackFilledUp(bytes: Uint8Array, target: Uint8Array): Fault {
    const whole = new Uint8Array(chunkSize);
    const fault = unpack(bytes, whole);
    target.set(whole.subarray(0, target.length));
    return fault;
  }

  return (index: number, target: Uint8Array): void => {
    const fault = decode(index, target);
    if (fault !== null) tell(index, ...fault);
  };
}

/** Uncompressed: the content, then its Adler-32. */
function takeStored(bytes: Uint8Array, target: Uint8Array): Fault {
  const content = bytes.subarray(0, target.length);
  target.set(content);
  if (bytes.length < target.length + 4) {
    target.fill(0, content.length);
    return ['ewf.chunk-length', `${bytes.length} bytes stored, expected ${target.length + 4}; taken as far as it goes`];
  }
  const expected = u32(viewOf(bytes), target.length);
  const found = adler32(content);
  if (found === expected) return null;
  return ['ewf.chunk-checksum', `its checksum is ${found.toString(16)}, stored is ${expected.toString(16)}; taken as it stands`];
}
