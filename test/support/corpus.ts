/** The corpus of real evidence that stands beside the project for its developers and CI: absent elsewhere, and then its tests are skipped by name. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type ByteSource, memorySource } from '../../src/bytes/source.ts';

export const corpusFolder = join(import.meta.dirname, '..', '..', '..', 'shared', 'corpus');
export const hasCorpus = existsSync(join(corpusFolder, 'manifest.json'));

/** Path below the corpus folder, e.g. `filesystems/gen/ext4.raw.zst`: `.zst` and `.gz` are unpacked in memory. */
export function corpusBytes(path: string): Uint8Array {
  const bytes = readFileSync(join(corpusFolder, path));
  if (path.endsWith('.zst')) return zstdDecompressSync(bytes);
  if (path.endsWith('.gz')) return gunzipSync(bytes);
  return bytes;
}

export const corpusSource = (path: string): ByteSource => memorySource(corpusBytes(path));

/** `expected.json` of `images`, `filesystems`, `archives`, `metadata` or `hostile`: what reference tools say. */
// biome-ignore lint/suspicious/noExplicitAny: the corpus' own JSON, read by tests only
export const corpusExpected = (area: string): any => JSON.parse(readFileSync(join(corpusFolder, area, 'expected.json'), 'utf8'));
