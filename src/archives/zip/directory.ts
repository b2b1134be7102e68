/** The central directory, through yauzl in raw mode: names stay bytes, so that no name can end the listing. */
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { type ByteSource, concatSources, memorySource, sliceSource } from '../../bytes/source.ts';
import { FormatError, ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type EndRecord, findEndRecords } from './end-record.ts';

/** What the directory, or a local header, says about a member. */
export interface DirectoryEntry {
  readonly nameRaw: Uint8Array;
  readonly extraFields: readonly { readonly id: number; readonly data: Uint8Array }[];
  readonly flags: number;
  readonly method: number;
  readonly dosTime: number;
  readonly dosDate: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
  readonly localHeaderOffset: number;
  readonly hostSystem: number;
  readonly externalAttributes: number;
  readonly comment?: Uint8Array;
  /** True when sizes and CRC are not to be relied on: found by its own header, with a descriptor behind the data. */
  readonly unsized?: boolean;
}

class SourceReader extends yauzl.RandomAccessReader {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    try {
      callback(null, this.#source.readInto(buffer.subarray(offset, offset + length), position));
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      callback(error);
    }
  }
}

export interface Directory {
  readonly file: ZipFile;
  readonly record: EndRecord;
  /** Another end record before it: of an archive that is a stored member, or of a second directory. */
  readonly second: EndRecord | undefined;
}

/** Null, with a problem, where there is no directory to be found. */
export async function openDirectory(source: ByteSource, problems: ProblemLog): Promise<Directory | null> {
  try {
    const [record, second] = findEndRecords(source);
    if (record === undefined) throw new FormatError('zip.directory', 'no end record with a directory before it');
    tellAround(source, record, problems);
    const options = { autoClose: false, lazyEntries: true, decodeStrings: false, validateEntrySizes: false };
    const archive = concatSources([sliceSource(source, record.base, record.at + 20 - record.base), memorySource(new Uint8Array(2))]); // without its comment
    return { file: await yauzl.fromRandomAccessReaderPromise(new SourceReader(archive), archive.size, options), record, second };
  } catch (error) {
    const message = `the directory at the end cannot be read (${reason(error)}); members are looked for by their own headers`;
    problems.add({ code: 'zip.directory', message, hidesEvidence: true });
    return null;
  }
}

/** What lies before and behind the archive that its end record tells of. */
function tellAround(source: ByteSource, { base, end }: EndRecord, problems: ProblemLog): void {
  if (base > 0) problems.add({ code: 'zip.prefix', message: `the archive begins at byte ${base}: other data stands before it`, at: 0 });
  if (end < source.size)
    problems.add({ code: 'zip.trailing', message: `${source.size - end} bytes stand behind the end of the archive`, at: end });
}

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);

export async function* entriesOf({ file, record }: Directory, problems: ProblemLog): AsyncIterable<DirectoryEntry> {
  let count = 0;
  try {
    for await (const entry of file.eachEntry()) {
      count++;
      yield convert(entry, record.base);
    }
  } catch (error) {
    const message = `the directory breaks off after ${count} of ${file.entryCount} members (${reason(error)}); others are looked for by their own headers`;
    problems.add({ code: 'zip.directory', message, hidesEvidence: true });
  }
}

const convert = (entry: Entry, base: number): DirectoryEntry => ({
  nameRaw: entry.fileNameRaw,
  extraFields: entry.extraFields,
  flags: entry.generalPurposeBitFlag,
  method: entry.compressionMethod,
  dosTime: entry.lastModFileTime,
  dosDate: entry.lastModFileDate,
  crc: entry.crc32,
  compressedSize: entry.compressedSize,
  uncompressedSize: entry.uncompressedSize,
  localHeaderOffset: base + entry.relativeOffsetOfLocalHeader,
  hostSystem: entry.versionMadeBy >> 8,
  externalAttributes: entry.externalFileAttributes,
  comment: entry.fileCommentRaw,
});
