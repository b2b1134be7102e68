/** ZIP archives of several makers, against what Info-ZIP, Python, 7-Zip and libarchive find in them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zip } from '../../src/archives/zip.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { archiveContract, type ListedMember, listArchive } from '../contracts/archive.ts';
import { corpusBytes, corpusExpected, corpusFolder, corpusSource, hasCorpus } from '../support/corpus.ts';
import { fixture, fixtureExpected, fixturePath } from '../support/fixture.ts';
import { hasTool, toolOutput } from '../support/tools.ts';

for (const name of ['zip-plain', 'zip-streamed', 'zip-zip64']) {
  const members = fixtureExpected(name).members as { path: string; size: number; sha256: string | null }[];
  archiveContract(
    zip,
    name,
    () => fixture(name),
    members.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
  );
}

it('finds the archive behind a program that stands before it', async () => {
  const { members, problems, stopped } = await listArchive(zip, fixture('zip-prefixed'));
  expect(members.map(({ path, sha256, type }) => [path, type === 'directory' ? null : sha256])).toEqual(
    fixtureExpected('zip-prefixed').members.map(({ path, sha256 }: ListedMember) => [path, sha256]),
  );
  expect({ stopped, codes: problems.codes() }).toEqual({ stopped: null, codes: ['zip.prefix'] });
});

describe('of the corpus', () => {
  const files = hasCorpus ? (corpusExpected('archives').files as Record<string, Expected>) : {};

  interface Expected {
    readonly reference?: string;
    readonly password?: string;
    readonly entries?: readonly { readonly path: string; readonly type: string; readonly size?: number; readonly sha256?: string }[];
  }

  /** Methods that are not unpacked: the members stand there with the problem that names the method. */
  const unsupported = /SHRUNK|implod|deflate64|bzip2|lzma|zipx/;
  /** Names in code page 866, which the file does not tell; and `folder` that libarchive makes of a path with backslashes. */
  const otherNames = /cp866|mixed_paths/;
  const names = Object.keys(files).filter((name) => /\.(zip|zipx|ZIP)$/.test(name) && !/splitzip|\$I/.test(name));

  it.skipIf(!hasCorpus)('holds more than twenty archives', () => {
    expect(names.length).toBeGreaterThan(20);
  });

  for (const name of names.filter((name) => !otherNames.test(name))) {
    const { entries = [], reference, password } = files[name]!;
    it(`${name}: as ${reference} has it`, async () => {
      const { members, problems, stopped } = await listArchive(zip, corpusSource(`archives/${name}`));
      expect(stopped).toBeNull();
      const found = new Map(members.map((member) => [member.path, member]));
      const wrong = entries.filter(({ path }) => !found.has(path) && !entries.some((other) => other.path.startsWith(`${path}/`)));
      expect(wrong, 'members not found').toEqual([]);
      const errors = new Set<string>();
      for (const { path, type, size, sha256 } of entries.filter(({ type }) => type === 'file')) {
        const member = found.get(path)!;
        expect(member.type, path).toBe(type);
        if (member.error === undefined) expect({ path, size: member.size, sha256: member.sha256 }).toEqual({ path, size, sha256 });
        else errors.add(member.error);
      }
      const why = password !== undefined ? ['zip.encrypted'] : unsupported.test(name) ? ['zip.method'] : [];
      expect([...errors]).toEqual(why);
      expect(problems.codes()).toEqual([]);
    });
  }

  it.skipIf(!hasCorpus)('a part of a split archive: what is in it, and that the rest is missing', async () => {
    const first = await listArchive(zip, corpusSource('archives/ext/cc-splitzip/split_zip_created_by_zip.z01'));
    expect(first.members.length).toBeGreaterThan(100); // 279 in all three parts (7-Zip 26.02), the first holds about half
    expect(first.problems.codes()).toEqual(['zip.directory', 'zip.truncated']);
    const last = await listArchive(zip, corpusSource('archives/ext/cc-splitzip/split_zip_created_by_zip.zip'));
    expect(last.problems.codes()).toContain('zip.directory');
  });

  it.skipIf(!hasCorpus)('an archive behind other data, as libarchive has it', async () => {
    const { members, problems } = await listArchive(zip, corpusSource('archives/ext/la-zip_sfx.exe'));
    const expected = files['ext/la-zip_sfx.exe']!.entries!.map(({ path, sha256 }) => [path, sha256]);
    expect(members.map(({ path, sha256 }) => [path, sha256]).sort()).toEqual(expected.sort());
    expect(problems.codes()).toEqual(['zip.prefix']);
  });
});

/** Sizes and CRC-32 in the order of the directory. */
function unzipList(path: string): string[] {
  const lines = toolOutput('unzip', ['-lv', path]).split('\n');
  const rows = lines.map((line) => /^ *(\d+) +\S+ +\d+ +-?\d+% +\S+ \S+ ([0-9a-f]{8}) /.exec(line)).filter((row) => row !== null);
  return rows.map(([, size, crc]) => `${size} ${crc}`);
}

describe.skipIf(!hasTool('unzip'))('unzip -lv', () => {
  const paths = ['zip-plain', 'zip-streamed', 'zip-zip64'].map(fixturePath);
  if (hasCorpus) {
    const folder = join(corpusFolder, 'archives', 'gen');
    paths.push(
      ...readdirSync(folder)
        .filter((name) => name.endsWith('.zip'))
        .map((name) => join(folder, name)),
    );
  }
  it.each(paths.map((path) => path.replace(/^.*\/(fixtures|corpus)\//, '$1/')).map((label, index) => [label, paths[index]!]))(
    'and we claim the same sizes in the same order: %s',
    async (label, path) => {
      const bytes = label.startsWith('fixtures') ? fixture(label.split('/')[1]!) : memorySource(corpusBytes(label.slice('corpus/'.length)));
      const { Budget, defaultLimits } = await import('../../src/evidence/limits.ts');
      const archive = await zip.open(bytes, new Budget(defaultLimits), { add: (problem) => expect.unreachable(problem.message) });
      const sizes: number[] = [];
      for await (const { claimedSize } of archive.members()) sizes.push(claimedSize);
      expect(sizes).toEqual(unzipList(path).map((row) => Number(row.split(' ')[0])));
    },
  );
});

describe.skipIf(!hasTool('python3'))('zipfile of Python', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'custodia-zip-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('writes 3,000 members, and all are found with their bytes', async () => {
    const path = join(folder, 'many.zip');
    const program = `
import hashlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as archive:
    for i in range(3000):
        data = (b'%d,' % i) * (i % 700)
        archive.writestr('d%d/f%d.txt' % (i % 50, i), data)
        print(hashlib.sha256(data).hexdigest())
`;
    writeFileSync(join(folder, 'make.py'), program);
    const digests = execFileSync('python3', [join(folder, 'make.py'), path], { encoding: 'utf8' })
      .trim()
      .split('\n');
    const { openFileSource } = await import('../../src/bytes/source.ts');
    const source = openFileSource(path);
    const { members, problems } = await listArchive(zip, source);
    source.close();
    expect(members.map(({ sha256 }) => sha256)).toEqual(digests);
    expect(problems.codes()).toEqual([]);
  });
});
