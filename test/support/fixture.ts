/** The project's own fixtures: `fixtures/<format>-<what-is-special>/{image,expected.json,origin.md}`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { type ByteSource, memorySource } from '../../src/bytes/source.ts';

export const fixtureFolder = (name: string): string => join(import.meta.dirname, '..', '..', 'fixtures', name);

/** Path of the fixture's image (`image.*`, its first segment). */
export function fixturePath(name: string): string {
  const folder = fixtureFolder(name);
  const image = readdirSync(folder)
    .filter((file) => file === 'image' || file.startsWith('image.'))
    .sort()[0];
  if (image === undefined) throw new Error(`fixture ${name}: no file named image* in ${folder}`);
  return join(folder, image);
}

/** The fixture's image as a source; `.zst` is unpacked in memory. */
export function fixture(name: string): ByteSource {
  const path = fixturePath(name);
  const bytes = readFileSync(path);
  return memorySource(path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes);
}

// biome-ignore lint/suspicious/noExplicitAny: a fixture's own JSON, read by tests only
export const fixtureExpected = (name: string): any => JSON.parse(readFileSync(join(fixtureFolder(name), 'expected.json'), 'utf8'));

export const hasFixture = (name: string): boolean => existsSync(fixtureFolder(name));
