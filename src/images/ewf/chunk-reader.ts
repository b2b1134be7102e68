/** Reads the medium out of its chunks: unpacks, checks, and gives zeros (with a problem) for what is damaged or missing. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type ChunkRun } from './chunk-places.ts';
import { type ChunkTable } from './chunk-tables.ts';
import { createInflater } from './inflater.ts';
import { adler32, mostPacked } from './layout.ts';
import { type SegmentSections } from './sections.ts';
import { examineTable, type RunEntries, readEntries, recoveredEntries } from './table-entries.ts';
import { type Volume } from './volume.ts';

const keptRuns = 4;
const keptBytes = 2 * 1024 * 1024;
const toldAtMost = 100_000;

export function createChunkReader(
  sets: readonly SegmentSections[],
  { chunkSize, chunkCount, mediaSize }: Volume,
  runs: readonly ChunkRun[],
  damage: { bytes: number },
  problems: ProblemLog,
) {
  const entriesOf = keptEntries(sets, runs, problems);
  const inflate = createInflater();
  const stored = new Uint8Array(mostPacked(chunkSize));
  const told = new Set<number>();
  const kept = new Map<number, { readonly content: Uint8Array; readonly damaged: number }>();
  const keptChunks = Math.max(2, Math.min(64, Math.floor(keptBytes / chunkSize)));

  const sizeOf = (index: number): number => Math.min(chunkSize, mediaSize - index * chunkSize);

  function tell(index: number, code: string, message: string): void {
    damage.bytes += sizeOf(index);
    if (told.has(index) || told.size >= toldAtMost) return;
    const oneOfRun = code === 'ewf.chunk-missing' && told.has(index - 1); // one problem for a run of them
    told.add(index);
    if (oneOfRun) return;
    const at = index * chunkSize;
    problems.add({ code, message: `chunk ${index} (media byte ${at}): ${message}`, at, hidesEvidence: true });
  }

  /** Fills `target` (the size of the chunk) with what chunk `index` holds. */
  function decode(index: number, target: Uint8Array): void {
    const run = runOf(runs, index);
    const entries = run === null ? null : entriesOf(run);
    if (run === null || entries === null) {
      target.fill(0);
      tell(index, 'ewf.chunk-missing', 'this one and those behind it are not in the image, taken as zeros');
      return;
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
      tell(index, 'ewf.chunk-offset', `said to be at byte ${start} of ${name}, which ends at byte ${source.size}; taken as zeros`);
      return;
    }
    try {
      const bytes = stored.subarray(0, source.readInto(stored.subarray(0, length), start));
      if (compressed) unpack(index, bytes, target);
      else takeStored(index, bytes, target);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      target.fill(0);
      tell(index, 'read.bad-sector', `${name}: ${error.message}; taken as zeros`);
    }
  }

  function unpack(index: number, bytes: Uint8Array, target: Uint8Array): void {
    const { size, fault } = inflate(bytes, target);
    if (fault === null && size === target.length) return;
    if (fault === 'longer' && size === target.length && target.length < chunkSize) return; // a last chunk that was filled up to its full size
    if (fault === 'checksum' && size === target.length) {
      tell(index, 'ewf.chunk-checksum', 'the checksum of its zlib stream does not fit; taken as it unpacks');
    } else if (fault === null || fault === 'longer') {
      target.fill(0, size);
      const found = fault === null ? `${size} bytes` : `more than ${target.length} bytes`;
      tell(index, 'ewf.chunk-length', `unpacks to ${found}, expected ${target.length}; taken as far as it goes`);
    } else {
      target.fill(0);
      tell(index, 'ewf.chunk-checksum', `cannot be unpacked (${fault}); taken as zeros`);
    }
  }

  function takeStored(index: number, bytes: Uint8Array, target: Uint8Array): void {
    const content = bytes.subarray(0, target.length);
    target.set(content);
    if (bytes.length < target.length + 4) {
      target.fill(0, content.length);
      tell(index, 'ewf.chunk-length', `${bytes.length} bytes stored, expected ${target.length + 4}; taken as far as it goes`);
      return;
    }
    const expected = u32(viewOf(bytes), target.length);
    const found = adler32(content);
    if (found === expected) return;
    tell(index, 'ewf.chunk-checksum', `its checksum is ${found.toString(16)}, stored is ${expected.toString(16)}; taken as it stands`);
  }

  /** For small reads: the whole chunk, kept for the next one. */
  function wholeChunk(index: number): Uint8Array {
    const known = kept.get(index);
    if (known !== undefined) {
      damage.bytes += known.damaged;
      return known.content;
    }
    const before = damage.bytes;
    const content = new Uint8Array(sizeOf(index));
    decode(index, content);
    if (kept.size >= keptChunks) kept.delete(kept.keys().next().value as number);
    kept.set(index, { content, damaged: damage.bytes - before });
    return content;
  }

  return {
    readInto(target: Uint8Array, offset: number): number {
      const wanted = Math.max(0, Math.min(target.length, mediaSize - offset));
      let done = 0;
      while (done < wanted) {
        const index = Math.floor((offset + done) / chunkSize);
        const within = offset + done - index * chunkSize;
        const size = sizeOf(index);
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

/** The entries of a few runs are kept: media are mostly read in order. */
function keptEntries(sets: readonly SegmentSections[], runs: readonly ChunkRun[], problems: ProblemLog) {
  const examined = new Map<ChunkTable, ReturnType<typeof examineTable>>();
  const loaded = new Map<ChunkRun, RunEntries | null>();

  function load(run: ChunkRun): RunEntries | null {
    const { table } = run;
    if (table.recovered !== undefined) return recoveredEntries(run, table.recovered);
    const set = sets[table.segment]!;
    if (!examined.has(table)) examined.set(table, examineTable(set, table, problems));
    const good = examined.get(table) ?? null;
    try {
      return good === null ? null : readEntries(set, run, good);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      const { offset } = table.copies[0]!.section;
      const message = `${set.name}: table at byte ${offset}: ${error.message}`;
      problems.add({ code: 'read.bad-sector', message, at: offset, hidesEvidence: true });
      return null;
    }
  }

  return (run: ChunkRun): RunEntries | null => {
    const known = loaded.get(run);
    if (known !== undefined) return known;
    if (loaded.size >= Math.min(keptRuns, runs.length)) loaded.delete(loaded.keys().next().value as ChunkRun);
    const entries = load(run);
    loaded.set(run, entries);
    return entries;
  };
}

function runOf(runs: readonly ChunkRun[], index: number): ChunkRun | null {
  const run = runs[lastRunAtOrBefore(runs, index)];
  return run !== undefined && index < run.firstChunk + run.count ? run : null;
}

/** -1 when `index` lies before all of them. */
function lastRunAtOrBefore(runs: readonly ChunkRun[], index: number): number {
  let low = -1;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (runs[middle]!.firstChunk <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
