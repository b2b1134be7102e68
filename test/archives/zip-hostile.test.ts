/** ZIP archives that somebody made to mislead or to exhaust the reader. Built byte by byte after APPNOTE 6.3.10 (build-zip.ts). */
import { createHash } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { zip } from '../../src/archives/zip.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { listArchive } from '../contracts/archive.ts';
import { failingSource } from '../support/failing-source.ts';
import { buildZip, type Part } from './build-zip.ts';

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const list = (bytes: Uint8Array, limits = {}) => listArchive(zip, memorySource(bytes), limits);

describe('a hostile name is a problem, and all other members are listed and read', () => {
  const names: readonly (readonly [what: string, name: string | Uint8Array, path: string, codes: readonly string[]])[] = [
    ['climbing', '../../etc/passwd', 'etc/passwd', ['zip.name-unsafe']],
    ['climbing in the middle', 'a/../../b', 'a/b', ['zip.name-unsafe']],
    ['climbing by backslashes', '..\\..\\b', 'b', ['zip.name-unsafe']],
    ['absolute', '/etc/shadow', 'etc/shadow', ['zip.name-unsafe']],
    ['of a share', '\\\\host\\share\\x', 'host/share/x', ['zip.name-unsafe']],
    ['with a drive', 'C:\\Windows\\x.dll', 'Windows/x.dll', ['zip.name-unsafe']],
    ['with a drive behind a climb', '../D:/x', 'x', ['zip.name-unsafe']],
    ['with NUL', 'safe.txt\0.exe', 'safe.txt\u2400.exe', ['zip.name-unsafe']],
    ['that turns the reading direction', 'photo\u202egpj.exe', 'photo\u202egpj.exe', ['zip.name-unsafe']],
    ['with an escape', 'a\u001b[31m.txt', 'a\u001b[31m.txt', ['zip.name-unsafe']],
    ['empty', '', 'member-N', ['zip.name-unsafe']],
    ['of dots only', '../..', 'member-N', ['zip.name-unsafe']],
    ['that is no UTF-8 though it says so', Uint8Array.of(0x61, 0xff, 0xfe, 0x62), 'a\ufffd\ufffdb', ['zip.name-unsafe']],
    ['of 65,535 bytes', `${'x'.repeat(65_530)}.data`, `${'x'.repeat(65_530)}.data`, ['zip.name-unsafe']],
    ['with a lone surrogate in UTF-8', Uint8Array.of(0x61, 0xed, 0xa0, 0x80), 'a\ufffd\ufffd\ufffd', ['zip.name-unsafe']],
  ];
  const others = ['one.txt', 'two.txt', 'three.txt'];

  for (const [what, name, path, codes] of names) {
    it.each([0, 1, 3])(`${what}, as member %i`, async (place) => {
      const parts: Part[] = others.map((other) => ({ name: other, data: `content of ${other}` }));
      parts.splice(place, 0, { name, data: 'hostile', method: 8 });
      const { members, problems, stopped } = await list(buildZip(parts));
      expect(stopped).toBeNull();
      expect(members[place]).toMatchObject({ path: path.replace('N', String(place)), sha256: sha256('hostile') });
      expect(members.filter((_, index) => index !== place).map(({ sha256 }) => sha256)).toEqual(
        others.map((other) => sha256(`content of ${other}`)),
      );
      expect(problems.codes()).toEqual(codes);
    });
  }

  it('a path never leads out, whatever the name', async () => {
    const tricks = ['....//x', '..', '/..', 'C:/../x', '//x', 'a/./../b', '\\', 'c:', '.', './..\\./x', 'C:D:\\x'];
    const { members } = await list(buildZip(tricks.map((name) => ({ name }))));
    for (const { path } of members) {
      expect(path).not.toMatch(/^[/\\]|^[A-Za-z]:|\\/);
      expect(path.split('/')).not.toContain('..');
      expect(path).not.toBe('');
    }
  });
});

describe('sizes that lie', () => {
  it.each([
    ['more than it is', { size: 1_000_000 }],
    ['less than it is', { size: 10 }],
    ['the most that can be said', { size: 0xffff_fffe }],
  ])('the size claims %s', async (_, claim) => {
    const { members, problems } = await list(buildZip([{ name: 'a', data: 'x'.repeat(5000), method: 8, ...claim }]));
    expect(members[0]).toMatchObject({ size: 5000, sha256: sha256('x'.repeat(5000)) });
    expect(problems.codes()).toEqual(['zip.size']);
  });

  it('packed bytes beyond the end of the file: what is there is read', async () => {
    const { members, problems } = await list(buildZip([{ name: 'a', data: 'x'.repeat(100), packedSize: 0x7fff_ffff, size: 0x7fff_ffff }]));
    expect(members[0]!.size).toBeGreaterThanOrEqual(100);
    expect(problems.codes()).toContain('zip.truncated');
  });

  it('a wrong CRC', async () => {
    const { members, problems } = await list(buildZip([{ name: 'a', data: 'abc', crc: 1 }]));
    expect(members[0]!.sha256).toBe(sha256('abc'));
    expect(problems.all).toMatchObject([
      {
        code: 'zip.crc',
        hidesEvidence: true,
        message: `CRC-32 of what came out is ${crc32('abc').toString(16)}, the directory says 00000001`,
      },
    ]);
  });
});

describe('members over one another and members that are not told of', () => {
  it('two entries of the directory for one body', async () => {
    const { members, problems } = await list(
      buildZip([
        { name: 'a', data: 'abc' },
        { name: 'b', data: 'abc', localOffset: 0 },
      ]),
    );
    expect(members.map(({ sha256 }) => sha256).slice(0, 2)).toEqual([sha256('abc'), sha256('abc')]);
    expect(problems.codes()).toEqual(['zip.names-differ', 'zip.overlap', 'zip.unlisted']); // b's own body is told of by nothing
  });

  it('a member that the directory leaves out is found between the others', async () => {
    const bytes = buildZip([
      { name: 'a', data: 'abc' },
      { name: 'hidden', data: 'secret', listed: false },
      { name: 'c', data: 'def' },
    ]);
    const { members, problems } = await list(bytes);
    expect(members.map(({ path, sha256 }) => [path, sha256])).toEqual([
      ['a', sha256('abc')],
      ['c', sha256('def')],
      ['hidden', sha256('secret')],
    ]);
    expect(problems.codes()).toEqual(['zip.unlisted']);
  });

  it('an end record that counts too few members', async () => {
    const { members, problems } = await list(buildZip([{ name: 'a' }, { name: 'b' }, { name: 'c' }], { entryCount: 1 }));
    expect(members.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
    expect(problems.codes()).toEqual(['zip.unlisted']);
  });

  it('an end record that counts too many', async () => {
    const { members, problems } = await list(buildZip([{ name: 'a' }, { name: 'b' }], { entryCount: 40 }));
    expect(members.map(({ path }) => path)).toEqual(['a', 'b']);
    expect(problems.codes()).toEqual(['zip.directory']);
  });

  it('a stored archive inside is one member, its own members are not listed beside it', async () => {
    const inner = buildZip([{ name: 'inner.txt', data: 'inside' }]);
    const { members, problems } = await list(buildZip([{ name: 'inner.zip', data: inner }, { name: 'z' }]));
    expect(members.map(({ path }) => path)).toEqual(['inner.zip', 'z']);
    expect(problems.codes()).toEqual([]);
  });
});

describe('end records', () => {
  const good: Part[] = [
    { name: 'a.txt', data: 'abc' },
    { name: 'b.txt', data: 'def'.repeat(9000), method: 8 },
  ];
  const digests = [sha256('abc'), sha256('def'.repeat(9000))];
  const found = async (bytes: Uint8Array) => {
    const { members, problems, stopped } = await list(bytes);
    return { digests: members.map(({ sha256 }) => sha256), codes: problems.codes(), stopped };
  };

  it.each([
    ['a long comment', { comment: 'c'.repeat(65_535) }, []],
    [
      'a comment that holds an empty end record',
      { comment: Buffer.concat([Buffer.from('PK\x05\x06'), Buffer.alloc(18), Buffer.from('x')]) },
      [],
    ],
    ['a comment that holds the signature', { comment: 'is PK\x05\x06 here' }, []],
    ['bytes behind it', { trailing: Buffer.alloc(5000, 0x41) }, ['zip.trailing']],
    ['zeros up to the end of a cluster', { trailing: Buffer.alloc(2048) }, ['zip.trailing']],
    ['a program before it', { prefix: Buffer.alloc(70_000, 0x90) }, ['zip.prefix']],
    ['both', { prefix: Buffer.alloc(99), trailing: Buffer.alloc(30), comment: 'x' }, ['zip.prefix', 'zip.trailing']],
  ])('%s: every member once', async (_, whole, codes) => {
    expect(await found(buildZip(good, whole))).toEqual({ digests, codes, stopped: null });
  });

  it('two archives one after the other: all members of both, and that there are two directories', async () => {
    const bytes = Buffer.concat([buildZip([{ name: 'first', data: '1st' }]), buildZip(good)]);
    const { digests: both, codes } = await found(bytes);
    expect(both).toEqual([...digests, sha256('1st')]);
    expect(codes).toEqual(['zip.directories', 'zip.prefix', 'zip.unlisted']);
  });

  it('no end record: members by their own headers', async () => {
    const bytes = buildZip(good);
    expect(await found(bytes.subarray(0, bytes.length - 22))).toEqual({ digests, codes: ['zip.directory'], stopped: null });
  });

  it('no end record, sizes in descriptors: deflated members end where deflate does, stored ones at the descriptor', async () => {
    const bytes = buildZip(good.map((part) => ({ ...part, flags: 0x808 })));
    expect(await found(bytes.subarray(0, bytes.length - 22))).toEqual({ digests, codes: ['zip.directory'], stopped: null });
  });

  it('a directory that is overwritten in its middle: what it lists, and the rest by their own headers', async () => {
    const parts = ['a', 'b', 'c', 'd'].map((name) => ({ name, data: `${name}${name}` }));
    const bytes = Buffer.from(buildZip(parts));
    const places: number[] = [];
    for (let at = bytes.indexOf('PK\x01\x02'); at >= 0; at = bytes.indexOf('PK\x01\x02', at + 1)) places.push(at);
    bytes.fill(0xee, places[2]!, places[2]! + 20);
    expect(await found(bytes)).toEqual({
      digests: parts.map(({ data }) => sha256(data)),
      codes: ['zip.directory', 'zip.unlisted'],
      stopped: null,
    });
  });

  it('nothing at all', async () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('PK'),
      Buffer.from('PK\x03\x04'),
      Buffer.alloc(100_000),
      Buffer.alloc(100_000, 'PK\x05\x06'),
    ]) {
      expect((await list(bytes)).stopped).toBe('zip.directory');
    }
    expect(await found(buildZip([]))).toEqual({ digests: [], codes: [], stopped: null });
  });
});

describe('damage inside a member', () => {
  // numbers that deflate to several blocks: the byte in the middle of the packed data is turned over
  const data = Array.from({ length: 100_000 }, (_, index) => index * 7919).join('\n');

  it('gives what comes before the damage, of this member, and all of the others', async () => {
    const packed = Buffer.from(deflateRawSync(data));
    const middle = packed.length >> 1;
    packed.fill(0xff, middle, middle + 64);
    const { members } = await list(
      buildZip([
        { name: 'a', data, method: 8, packed },
        { name: 'b', data: 'whole' },
      ]),
    );
    expect(members[0]!.error).toBe('zip.inflate');
    expect(members[0]!.size).toBeGreaterThan(data.length * 0.45); // half of the packed bytes are sound
    expect(members[1]!.sha256).toBe(sha256('whole'));
  });

  it('says when the packed data breaks off', async () => {
    const packed = deflateRawSync(data).subarray(0, 5000);
    const { members, problems } = await list(buildZip([{ name: 'a', data, method: 8, packed }]));
    expect(members[0]!.error).toBe('zip.truncated');
    expect(members[0]!.size).toBeGreaterThan(5000);
    expect(problems.codes()).toEqual([]);
  });

  it('encrypted, and methods that are not unpacked, are named', async () => {
    const parts = [
      { name: 'e', flags: 0x801, data: 'xxxxxxxxxxxxxxx' },
      { name: 'm', method: 12, data: 'x' },
      { name: 's', data: 'ok' },
    ];
    expect((await list(buildZip(parts))).members.map(({ error }) => error)).toEqual(['zip.encrypted', 'zip.method', undefined]);
  });
});

describe('limits', () => {
  const mebibyte = 1024 * 1024;

  it('a flat bomb gives no more than the limit, to the byte of a piece', async () => {
    const bomb = buildZip([{ name: 'zeros', data: Buffer.alloc(64 * mebibyte), method: 8 }]);
    const { members, stopped } = await list(bomb, { unpackedBytes: 10 * mebibyte });
    expect(members[0]!.error).toBe('limit.unpacked-bytes');
    expect(members[0]!.size).toBeLessThanOrEqual(10 * mebibyte);
    expect(members[0]!.size).toBeGreaterThan(9 * mebibyte);
    expect(stopped).toBeNull();
  });

  it('once no byte is left no further member is begun', async () => {
    const zeros = { data: Buffer.alloc(4 * mebibyte), method: 8 };
    const { members, stopped } = await list(
      buildZip([
        { name: 'a', ...zeros },
        { name: 'b', ...zeros },
        { name: 'c', ...zeros },
      ]),
      { unpackedBytes: mebibyte },
    );
    expect({ count: members.length, stopped }).toEqual({ count: 1, stopped: 'limit.unpacked-bytes' });
  });

  it('the ratio counts beyond its floor only', async () => {
    // 64 MiB of zeros deflate to about 1:1030 (zlib's greatest), so 1000 to 1 is passed
    const bomb = buildZip([{ name: 'zeros', data: Buffer.alloc(64 * mebibyte), method: 8 }]);
    expect((await list(bomb, { ratioFloor: 32 * mebibyte })).members[0]).toMatchObject({ error: 'limit.ratio' });
    expect((await list(bomb)).members[0]).not.toHaveProperty('error');
  });

  it('a file of nothing but local signatures is gone over once', async () => {
    const bytes = Buffer.alloc(8 * mebibyte, 'PK\x03\x04'); // before: a MiB copied for each of two million signatures
    const counted = failingSource(memorySource(bytes), -1);
    const { members, stopped } = await listArchive(zip, counted, { entries: 1000 });
    expect(stopped).toMatch(/^(limit\.entries|zip\.directory)$/);
    expect(members.length).toBeLessThanOrEqual(1000);
    expect(counted.reads).toBeLessThan(10_000);
  });

  it('local headers without a name, millions of them, are gone over once', async () => {
    const header = Buffer.alloc(32);
    header.write('PK\x03\x04', 'latin1');
    const counted = failingSource(memorySource(Buffer.alloc(16 * mebibyte, header)), -1);
    expect((await listArchive(zip, counted)).stopped).toBe('zip.directory');
    expect(counted.reads).toBeLessThan(1000);
  });
});
