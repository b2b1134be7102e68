/** Files of a folder that nobody vouches for: only plain ones are opened, and none is read into memory beyond a limit. */
import { lstatSync, readFileSync } from 'node:fs';

/** False for what is not there, and for links, pipes and devices: to open one could wait for ever, or lead out of the folder. */
export const isPlainFile = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;

export const sizeOf = (path: string): number => lstatSync(path).size;

/** Throws Error for what is no plain file or larger than `largest` bytes. */
export function readBytes(path: string, largest: number): Buffer {
  const found = lstatSync(path);
  if (!found.isFile()) throw new Error('is no plain file');
  if (found.size > largest) throw new Error(`has ${found.size} bytes, expected at most ${largest}`);
  return readFileSync(path);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws TypeError for what is no UTF-8: no two files may read alike. */
export const readText = (path: string, largest: number): string => strict.decode(readBytes(path, largest));
