import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ByteSource, memorySource, sliceSource } from '../../src/bytes/source.ts';
import { type Entry } from '../../src/evidence/file-system.ts';
import { ext } from '../../src/filesystems/ext.ts';
import { fat } from '../../src/filesystems/fat.ts';
import { ewf } from '../../src/images/ewf.ts';
import { corpusBytes, corpusFolder, hasCorpus } from '../support/corpus.ts';
import { keepProblems } from '../support/problems.ts';
import { differences, open, otherContents, seconds, type Witnessed } from './witness.ts';

// biome-ignore lint/suspicious/noExplicitAny: the corpus' own JSON
type Json = any;

/** As `corpusExpected`, with nanoseconds as bigint: as numbers they lose their last digits. */
const exactly = (area: string): Json =>
  JSON.parse(readFileSync(join(corpusFolder, area, 'expected.json'), 'utf8'), (key, value, { source }: { source?: string } = {}) =>
    key === 'mtime_ns' && source !== undefined ? BigInt(source) : value,
  );
const areas: Record<string, Json> = hasCorpus ? { filesystems: exactly('filesystems'), images: exactly('images') } : {};
const ours = /^(FAT|Ext)/;
const mediumOf = (sum: string): Json => {
  const own = areas.images?.media[sum];
  return own !== undefined && own.see === undefined ? own : areas.filesystems?.media[sum];
};

/** Volumes of FAT and ext that lie in raw and EWF files of the corpus: whole, or within a partition table; each once. */
function volumesOfCorpus(): { name: string; file: string; offset: number; length: number; medium: Json }[] {
  const found: ReturnType<typeof volumesOfCorpus> = [];
  const seen = new Set<string>();
  for (const [area, expected] of Object.entries(areas)) {
    for (const [file, { format, media }] of Object.entries(expected.files) as [string, Json][]) {
      if (!(format === 'raw' || format === 'EWF') || media === undefined || media === null || file.endsWith('.xz')) continue;
      const medium = mediumOf(media);
      const volumes = medium.volumes ?? [{ offset: 0, length: medium.size, media }];
      for (const { offset, length, media: sum } of volumes) {
        const volume = mediumOf(sum);
        if (seen.has(sum) || !ours.test(volume?.filesystem?.fsstat?.type ?? '')) continue;
        seen.add(sum);
        found.push({ name: `${file} at ${offset}`, file: `${area}/${file}`, offset, length, medium: volume });
      }
    }
  }
  return found;
}

const sourceOf = ({ file, offset, length }: { file: string; offset: number; length: number }): ByteSource =>
  sliceSource(/\.E01$/.test(file) ? ewfMedia(file) : memorySource(corpusBytes(file)), offset, length);

function ewfMedia(first: string): ByteSource {
  const names = Array.from({ length: 9 }, (_, index) => first.replace(/1$/, String(index + 1)));
  const segments = names
    .filter((name) => existsSync(join(corpusFolder, name)))
    .map((name) => ({ name, source: memorySource(corpusBytes(name)) }));
  return ewf.open(segments, keepProblems()).media;
}

/** Entries of the corpus as the Sleuth Kit gave them. Where a listing of the mounted volume stands beside it only the deleted ones are kept. */
const witnessedOf = (list: Json[]): Witnessed[] =>
  list.map(({ path, addr, mode, size, atime, mtime, ctime, crtime, deleted, sha256 }) => {
    const times = { accessed: atime, modified: mtime, changed: ctime, created: crtime };
    return { path, address: addr, mode, size, ...times, deleted: deleted === true, sha256: mode[2] === 'r' ? sha256 : undefined };
  });

const isLabel = ({ type }: Entry): boolean => type === 'volume-label';
const types: Readonly<Record<string, string>> = { dir: 'directory', chr: 'character-device', blk: 'block-device', sock: 'socket' };

describe.skipIf(!hasCorpus)('FAT and ext of the corpus (sleuthkit 4.11.1, the kernel, the source tree)', () => {
  const volumes = volumesOfCorpus();

  it('has them', () => {
    // ext2-1k, ext3, ext4-inline, ext4, fat12-floppy, fat16, fat32; dfir-fat12, -fat16, -fat_lfn_test; dissect symlinks, plaso ext2, velociraptor FAT;
    // within disks and EWF: FAT12 of disk-gpt, ext2 of the plaso disk, of dfvfs-ext2 and of the tiny disk, FAT16 of german_utf8 and nps-2010
    expect(volumes.map(({ name }) => name).length).toBe(19);
  });

  it('and recognises no others', () => {
    // NTFS, exFAT, HFS, APFS, XFS, btrfs, LUKS, ISO 9660, squashfs, partition tables, an $MFT, a journal: what fsstat or blkid says of them
    const files = Object.entries(areas.filesystems.files) as [string, Json][];
    for (const [file, { media }] of files.filter(([name]) => !name.endsWith('.xz'))) {
      const source = memorySource(corpusBytes(`filesystems/${file}`));
      const type: string = mediumOf(media).filesystem?.fsstat?.type ?? '';
      expect(fat.recognises(source), file).toBe(type.startsWith('FAT'));
      expect(ext.recognises(source), file).toBe(type.startsWith('Ext'));
    }
  });

  it.each(volumes)('$name: the list of the Sleuth Kit', (volume) => {
    const { fileSystem, entries, problems } = open(sourceOf(volume));
    const { filesystem } = volume.medium;
    const list = witnessedOf(filesystem.entries ?? filesystem.deleted);
    const compared = filesystem.entries === undefined ? entries.filter(({ nameAllocated }) => !nameAllocated) : entries;
    const expected = volume.name.includes('dfir-fat_lfn_test')
      ? // the long name before SHORT.TXT has another checksum than the short one: by fatgen103 it is an orphan. The Sleuth Kit does not check it
        ['only the Sleuth Kit: long_name_test.txt @5', 'only ours: SHORT.TXT @5']
      : [];
    expect(
      differences(
        compared.filter((entry) => !isLabel(entry)),
        list.filter(({ path }) => !path.endsWith('(Volume Label Entry)')),
        fileSystem,
      ),
    ).toEqual(expected);
    const byAddress = new Map(list.map((entry) => [`${entry.address} ${entry.deleted}`, entry.sha256]));
    const contents = entries.filter(({ type }) => type === 'file');
    const wrong = otherContents(fileSystem, contents, (entry) => byAddress.get(`${entry.address} ${!entry.nameAllocated}`));
    // where another file uses the first cluster of a deleted one, icat gives what that file wrote there: we give nothing, and say why
    const overwritten = problems.all.filter(({ code }) => code === 'fat.deleted-overwritten').map(({ address }) => `@${address}:`);
    expect(wrong.filter((line) => !overwritten.some((address) => line.includes(address)))).toEqual([]);
    const original = new Set((volume.medium.changes?.deleted ?? []).map((file: Json) => file.sha256));
    expect(wrong.filter((line) => original.has(line.slice(-64)))).toEqual([]);
  });

  it.each(volumes.filter(({ medium }) => medium.entries !== undefined))('$name: the list of the mounted volume', (volume) => {
    const { fileSystem, entries, problems } = open(sourceOf(volume));
    const isFat = String(fileSystem.facts.type).startsWith('FAT');
    const live = entries.filter((entry) => entry.nameAllocated && !isLabel(entry) && entry.path !== 'lost+found');
    const described = live.map((entry) => describeEntry(entry, isFat));
    const expected = volume.medium.entries.map((entry: Json) => describeWitness(entry, isFat));
    const byPath = (a: Json, b: Json) => (a.path < b.path ? -1 : 1);
    expect(described.sort(byPath)).toEqual(expected.filter(({ path }: Json) => path !== 'lost+found').sort(byPath));
    const digests = new Map<string, string>(volume.medium.entries.map(({ path, sha256 }: Json) => [path, sha256]));
    expect(otherContents(fileSystem, live, (entry) => (entry.type === 'file' ? digests.get(entry.path) : undefined))).toEqual([]);
    expect(problems.all).toEqual([]);
  });

  it.each(volumes.filter(({ medium }) => medium.changes !== undefined))(
    '$name: gives back what the Sleuth Kit gave back of deleted files',
    (volume) => {
      const { fileSystem, entries } = open(sourceOf(volume));
      const deleted = entries.filter(({ nameAllocated, type }) => !nameAllocated && type === 'file');
      const sums = new Set(
        deleted.map(({ address }) => createHash('sha256').update(fileSystem.content(address).read(0, 1e9)).digest('hex')),
      );
      const back = volume.medium.changes.deleted.filter((file: Json) => file.recovered_by_tsk === true);
      expect(back.filter((file: Json) => !sums.has(file.sha256))).toEqual([]);
    },
  );
});

function describeEntry(entry: Entry, isFat: boolean): Json {
  const { path, type, size } = entry;
  const base = { path, type, ...(type === 'file' ? { size } : {}) };
  if (isFat) return { ...base, ...(type === 'file' ? { modified: seconds(entry, 'modified') } : {}) };
  const attributes = (entry.attributes ?? []).filter(({ name }) => name.startsWith('user.'));
  return {
    ...base,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    modified: entry.times.find(({ kind }) => kind === 'modified')?.time.ns,
    target: entry.target?.text,
    device: entry.facts?.device,
    attributes: Object.fromEntries(
      attributes.map(({ name, value }) => [name, `${value.length} ${createHash('sha256').update(value).digest('hex')}`]),
    ),
  };
}

function describeWitness({ path, type, size, mode, uid, gid, mtime_ns: ns, target, rdev, xattr }: Json, isFat: boolean): Json {
  const base = { path, type: types[type] ?? type, ...(type === 'file' ? { size } : {}) };
  if (isFat) return { ...base, ...(type === 'file' ? { modified: Number(ns / 2_000_000_000n) * 2 } : {}) };
  return {
    ...base,
    mode: Number(mode) & 0o7777,
    uid,
    gid,
    modified: ns,
    target,
    device: rdev === undefined ? undefined : rdev.join(':'),
    attributes: Object.fromEntries(
      Object.entries(xattr ?? {}).map(([name, value]: [string, Json]) => [name, `${value.size} ${value.sha256}`]),
    ),
  };
}
