/** Lists a file system: entries without content become rows at once, files are gathered into batches for `examine-files`. */
import { deceptive, safeText } from '../bytes/text.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type Entry, type FileSystem } from '../evidence/file-system.ts';
import { type ListedFile, type ListFilesResult, type VolumeReference } from '../evidence/task.ts';
import { type EntryRecord, entryLocator, entryRow, recordOfEntry } from './entry-record.ts';
import { type Outlet } from './outlet.ts';
import { type LocatedProblems } from './problems.ts';

/**
 * A batch ends when it holds so many bytes of content or so many files: large enough to be cheap, small enough to be tried again. Where there
 * are many files batches grow with them: every unit costs about the same besides its files, and a million makes hundreds of units, not thousands.
 */
const batchBytes = 64 * 1024 * 1024;
const batchFiles = { least: 512, most: 4096, ofListed: 1 / 16 };

/** A file may claim any size: work is reckoned with no more than could be read of it, holes and all. */
const sparseTimes = 8;
const sparseBytes = 1024 ** 3;

export async function listFiles(
  fileSystem: FileSystem,
  volume: VolumeReference,
  outlet: Outlet,
  problems: LocatedProblems,
): Promise<ListFilesResult> {
  const batch = new FileBatch(outlet, Math.max(volume.length, sparseBytes) * sparseTimes);
  let entries = 0;
  try {
    for (const entry of fileSystem.entries()) {
      entries++;
      await take(entry, entryLocator(volume.locator, volume.fileSystem, entry.address), batch, outlet, problems);
      outlet.progress(0, 1);
    }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof ReadError)) throw error;
    problems.add({ code: 'list.stopped', message: `listing stopped after ${entries} entries: ${error.message}`, hidesEvidence: true });
  }
  await batch.send();
  const unallocated = measureUnallocated(fileSystem, problems);
  problems.close();
  await outlet.flush(true);
  return { entries, files: batch.totalFiles, bytes: batch.totalBytes, problems: problems.total, ...unallocated };
}

async function take(entry: Entry, locator: string, batch: FileBatch, outlet: Outlet, problems: LocatedProblems): Promise<void> {
  flagName(entry, problems);
  const codes = problems.takeCodes(locator);
  const record: EntryRecord = { ...recordOfEntry(entry, locator), ...(codes.length > 0 ? { problems: codes } : {}) };
  if (entry.type === 'file') {
    await batch.add(
      { address: entry.address, record: record as unknown as ListedFile['record'], firstOffset: entry.firstOffset },
      entry.size,
    );
  } else {
    outlet.addEntry(entryRow(record));
  }
  await outlet.flush();
}

function flagName({ name, address }: Entry, problems: LocatedProblems): void {
  if (name.raw !== undefined) {
    problems.add({
      code: 'name.not-unicode',
      message: `name '${safeText(name.text).slice(0, 200)}': its bytes are no plain Unicode text; kept as ${name.raw.slice(0, 400)}`,
      address,
    });
  } else if (deceptive.test(name.text)) {
    problems.add({
      code: 'name.deceptive',
      message: 'name holds control characters or characters that turn the reading direction',
      address,
    });
  }
}

function measureUnallocated(fileSystem: FileSystem, problems: LocatedProblems): { unallocatedBytes: number; unallocatedRanges: number } {
  let unallocatedBytes = 0;
  let unallocatedRanges = 0;
  try {
    for (const { length } of fileSystem.unallocated()) {
      unallocatedBytes += length;
      unallocatedRanges++;
    }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof ReadError)) throw error;
    problems.add({ code: 'list.unallocated', message: `the map of unallocated space could not be read to its end: ${error.message}` });
  }
  return { unallocatedBytes, unallocatedRanges };
}

/** Files waiting to become the payload of one unit, put into the order of their place on the disk. */
class FileBatch {
  readonly #outlet: Outlet;
  readonly #mostOfFile: number;
  #files: ListedFile[] = [];
  #bytes = 0;
  totalFiles = 0;
  totalBytes = 0;

  constructor(outlet: Outlet, mostOfFile: number) {
    this.#outlet = outlet;
    this.#mostOfFile = mostOfFile;
  }

  async add(file: ListedFile, size: number): Promise<void> {
    this.#files.push(file);
    this.#bytes += Math.min(size, this.#mostOfFile);
    if (this.#files.length >= this.#enough() || this.#bytes >= batchBytes) await this.send();
  }

  #enough(): number {
    return Math.min(batchFiles.most, Math.max(batchFiles.least, this.totalFiles * batchFiles.ofListed));
  }

  async send(): Promise<void> {
    if (this.#files.length === 0) return;
    const ordered = this.#files.sort((a, b) => (a.firstOffset ?? -1) - (b.firstOffset ?? -1));
    const files = new TextEncoder().encode(ordered.map((file) => `${JSON.stringify(file)}\n`).join(''));
    const batch = { kind: 'files', files, count: ordered.length, bytes: this.#bytes } as const;
    this.totalFiles += ordered.length;
    this.totalBytes = Math.min(this.totalBytes + this.#bytes, Number.MAX_SAFE_INTEGER);
    this.#files = [];
    this.#bytes = 0;
    await this.#outlet.send(batch, files);
  }
}
