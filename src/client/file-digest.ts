/** SHA-256 of a file as it is, read once from end to end, and whether it stayed the same file meanwhile. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ApiError } from './api-error.ts';

export interface FileState {
  readonly size: number;
  /** Changes when anything of the file does. */
  readonly mark: string;
}

/** Throws ApiError where there is no file to be sent. */
export async function fileState(file: string): Promise<FileState> {
  try {
    const found = await stat(file, { bigint: true });
    if (!found.isFile()) throw new ApiError(0, 'image.kind', `${file}: is no file, expected an image file`);
    if (found.size === 0n) throw new ApiError(0, 'image.empty', `${file}: is empty, expected an image`);
    return { size: Number(found.size), mark: [found.size, found.mtimeNs, found.ctimeNs, found.ino, found.dev].join('-') };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new ApiError(0, 'image.not-found', `${file}: not found`);
    throw new ApiError(0, 'image.unreadable', `${file}: cannot be read by this account (${code})`, { cause: error });
  }
}

export async function digestFile(file: string, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024, signal }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      onBytes(bytes);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new ApiError(0, 'image.unreadable', `${file}: cannot be read at byte ${bytes} (${code})`, { cause: error });
  }
  return hash.digest('hex');
}
