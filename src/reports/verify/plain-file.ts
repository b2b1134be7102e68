/** Files of a folder that nobody vouches for: only plain ones are opened, and none is read into memory beyond a limit. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';

/** False for what is not there, and for links, pipes and devices: to open one could wait for ever, or lead out of the folder. */
export const isPlainFile = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;

export const sizeOf = (path: string): number => lstatSync(path).size;

/** Neither follows a link nor waits for a pipe: what a name stands for may have changed since it was looked at. Throws Error for what is no plain file. */
export function openPlain(path: string): number {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants; // the last two are not there on Windows
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw new Error('is no plain file');
}

/** Throws Error for what is no plain file or larger than `largest` bytes. */
export function readBytes(path: string, largest: number): Buffer {
  const descriptor = openPlain(path);
  try {
    const { size } = fstatSync(descriptor);
    if (size > largest) throw new Error(`has ${size} bytes, expected at most ${largest}`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws TypeError for what is no UTF-8: no two files may read alike. */
export const readText = (path: string, largest: number): string => strict.decode(readBytes(path, largest));
