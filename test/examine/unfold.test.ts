/** Archives as the examination takes them apart: locators, records, limits that are inherited, what hangs on other files. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildZip, type Part } from '../archives/build-zip.ts';
import { corpusBytes, corpusExpected, hasCorpus } from '../support/corpus.ts';
import { fixture } from '../support/fixture.ts';
import { random } from '../support/random.ts';
import { examined, locatorOf } from './examined.ts';

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const mebibyte = 1024 * 1024;

describe('archives inside archives', () => {
  const innermost = buildZip([{ name: 'deep/note.txt', data: 'found\n' }]);
  const middle = buildZip([
    { name: 'bc:d.zip', data: innermost, method: 8 },
    { name: 'beside.txt', data: 'x' },
  ]);
  const outer = buildZip([{ name: 'photos/m.zip', data: middle }]);

  it('every member has a locator that says how it is reached, and its own digest', async () => {
    const { rows, codes } = await examined('outer.zip', outer);
    const top = locatorOf('outer.zip');
    const found = Object.fromEntries(rows.map(({ record }) => [record.locator, record.digests?.sha256]));
    expect(found).toEqual({
      [top]: sha256(outer),
      [`${top}/zip:photos/m.zip`]: sha256(middle),
      [`${top}/zip:photos/m.zip/zip:bc%3Ad.zip`]: sha256(innermost), // a colon in a value is written so: src/evidence/locator.ts
      [`${top}/zip:photos/m.zip/zip:bc%3Ad.zip/zip:deep/note.txt`]: sha256('found\n'),
      [`${top}/zip:photos/m.zip/zip:beside.txt`]: sha256('x'),
    });
    expect(codes).toEqual([]);
  });

  it('the row of an archive comes after those of its members, and tells what it says of itself', async () => {
    const { rows } = await examined('z.zip', buildZip([{ name: 'a' }, { name: 'b' }], { comment: 'from me' }));
    expect(rows.at(-1)!.record).toMatchObject({
      path: 'z.zip',
      mediaType: 'application/zip',
      facts: { 'zip.members': 2, 'zip.comment': 'from me' },
    });
  });

  const wrapped = (levels: number): Buffer => {
    let bytes: Buffer = Buffer.from('the core');
    for (let level = levels; level > 0; level--) bytes = buildZip([{ name: level === levels ? 'core.txt' : 'next.zip', data: bytes }]);
    return bytes;
  };

  it('eight levels are opened, the ninth is told of', async () => {
    expect((await examined('d.zip', wrapped(8))).rows.some(({ record }) => record.digests?.sha256 === sha256('the core'))).toBe(true);
    const { rows, problems } = await examined('d.zip', wrapped(9));
    expect(problems).toMatchObject([
      { code: 'limit.depth', hidesEvidence: true, locator: `${locatorOf('d.zip')}${'/zip:next.zip'.repeat(8)}` },
    ]);
    expect(rows).toHaveLength(9); // the file and eight archives in it: the ninth level's archive is digested, not opened
  });

  it('entries and bytes are counted over all levels together', async () => {
    const leaf = (name: string): Part => ({
      name,
      data: buildZip(Array.from({ length: 10 }, (_, index) => ({ name: `${index}`, data: `${name}${index}` }))),
    });
    const bytes = buildZip(['a.zip', 'b.zip', 'c.zip'].map(leaf));
    expect((await examined('z.zip', bytes, { limits: { entries: 33 } })).codes).toEqual([]); // 3 + 3 * 10
    const { problems, rows } = await examined('z.zip', bytes, { limits: { entries: 32 } });
    expect([...new Set(problems.map(({ code }) => code))]).toEqual(['limit.entries']);
    expect(rows).toHaveLength(1 + 32);
  });

  it('a nested bomb gives no more bytes than the limit, and a MiB of pieces', async () => {
    const zeros = buildZip([{ name: 'zeros', data: Buffer.alloc(4 * mebibyte), method: 8 }]);
    const level = (bytes: Buffer) => buildZip(Array.from({ length: 8 }, (_, index) => ({ name: `${index}.zip`, data: bytes, method: 8 })));
    const bomb = level(level(zeros)); // 64 times 4 MiB
    const { read, problems, row } = await examined('bomb.zip', bomb, { limits: { unpackedBytes: 20 * mebibyte } });
    expect(read).toBeLessThanOrEqual(bomb.length + 21 * mebibyte);
    expect(read).toBeGreaterThan(18 * mebibyte);
    expect(problems.filter(({ code }) => code !== 'limit.unpacked-bytes')).toEqual([]);
    expect(row('bomb.zip').record.problems).toContain('limit.unpacked-bytes');
  });
});

describe('bombs', () => {
  it.skipIf(!hasCorpus)('those of the corpus end within the limits, with rows for what was read', async () => {
    for (const [name, unpacked] of [
      ['bomb-nested.zip', 200],
      ['bomb-overlap-full.zip', 200],
      ['bomb-overlap-quoted.zip', 200],
    ] as const) {
      const limits = { unpackedBytes: unpacked * mebibyte };
      const { read, codes } = await examined(name, corpusBytes(`hostile/gen/${name}`), { limits });
      expect(read).toBeLessThanOrEqual((unpacked + 1) * mebibyte);
      expect(codes).toContain('limit.unpacked-bytes');
    }
  });

  // a file of the kind of Russ Cox's "Zip Files All The Way Down" (2010) has its own digest again one level down
  it('an archive in itself is opened once: the same content further down is told of and not opened again', async () => {
    const { Budget, defaultLimits } = await import('../../src/evidence/limits.ts');
    const first = new Budget(defaultLimits).nested('aa').nested('bb');
    expect(() => first.nested('aa')).toThrow(expect.objectContaining({ code: 'limit.cycle', message: expect.stringContaining('depth 1') }));
    expect(() => first.nested('cc')).not.toThrow();
  });
});

it('a hostile name is a problem of its member, and stands in its record', async () => {
  const { problems, rows, row } = await examined(
    'z.zip',
    buildZip([
      { name: '../up', data: 'x' },
      { name: 'ok', data: 'y' },
    ]),
  );
  expect(problems.map(({ code, locator }) => [code, locator])).toEqual([['zip.name-unsafe', `${locatorOf('z.zip')}/zip:up`]]);
  expect(row('z.zip/up').record.problems).toEqual(['zip.name-unsafe']);
  expect(rows.filter(({ record }) => record.problems !== undefined)).toHaveLength(1);
});

describe('what is no plain file', () => {
  it('a symbolic link keeps its target and is never followed; one that leads out is a problem', async () => {
    const link = (name: string, data: string): Part => ({ name, data, mode: 0o120777 });
    const { rows, problems } = await examined(
      'z.zip',
      buildZip([link('in', 'docs/a.txt'), link('out', '../../etc/passwd'), link('abs', '/etc/passwd'), link('dots', 'a/..b')]),
    );
    expect(rows.slice(0, 4).map(({ record }) => [record.type, record.target])).toEqual([
      ['symlink', 'docs/a.txt'],
      ['symlink', '../../etc/passwd'],
      ['symlink', '/etc/passwd'],
      ['symlink', 'a/..b'],
    ]);
    expect(problems.map(({ code, locator }) => [code, locator])).toEqual([
      ['archive.link-outside', `${locatorOf('z.zip')}/zip:out`],
      ['archive.link-outside', `${locatorOf('z.zip')}/zip:abs`],
    ]);
  });

  it('a link of a megabyte is not read to its end', async () => {
    const { rows, codes } = await examined('z.zip', buildZip([{ name: 'l', data: 'x'.repeat(mebibyte), method: 8, mode: 0o120777 }]));
    expect(rows[0]!.record.target).toHaveLength(4096);
    expect(codes).toEqual(['archive.link-long']);
  });

  it('a directory that has content is examined as a file', async () => {
    const { row, codes } = await examined('z.zip', buildZip([{ name: 'd/', data: 'hidden here' }]));
    expect(row('z.zip/d').record.digests?.sha256).toBe(sha256('hidden here'));
    expect(codes).toEqual(['archive.directory-content']);
  });

  it('a path that stands twice: both are there, with locators of their own', async () => {
    const { rows, problems } = await examined(
      'z.zip',
      buildZip([
        { name: 'a', data: '1' },
        { name: 'a', data: '2' },
        { name: './a', data: '3' },
        { name: 'a@1', data: '4' },
      ]),
    );
    const top = locatorOf('z.zip');
    expect(rows.slice(0, 4).map(({ record }) => [record.locator, record.digests?.sha256])).toEqual([
      [`${top}/zip:a`, sha256('1')],
      [`${top}/zip:a@1`, sha256('2')],
      [`${top}/zip:a@2`, sha256('3')],
      [`${top}/zip:a@1@3`, sha256('4')],
    ]);
    expect(problems.map(({ code }) => code)).toEqual(['archive.name-twice', 'archive.name-twice', 'archive.name-twice']);
  });
});

describe('names as long as they can be', () => {
  // PostgreSQL manual, "B-Tree Indexes": an entry takes a third of a page at most, 2,704 bytes; a uuid and what stands around both take up to 36
  const mostInIndex = 2704 - 36;
  const sizes = (locator: string) => Buffer.byteLength(locator);
  /** What PostgreSQL cannot pack into less. */
  const unpackable = (seed: number): string => {
    const next = random(seed);
    return Array.from({ length: 65_530 }, () => String.fromCharCode(0x61 + Math.floor(next() * 26))).join('');
  };

  it('locators that an index takes, at every depth, and a path that is whole', async () => {
    let inner = buildZip([{ name: `${unpackable(1)}.txt`, data: 'innermost' }]);
    for (let depth = 1; depth < 8; depth++) inner = buildZip([{ name: `${'\u202e'.repeat(21_843)}.zip`, data: inner, flags: 0x800 }]);
    const { rows } = await examined('deep.zip', inner);
    expect(rows).toHaveLength(9);
    for (const { record } of rows) expect(sizes(record.locator)).toBeLessThanOrEqual(mostInIndex);
    expect(rows.find(({ record }) => record.size === 9)?.record.path.endsWith(`/${unpackable(1)}.txt`)).toBe(true);
  });

  it('locators of their own for long paths that differ at their end only, or not at all', async () => {
    const name = unpackable(2);
    const members = [`${name}a`, `${name}b`, `${name}b`, 'short.txt'].map((given, index) => ({ name: given, data: `content ${index}` }));
    const { rows } = await examined('long.zip', buildZip(members));
    expect(new Set(rows.map(({ record }) => record.locator)).size).toBe(5);
    expect(rows.filter(({ record }) => record.problems?.includes('archive.name-twice'))).toHaveLength(1);
    expect(rows.some(({ record }) => record.locator === `${locatorOf('long.zip')}/zip:short.txt`)).toBe(true);
  });
});

describe('an archive that hangs on a file of another type', () => {
  const hidden = buildZip([{ name: 'secret.txt', data: 'hidden' }]);
  const jpeg = Buffer.from(fixture('exif-camera').read(0, 1e6));

  it.each([
    ['a picture', 'p.jpg', jpeg, /^image\/jpeg$/],
    ['a program', 'p.exe', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(5000)]), /^application\/x-(msdownload|dosexec)$/],
    ['text', 'p.txt', Buffer.from('harmless\n'), /^application\/octet-stream$/],
  ])('%s', async (_, name, before, mediaType) => {
    const bytes = Buffer.concat([before, hidden]);
    const { row, codes } = await examined(name, bytes);
    expect(row(name).record.mediaType).toMatch(mediaType);
    expect(row(`${name}/secret.txt`).record.digests?.sha256).toBe(sha256('hidden'));
    expect(codes).toContain('archive.appended');
  });

  it('behind more than a MiB, and with a comment', async () => {
    const bytes = Buffer.concat([
      jpeg,
      Buffer.alloc(mebibyte - jpeg.length - hidden.length + 5, 0x55),
      buildZip([{ name: 'secret.txt', data: 'hidden' }], { comment: 'hi' }),
    ]);
    expect((await examined('p.jpg', bytes)).row('p.jpg/secret.txt').record.digests?.sha256).toBe(sha256('hidden'));
  });
});

describe.skipIf(!hasCorpus)('hostile archives of the corpus', () => {
  const files = hasCorpus ? (corpusExpected('hostile').files as Record<string, { expect: string[]; rest?: string[] }>) : {};
  const isOurs = /\.(zip|zipx|xlsx|docx)$/;
  /** Within the limits, and nothing wrong that its reader could see: 8 MB of sheet; entities in XML are for a reader of documents. */
  const sound = ['ext/cc-zipbomb.xlsx', 'gen/laughs.docx', 'gen/xxe.docx'];

  it.each(Object.keys(files).filter((name) => isOurs.test(name) && !name.includes('bomb-')))('%s', async (name) => {
    const { codes, rows, row } = await examined(name.split('/').at(-1)!, corpusBytes(`hostile/${name}`));
    if (files[name]!.expect.includes('report') && !sound.includes(name)) expect(codes.length).toBeGreaterThan(0);
    for (const { record } of rows) expect(record.path.split('/')).not.toContain('..');
    for (const path of files[name]!.rest ?? [])
      expect(row(`${name.split('/').at(-1)}/${path}`).record.digests?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});
