/** Segments for the tests of this folder: from a folder's files, or from bytes in memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { memorySource } from '../../src/bytes/source.ts';
import { type Segment } from '../../src/evidence/image.ts';
import { fixtureFolder } from '../support/fixture.ts';

export const segmentOf = (name: string, bytes: Uint8Array): Segment => ({ name, source: memorySource(bytes) });

export const segmentsAt = (paths: readonly string[]): Segment[] => paths.map((path) => segmentOf(basename(path), readFileSync(path)));

/** All `image.*` files of a fixture, in order. */
export const fixtureSegments = (name: string): Segment[] =>
  segmentsAt(
    readdirSync(fixtureFolder(name))
      .filter((file) => file.startsWith('image.'))
      .sort()
      .map((file) => join(fixtureFolder(name), file)),
  );
