/** Seals a catalogue: its Merkle root over the canonical records in order, its digest, and the same as a table. Runs on a thread. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { createMerkleTree } from '../custody/merkle.ts';
import { type SealedCatalogue } from '../evidence/task.ts';
import { type CatalogueRecord, csvHeader, csvRow } from './csv.ts';
import { createTally } from './tally.ts';
import { openPlain } from './verify/plain-file.ts';

export interface CataloguePaths {
  readonly entriesPath: string;
  readonly csvPath: string;
  /** Locators of the volumes whose files were listed. */
  readonly volumes: readonly string[];
}

const writeSize = 1024 * 1024;

/** Throws Error where the records are not strictly in order: then two entries have one locator, or the export went wrong. */
export function sealCatalogue({ entriesPath, csvPath, volumes }: CataloguePaths, onProgress: (entries: number) => void): SealedCatalogue {
  const csv = openSync(csvPath, 'w', 0o600);
  try {
    let waiting = csvHeader;
    const flush = () => {
      writeAll(csv, Buffer.from(waiting));
      waiting = '';
    };
    const sealed = readCatalogue(entriesPath, volumes, (record) => {
      waiting += csvRow(record);
      if (waiting.length > writeSize) flush();
      onProgress(1);
    });
    flush();
    fsyncSync(csv);
    return sealed;
  } finally {
    closeSync(csv);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** Reads a catalogue from its file and computes its root and its tally anew; hands over every record. */
export function readCatalogue(path: string, volumes: readonly string[], onRecord: (record: CatalogueRecord) => void): SealedCatalogue {
  const tree = createMerkleTree();
  const digest = createHash('sha256');
  const tally = createTally(volumes);
  let before: Buffer | null = null;
  for (const line of linesOf(path, (bytes) => digest.update(bytes))) {
    const record = JSON.parse(line.toString('utf8')) as CatalogueRecord;
    const locator = Buffer.from(record.locator);
    if (before !== null && Buffer.compare(before, locator) >= 0) {
      throw new Error(`catalogue.order: entry ${tree.size}: '${record.locator.slice(0, 200)}' does not come behind the entry before it`);
    }
    before = locator;
    tree.add(line);
    tally.add(record);
    onRecord(record);
  }
  return { root: tree.root(), entries: tree.size, sha256: digest.digest('hex'), tally: tally.result() };
}

const readSize = 1024 * 1024;

/** In memory of its own: lines that were handed out stay as they are. */
function readPiece(descriptor: number): Buffer {
  const piece = Buffer.alloc(readSize);
  return piece.subarray(0, readSync(descriptor, piece));
}

/** No record comes near it; a file without line ends must not fill the memory. */
const longestLine = 16 * 1024 * 1024;

/** Lines without their ends. The last one must have an end too. */
export function* linesOf(path: string, onBytes: (bytes: Uint8Array) => void): Iterable<Buffer> {
  const descriptor = openPlain(path);
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (let bytes = readPiece(descriptor); bytes.length > 0; bytes = readPiece(descriptor)) {
      onBytes(bytes);
      const joined: Buffer = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let start = 0;
      for (let end = joined.indexOf(10); end >= 0; end = joined.indexOf(10, start)) {
        yield joined.subarray(start, end);
        start = end + 1;
      }
      rest = Buffer.from(joined.subarray(start));
      if (rest.length > longestLine) throw new Error(`catalogue.line: a line is longer than ${longestLine} bytes`);
    }
    if (rest.length > 0) throw new Error('catalogue.line: the last line has no end');
  } finally {
    closeSync(descriptor);
  }
}
