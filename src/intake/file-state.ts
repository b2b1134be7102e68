/** What a file is at this moment: the tuple that betrays a later change. */
import { type BigIntStats } from 'node:fs';
import { type StatTuple } from '../store/schema.ts';

export const fileState = (name: string, found: BigIntStats): StatTuple => ({
  name,
  size: Number(found.size),
  mtimeNs: String(found.mtimeNs),
  ctimeNs: String(found.ctimeNs),
  inode: String(found.ino),
  device: String(found.dev),
});
