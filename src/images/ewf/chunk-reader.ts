/** Reads the medium out of its chunks: inflates, checks, and gives zeros (with a problem) for what is damaged or missing. */
import { inflateSync } from 'node:zlib';
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type PlacedTable, readEntries } from './chunk-tables.ts';
import { adler32 } from './layout.ts';
import { type Entries } from './recover-chunks.ts';
import { type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

const keptTables = 4;
const keptChunks = 32;
const toldAtMost = 100_000;

export function createChunkReader(
  sets: readonly SegmentSections[],
  volume: Volume,
  tables: readonly PlacedTable[],
  damage: { bytes: number },
  problems: ProblemLog,
) {
  const { chunkSize, chunkCount, mediaSize } = volume;
  const loaded = new Map<PlacedTable, Entries | null>();
  const decoded = new Map<number, Uint8Array>();
  const damaged = new Map<number, number>(); // chunks told of, with their size, so that a kept copy counts again
  let stored = new Uint8Array(chunkSize + 4096);

  const sizeOf = (index: number): number => Math.min(chunkSize, mediaSize - index * chunkSize);

  function entriesOf(table: PlacedTable): Entries | null {
    const known = loaded.get(table);
    if (known !== undefined) return known;
    const entries = readEntries(sets[table.segment]!, table, problems);
    if (loaded.size >= keptTables) loaded.delete(loaded.keys().next().value as PlacedTable);
    loaded.set(table, entries);
    return entries;
  }

  function tableFor(index: number): PlacedTable | null {
    let low = 0;
    let high = tables.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const table = tables[middle]!;
      if (index < table.firstChunk) high = middle - 1;
      else if (index >= table.firstChunk + table.count) low = middle + 1;
      else return table;
    }
    return null;
  }

  function tell(index: number, code: string, message: string): void {
    const size = sizeOf(index);
    damage.bytes += size;
    if (damaged.has(index) || damaged.size >= toldAtMost) return;
    damaged.set(index, size);
    if (code === 'ewf.chunk-missing' && damaged.has(index - 1)) return; // one problem for a run of them
    problems.add({
      code,
      message: `chunk ${index} (media byte ${index * chunkSize}): ${message}`,
      at: index * chunkSize,
      hidesEvidence: true,
    });
  }

  /** Fills `target` (the size of the chunk) with what chunk `index` holds. */
  function decode(index: number, target: Uint8Array): void {
    const table = tableFor(index);
    const entries = table === null ? null : entriesOf(table);
    if (table === null || entries === null) {
      target.fill(0);
      tell(index, 'ewf.chunk-missing', 'this and what follows it is not in the image, taken as zeros');
      return;
    }
    const { name, source } = sets[table.segment]!;
    const at = index - table.firstChunk;
    const start = entries.starts[at]!;
    const end = Math.min(entries.starts[at + 1]!, source.size);
    const compressed = entries.compressed[at] === 1;
    const most = compressed ? chunkSize + 4096 : target.length + 4; // deflate never grows a chunk by more (RFC 1951: 5 bytes a block)
    // the last chunk of a table ends somewhere before the next section: what is read too much is not looked at
    const length = Math.min(most, end > start ? end - start : most, source.size - start);
    if (length <= 0) {
      target.fill(0);
      tell(index, 'ewf.chunk-offset', `said to be at byte ${start} of ${name}, which ends at ${source.size}; taken as zeros`);
      return;
    }
    if (stored.length < length) stored = new Uint8Array(length);
    const bytes = stored.subarray(0, length);
    try {
      source.readInto(bytes, start);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      target.fill(0);
      tell(index, 'read.bad-sector', `${name}: ${error.message}; taken as zeros`);
      return;
    }
    if (compressed) inflate(index, bytes, target);
    else takeStored(index, bytes, target);
  }

  function inflate(index: number, bytes: Uint8Array, target: Uint8Array): void {
    try {
      const content = inflateSync(bytes, { chunkSize: target.length + 64, maxOutputLength: chunkSize + 64 });
      if (content.length < target.length) {
        target.fill(0);
        target.set(content);
        tell(index, 'ewf.chunk-size', `unpacks to ${content.length} bytes, expected ${target.length}; the rest is taken as zeros`);
        return;
      }
      target.set(content.subarray(0, target.length));
    } catch (error) {
      target.fill(0);
      tell(index, 'ewf.chunk-checksum', `cannot be unpacked (${(error as Error).message}); taken as zeros`);
    }
  }

  function takeStored(index: number, bytes: Uint8Array, target: Uint8Array): void {
    const content = bytes.subarray(0, target.length);
    target.set(content);
    if (bytes.length < target.length + 4) {
      target.fill(0, content.length);
      tell(index, 'ewf.chunk-size', `${bytes.length} bytes stored, expected ${target.length + 4}; the rest is taken as zeros`);
      return;
    }
    const expected = u32(viewOf(bytes), target.length);
    const found = adler32(content);
    if (found !== expected) {
      const message = `its checksum is ${found.toString(16)}, stored is ${expected.toString(16)}; taken as it stands`;
      tell(index, 'ewf.chunk-checksum', message);
    }
  }

  /** For small reads: the whole chunk, kept for the next one. */
  function wholeChunk(index: number): Uint8Array {
    const kept = decoded.get(index);
    if (kept !== undefined) {
      damage.bytes += damaged.get(index) ?? 0;
      return kept;
    }
    const reused = decoded.size >= keptChunks ? decoded.keys().next().value : undefined;
    const buffer = reused === undefined ? new Uint8Array(chunkSize) : decoded.get(reused)!;
    if (reused !== undefined) decoded.delete(reused);
    const whole = buffer.length === sizeOf(index) ? buffer : new Uint8Array(sizeOf(index));
    decode(index, whole);
    decoded.set(index, whole);
    return whole;
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
    /** For chunks that are not in the image: the end of the one before. */
    endOf(index: number): { segment: number; offset: number } {
      for (let at = Math.min(index, chunkCount - 1); at >= 0; ) {
        const table = tableFor(at);
        const entries = table === null ? null : entriesOf(table);
        if (table !== null && entries !== null) return { segment: table.segment, offset: entries.starts[at - table.firstChunk + 1]! };
        at = (table?.firstChunk ?? lastPlacedBefore(tables, at) + 1) - 1;
      }
      return { segment: 0, offset: 0 };
    },
  };
}

/** The last chunk before `index` that any table lists; -1 when there is none. */
function lastPlacedBefore(tables: readonly PlacedTable[], index: number): number {
  let last = -1;
  for (const { firstChunk, count } of tables) {
    if (firstChunk + count - 1 < index) last = firstChunk + count - 1;
  }
  return last;
}
