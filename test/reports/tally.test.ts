import { describe, expect, it } from 'vitest';
import { coverageOf, notExamined } from '../../src/reports/coverage.ts';
import { type CatalogueRecord } from '../../src/reports/csv.ts';
import { type ReportFindings } from '../../src/reports/findings.ts';
import { createTally } from '../../src/reports/tally.ts';

const live = { name: true, metadata: true };
const dead = { name: false, metadata: false };
const digests = { md5: 'x' };

function record(locator: string, more: Partial<CatalogueRecord> = {}): CatalogueRecord {
  return { locator, path: locator.slice(locator.lastIndexOf(':') + 1), type: 'file', size: 10, allocated: live, times: [], ...more };
}

const tallyOf = (volumes: readonly string[], records: readonly CatalogueRecord[]) => {
  const tally = createTally(volumes);
  for (const one of records) tally.add(one);
  return tally.result();
};

describe('the tally', () => {
  it('counts as a hand does', () => {
    const found = tallyOf(
      ['image:/mbr:1', 'image:/mbr:10'],
      [
        record('image:/mbr:1/fat:1', { type: 'directory' }),
        record('image:/mbr:1/fat:2', { digests, mediaType: 'text/plain' }), // 10 bytes
        record('image:/mbr:1/fat:2/zip:a', { digests, mediaType: 'text/plain', contentSize: 7 }), // 7 bytes
        record('image:/mbr:10/ext:5', { allocated: dead, digests, mediaType: 'image/jpeg', size: 3 }), // 3 bytes, deleted
        record('image:/mbr:10/ext:6', { allocated: { name: true, metadata: false } }), // deleted, not read
        record('image:/mbr:10/ext:7', { type: 'symlink', mediaType: 'text/plain' }),
      ],
    );
    expect(found).toEqual({
      files: 4,
      deleted: 2,
      bytes: 20,
      byType: { directory: 1, file: 4, symlink: 1 },
      byMediaType: [
        { mediaType: 'text/plain', count: 2 },
        { mediaType: 'image/jpeg', count: 1 },
      ],
      volumes: [
        { locator: 'image:/mbr:1', entries: 3, files: 2, deleted: 0 },
        { locator: 'image:/mbr:10', entries: 3, files: 2, deleted: 2 },
      ],
      notable: [
        {
          why: 'Deleted files whose content could be read',
          total: 1,
          entries: [{ locator: 'image:/mbr:10/ext:5', path: '5', size: 3, note: 'image/jpeg' }],
        },
      ],
    });
  });

  it('gives an entry to the innermost volume that holds it', () => {
    const found = tallyOf(['image:', 'image:/gpt:2'], [record('image:/gpt:2/ext:1'), record('image:/fat:9')]);
    expect(found.volumes.map(({ entries }) => entries)).toEqual([1, 1]);
  });

  it('keeps the first fifty of a group and counts the rest', () => {
    const many = Array.from({ length: 53 }, (_, index) =>
      record(`image:/fat:${String(index).padStart(3, '0')}`, { problems: ['type.mismatch'], mediaType: 'application/zip' }),
    );
    const [group] = tallyOf(['image:'], many).notable;
    expect([group!.total, group!.entries.length, group!.entries[49]!.locator]).toEqual([53, 50, 'image:/fat:049']);
  });

  it('counts the types beyond two hundred together', () => {
    const many = Array.from({ length: 203 }, (_, index) =>
      record(`image:/fat:${index}`, { mediaType: `x/${String(index).padStart(3, '0')}` }),
    );
    const { byMediaType } = tallyOf(['image:'], [...many, record('image:/fat:last', { mediaType: 'x/202' })]);
    // x/202 stands twice and comes first; 199 others by name; 203 - 200 = 3 types with one file each are left
    expect(byMediaType[0]).toEqual({ mediaType: 'x/202', count: 2 });
    expect(byMediaType.at(-1)).toEqual({ mediaType: 'others', count: 3 });
    expect(byMediaType.length).toBe(201);
  });

  it('finds each kind of notable entry by its mark', () => {
    const found = tallyOf(
      ['image:'],
      [
        record('image:/fat:1', { facts: { 'exif.latitude': 48.5, 'exif.longitude': -2 } }),
        record('image:/fat:2', { problems: ['zip.encrypted'], mediaType: 'application/zip' }),
        record('image:/fat:3', { problems: ['name.deceptive', 'name.not-unicode'] }),
        record('image:/fat:4', { problems: ['type.mismatch'], mediaType: 'image/png' }),
      ],
    );
    expect(found.notable.map(({ why, entries }) => [why, entries[0]!.locator, entries[0]!.note])).toEqual([
      ['Content does not match the name’s extension', 'image:/fat:4', 'content is image/png'],
      ['Encrypted: recognised, not opened', 'image:/fat:2', 'application/zip'],
      ['Pictures that name a place', 'image:/fat:1', '48.50000, -2.00000'],
      ['Names that deceive or cannot be shown as they are', 'image:/fat:3', 'name.deceptive name.not-unicode'],
    ]);
  });
});

describe('the coverage', () => {
  it.each([
    [
      'parts side by side',
      100,
      [
        [0, 40],
        [40, 60],
      ],
      100,
    ],
    [
      'a hole',
      100,
      [
        [0, 40],
        [50, 50],
      ],
      90,
    ],
    [
      'an overlap, counted once',
      100,
      [
        [0, 60],
        [40, 60],
      ],
      100,
    ],
    [
      'one inside another',
      100,
      [
        [0, 100],
        [20, 10],
      ],
      100,
    ],
    [
      'a part beyond the end',
      100,
      [
        [0, 50],
        [50, 500],
      ],
      100,
    ],
    [
      'parts in no order',
      100,
      [
        [60, 40],
        [0, 60],
      ],
      100,
    ],
    ['nothing', 100, [], 0],
    ['no medium', 0, [], 0],
  ])('counts %s', (_what, mediaSize, parts, accounted) => {
    const volumes = parts.map(([offset, length]) => ({ offset: offset!, length: length! }));
    expect(coverageOf(mediaSize, volumes)).toEqual({ mediaSize, accounted, complete: accounted === mediaSize });
  });

  it('gives each part that was not examined its reason', () => {
    const part = { kind: 'volume', number: 1, offset: 0, label: '', entries: 0, files: 0, deleted: 0 } as const;
    const fileSystem = { name: 'fat', label: 'FAT', facts: {} };
    const volumes = [
      { ...part, locator: 'table', kind: 'table', length: 1, fileSystem: null, unallocatedBytes: null },
      { ...part, locator: 'ntfs', length: 2, fileSystem: null, reason: 'NTFS', unallocatedBytes: null },
      { ...part, locator: 'unlisted', length: 3, fileSystem, unallocatedBytes: null },
      { ...part, locator: 'listed', length: 9, fileSystem, unallocatedBytes: 4 },
      { ...part, locator: 'full', length: 5, fileSystem, unallocatedBytes: 0 },
    ] as ReportFindings['volumes'];
    expect(notExamined(volumes, [{ kind: 'examine-files', locator: 'listed', reason: 'hung' }])).toEqual([
      { what: 'ntfs', bytes: 2, reason: 'NTFS' },
      { what: 'unlisted', bytes: 3, reason: 'the listing of this volume did not come to its end' },
      { what: 'listed', bytes: 4, reason: 'unallocated space: covered by the digests, not searched for files' },
      { what: 'listed', bytes: null, reason: 'examine-files given up: hung' },
    ]);
  });
});
