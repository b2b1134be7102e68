/** Whether there is room for more on the disk of the data folder. Below the reserve nothing new is begun or taken in; it resumes by itself. */
import { statfs } from 'node:fs/promises';

export interface Room {
  readonly freeBytes: number;
  /** Nothing new is begun with less than this. */
  readonly reserveBytes: number;
  readonly short: boolean;
}

const share = 0.05;
const atLeast = 10 * 1024 ** 3;

/** `reserveBytes` null: 5 % of the file system, and at least 10 GiB. */
export async function roomIn(folder: string, reserveBytes: number | null): Promise<Room> {
  const { bsize, blocks, bavail } = await statfs(folder);
  const reserve = reserveBytes ?? Math.max(atLeast, Math.ceil(bsize * blocks * share));
  const freeBytes = bsize * bavail;
  return { freeBytes, reserveBytes: reserve, short: freeBytes < reserve };
}
