/** Media of the corpus against mmls 4.11.1 and sfdisk: partitions where there is a table, none where there is a file system. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ByteSource, memorySource } from '../../src/bytes/source.ts';
import { type VolumeSystemFormat } from '../../src/evidence/volume-system.ts';
import { ewf } from '../../src/images/ewf.ts';
import { gpt } from '../../src/volumes/gpt.ts';
import { mbr } from '../../src/volumes/mbr.ts';
import { expectTiling, placesOf, tryVolumes } from '../contracts/volume-system.ts';
import { corpusExpected, corpusFolder, corpusSource, hasCorpus } from '../support/corpus.ts';
import { volumesOfRows } from './mmls.ts';

// biome-ignore lint/suspicious/noExplicitAny: the corpus' own JSON
type Json = any;

const areas: Record<string, Json> = hasCorpus
  ? { images: corpusExpected('images'), filesystems: corpusExpected('filesystems') }
  : { images: { files: {} }, filesystems: { files: {} } };

/** Raw and EWF files of one segment, with what is known of their media. */
const readable: [string, Json][] = Object.entries(areas).flatMap(([area, { files, media }]) =>
  Object.entries(files as Record<string, Json>)
    .filter(([, file]) => (file.format === 'raw' || file.format === 'EWF') && file.media !== undefined)
    .map(([path, file]): [string, Json] => [`${area}/${path}`, media[file.media] ?? {}]),
);

const divided = readable.filter(([, { sfdisk }]) => sfdisk !== undefined);
const whole = readable.filter(([, known]) => known.partition_table === undefined && (known.filesystem ?? known.blkid) !== undefined);

function mediaOf(path: string): ByteSource {
  if (!/\.[Ees]\d\d$/.test(path)) return corpusSource(path);
  const paths = ewf.segmentPaths(join(corpusFolder, path));
  const segments = paths.map((file) => ({ name: basename(file), source: memorySource(readFileSync(file)) }));
  return ewf.open(segments, { add: () => undefined }).media;
}

const formatOf = (label: string): VolumeSystemFormat => (label === 'gpt' ? gpt : mbr);

describe.skipIf(!hasCorpus)('partition tables of the corpus', () => {
  it('are there', () => {
    expect(divided.length).toBeGreaterThanOrEqual(14);
    expect(whole.length).toBeGreaterThanOrEqual(20);
  });

  it.each(divided)('%s: volumes as mmls and sfdisk list them', (path, known) => {
    const media = mediaOf(path);
    const { partition_table: table, sfdisk } = known;
    const format = formatOf(sfdisk.label);
    const found = tryVolumes(format, media, table.sector_size)!;
    expect(found.problems.all).toEqual([]);
    expectTiling(found.ranges, media.size);
    expect(placesOf(found.ranges)).toEqual(volumesOfRows(table.rows, table.sector_size));
    const extended = ['5', 'f', '85'];
    const partitions = (sfdisk.partitions as Json[]).filter(({ type }) => !extended.includes(type));
    const volumes = found.ranges.filter(({ kind }) => kind === 'volume').sort((a, b) => a.number! - b.number!);
    expect(volumes.map(({ number, offset, length }) => [String(number), offset / 512, length / 512])).toEqual(
      partitions.map(({ node, start, size }) => [node, start, size]),
    );
    volumes.forEach((volume, index) => {
      const { type, name, uuid, bootable, attrs } = partitions[index];
      if (format === gpt) {
        expect([volume.type, volume.name, volume.guid]).toEqual([type.toLowerCase(), name ?? '', uuid.toLowerCase()]);
        expect(volume.flags).toEqual(attrs === undefined ? undefined : ['legacy bootable']);
      } else {
        expect(volume.type).toBe(`0x${type.padStart(2, '0')}`);
        expect(volume.flags).toEqual(bootable ? ['active'] : undefined);
      }
    });
    const identity = format === gpt ? String(found.facts.diskGuid).toUpperCase() : found.facts.diskSignature;
    expect(identity).toBe(sfdisk.id);
  });

  it.each(whole)('%s: no partition table is seen in a file system', (path) => {
    const media = mediaOf(path);
    expect([gpt.recognises(media, 512), mbr.recognises(media, 512)]).toEqual([false, false]);
  });

  it('hostile/gen/mut-gpt-primary-header: the backup serves, and the damage is said', () => {
    // expected: report, fallback, rest; the rows are those of the undamaged disk
    const media = corpusSource('hostile/gen/mut-gpt-primary-header.raw.zst');
    const found = tryVolumes(gpt, media)!;
    const { partition_table: table } = areas.images.media[areas.images.files['gen/disk-gpt.raw.zst'].media];
    expect(placesOf(found.ranges)).toEqual(volumesOfRows(table.rows, 512));
    expect(found.problems.codes()).toEqual(['gpt.primary-damaged']);
    expectTiling(found.ranges, media.size);
  });

  it('hostile/gen/mut-mbr-ebr-loop: the chain is left where it turns back, and that is said', () => {
    const media = corpusSource('hostile/gen/mut-mbr-ebr-loop.raw.zst');
    const found = tryVolumes(mbr, media)!;
    const { partition_table: table } = areas.images.media[areas.images.files['gen/disk-mbr.raw.zst'].media];
    const before = volumesOfRows(table.rows, 512).filter(({ number }) => number < 6);
    expect(placesOf(found.ranges)).toEqual(before);
    expect(found.problems.all).toMatchObject([{ code: 'mbr.chain-cycle', hidesEvidence: true }]);
    expectTiling(found.ranges, media.size);
  });
});
