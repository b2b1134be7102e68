/** The medium as a source of bytes: chunks where whole ones are asked for go straight to the caller, the last few of the others are kept. */
import { type ProblemLog } from '../../evidence/problem.ts';
import { type ChunkRun } from './chunk-places.ts';
import { createDecoder } from './decode-chunk.ts';
import { keepEntries, lastRunAtOrBefore } from './kept-entries.ts';
import { type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

const keptBytes = 2 * 1024 * 1024;
const toldAtMost = 100_000;

export function createChunkReader(
  sets: readonly SegmentSections[],
  volume: Volume,
  runs: readonly ChunkRun[],
  damage: { bytes: number },
  problems: ProblemLog,
) {
  const { chunkSize, chunkCount, mediaSize } = volume;
  const entriesOf = keepEntries(sets, runs, problems);
  const decode = createDecoder(sets, volume, runs, entriesOf, damageTeller(volume, runs, damage, problems));
  const wholeChunk = keepChunks(volume, decode, damage);
  return {
    readInto(target: Uint8Array, offset: number): number {
      const wanted = Math.max(0, Math.min(target.length, mediaSize - offset));
      let done = 0;
      while (done < wanted) {
        const index = Math.floor((offset + done) / chunkSize);
        const within = offset + done - index * chunkSize;
        const size = sizeOfChunk(index, volume);
        const part = Math.min(wanted - done, size - within);
        if (part === size) decode(index, target.subarray(done, done + part));
        else target.set(wholeChunk(index).subarray(within, within + part), done);
        done += part;
      }
      return done;
    },
    /** For chunks that are not in the image: the end of what stands before them. Never falls. */
    endOf(index: number): { segment: number; offset: number } {
      const at = Math.min(index, chunkCount - 1);
      const last = runs[lastRunAtOrBefore(runs, at)];
      if (last === undefined) return { segment: 0, offset: 0 };
      const entries = entriesOf(last);
      const within = Math.min(at - last.firstChunk, last.count - 1);
      const { segment, dataStart } = last.table;
      return { segment, offset: Math.min(entries?.ends[within] ?? dataStart, sets[segment]!.source.size) };
    },
  };
}

const sizeOfChunk = (index: number, { chunkSize, mediaSize }: Volume): number => Math.min(chunkSize, mediaSize - index * chunkSize);

/** Counts every damaged chunk that is given out, tells of each once; of missing ones once for all that are missing together, whichever is read first. */
function damageTeller(volume: Volume, runs: readonly ChunkRun[], damage: { bytes: number }, problems: ProblemLog) {
  const told = new Set<number>();
  return (index: number, code: string, message: string): void => {
    damage.bytes += sizeOfChunk(index, volume);
    const first = code === 'ewf.chunk-missing' ? firstMissing(runs, index) : index;
    if (told.has(first) || told.size >= toldAtMost) return;
    told.add(first);
    const at = first * volume.chunkSize;
    problems.add({ code, message: `chunk ${first} (media byte ${at}): ${message}`, at, hidesEvidence: true });
  };
}

/** Chunk `index` lies in a run that cannot be read, or behind one. */
function firstMissing(runs: readonly ChunkRun[], index: number): number {
  const run = runs[lastRunAtOrBefore(runs, index)];
  if (run === undefined) return 0;
  return index < run.firstChunk + run.count ? run.firstChunk : run.firstChunk + run.count;
}

/** For small reads: the whole chunk, kept for the next one. Damage in a kept one counts again. */
function keepChunks(volume: Volume, decode: (index: number, target: Uint8Array) => void, damage: { bytes: number }) {
  const kept = new Map<number, { readonly content: Uint8Array; readonly damaged: number }>();
  const most = Math.max(2, Math.min(64, Math.floor(keptBytes / volume.chunkSize)));
  return (index: number): Uint8Array => {
    const known = kept.get(index);
    if (known !== undefined) {
      damage.bytes += known.damaged;
      return known.content;
    }
    const before = damage.bytes;
    const content = new Uint8Array(sizeOfChunk(index, volume));
    decode(index, content);
    if (kept.size >= most) kept.delete(kept.keys().next().value as number);
    kept.set(index, { content, damaged: damage.bytes - before });
    return content;
  };
}
