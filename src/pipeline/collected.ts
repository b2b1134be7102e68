/** What a unit's task has sent so far: held in memory while it is little, in a scratch file when it is much, until the unit commits. */
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ZstdOptions, zstdCompress, zstdDecompress } from 'node:zlib';
import { type Batch, type ListedFile } from '../evidence/task.ts';

const inMemory = 32 * 1024 * 1024;
const compress: (bytes: Uint8Array, options: ZstdOptions) => Promise<Buffer> = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Files for a child unit, packed. */
export interface FileGroup {
  readonly payload: Uint8Array;
  readonly count: number;
  readonly bytes: number;
}

export interface Collected {
  take(batch: Batch): Promise<void>;
  rows(table: 'entry' | 'problem'): AsyncIterable<Uint8Array>;
  groups(): AsyncIterable<FileGroup>;
  close(): Promise<void>;
}

/** The scratch file is made only when needed. It has no name from then on: whatever ends this process, it goes with it. */
export function collect(scratchFolder: string, name: string): Collected {
  const spool = openSpool(scratchFolder, name);
  const kept: { entry: Piece[]; problem: Piece[]; files: { piece: Piece; count: number; bytes: number }[] } = {
    entry: [],
    problem: [],
    files: [],
  };
  return {
    async take(batch) {
      if (batch.kind === 'rows') kept[batch.table].push(await spool.keep(batch.rows));
      else if (batch.kind === 'files') {
        const payload = await pack(batch.files);
        kept.files.push({ piece: await spool.keep(payload), count: batch.count, bytes: batch.bytes });
      }
    },
    async *rows(table) {
      for (const piece of kept[table]) yield await spool.read(piece);
    },
    async *groups() {
      for (const { piece, count, bytes } of kept.files) yield { payload: await spool.read(piece), count, bytes };
    },
    close: spool.close,
  };
}

/** The lines of a packed group, each alone in a group of its own. */
export async function singleFiles(payload: Uint8Array, sizeOf: (file: ListedFile) => number): Promise<FileGroup[]> {
  const lines = (await unpack(payload))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  return Promise.all(
    lines.map(async (line) => ({
      payload: await pack(Buffer.from(`${line}\n`)),
      count: 1,
      bytes: sizeOf(JSON.parse(line) as ListedFile),
    })),
  );
}

/** Told the size, zstd takes no more memory than so much needs. */
const pack = (bytes: Uint8Array): Promise<Buffer> => compress(bytes, { pledgedSrcSize: bytes.length });

export const unpack = (payload: Uint8Array): Promise<Buffer> => decompress(payload);

type Piece = { readonly bytes: Uint8Array } | { readonly offset: number; readonly length: number };

function openSpool(folder: string, name: string) {
  const path = join(folder, name);
  let held = 0;
  let end = 0;
  let file: FileHandle | null = null;
  return {
    async keep(bytes: Uint8Array): Promise<Piece> {
      if (held + bytes.length <= inMemory) {
        held += bytes.length;
        return { bytes };
      }
      if (file === null) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        file = await open(path, 'wx+', 0o600);
        await rm(path);
      }
      const piece = { offset: end, length: bytes.length };
      end += bytes.length;
      await file.write(bytes, 0, bytes.length, piece.offset);
      return piece;
    },
    async read(piece: Piece): Promise<Uint8Array> {
      if ('bytes' in piece) return piece.bytes;
      const bytes = Buffer.alloc(piece.length);
      const { bytesRead } = await file!.read(bytes, 0, piece.length, piece.offset);
      if (bytesRead !== piece.length)
        throw new Error(`scratch file ${name}: ${bytesRead} bytes at ${piece.offset}, expected ${piece.length}`);
      return bytes;
    },
    async close(): Promise<void> {
      await file?.close();
    },
  };
}
