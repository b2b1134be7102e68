import { describe, expect, it } from 'vitest';
import { type Entry } from '../../src/evidence/file-system.ts';
import { corpusExpected, corpusSource, hasCorpus } from '../support/corpus.ts';
import { cpuMilliseconds } from './damage.ts';
import { open, otherContents } from './witness.ts';

// biome-ignore lint/suspicious/noExplicitAny: the corpus' own JSON
type Json = any;

const hostile: Json = hasCorpus ? corpusExpected('hostile') : { files: {} };
const filesystems: Json = hasCorpus ? corpusExpected('filesystems') : { files: {} };

const mutants = ['mut-ext2-size-huge', 'mut-ext3-no-superblock', 'mut-ext4-extent-header', 'mut-fat16-chain-loop'];
const codes: Readonly<Record<string, string>> = {
  'mut-ext2-size-huge': 'ext.size',
  'mut-ext3-no-superblock': 'ext.superblock',
  'mut-ext4-extent-header': 'ext.extent',
  'mut-fat16-chain-loop': 'fat.chain-cycle',
};

describe.skipIf(!hasCorpus)('hostile FAT and ext of the corpus (expectations: hostile/expected.json)', () => {
  it.each(mutants)('%s: bounded, reported, and all the rest is there', (name) => {
    const file = hostile.files[`gen/${name}.raw.zst`];
    const begun = cpuMilliseconds();
    const { fileSystem, entries, problems } = open(corpusSource(`hostile/gen/${name}.raw.zst`));
    const medium = filesystems.media[filesystems.files[file.base.replace('filesystems/', '')].media];
    const digests = new Map<string, string>(medium.entries.map(({ path, sha256 }: Json) => [path, sha256]));
    const isFile = ({ type, nameAllocated }: Entry) => type === 'file' && nameAllocated;
    const lost: string[] = file.lost ?? [];
    const wrong = otherContents(fileSystem, entries.filter(isFile), ({ path }) => (lost.includes(path) ? null : digests.get(path)));
    expect(wrong).toEqual([]);
    const listed = new Set(entries.map(({ path }) => path));
    expect([...digests.keys()].filter((path) => !listed.has(path))).toEqual([]);
    for (const { address } of entries.filter((entry) => isFile(entry) && lost.includes(entry.path))) fileSystem.content(address);
    expect(problems.codes().some((code) => code.startsWith(codes[name]!))).toBe(true);
    expect(cpuMilliseconds() - begun).toBeLessThan(5000); // with a digest of every file
  });

  it('dfir-fat_noloop: ends, with what the Sleuth Kit lists', () => {
    const { entries, problems } = open(corpusSource('hostile/ext/dfir-fat_noloop.raw.gz'));
    const { paths } = hostile.files['ext/dfir-fat_noloop.raw.gz'].reference_tools.sleuthkit;
    expect(entries.map(({ path }) => path).sort()).toEqual(paths.filter((path: string) => !path.startsWith('$')).sort());
    expect(problems.all).toEqual([]); // it is sound: fsck.fat 4.2 finds nothing either
  });
});
