/** What a directory entry says about a member: names and their encodings, times, modes, comments. */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { zip } from '../../src/archives/zip.ts';
import { formatExactTime } from '../../src/bytes/exact-time.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { type Member } from '../../src/evidence/archive.ts';
import { Budget, defaultLimits } from '../../src/evidence/limits.ts';
import { keepProblems } from '../support/problems.ts';
import { buildZip, type Part } from './build-zip.ts';

async function memberOf(part: Part): Promise<Member> {
  const archive = await zip.open(memorySource(buildZip([part])), new Budget(defaultLimits), keepProblems());
  for await (const member of archive.members()) return member;
  throw new Error('no member');
}

const field = (id: number, data: Uint8Array) =>
  Buffer.concat([Buffer.from([id & 0xff, id >> 8, data.length & 0xff, data.length >> 8]), data]);
const timesOf = ({ times }: Member) => times.map(({ kind, time }) => `${kind} ${formatExactTime(time)} ${time.zone}`);

describe('names', () => {
  const cyrillic = Buffer.from('тест.txt');
  const unicodePath = (name: Uint8Array, of: Uint8Array) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(of));
    return field(0x7075, Buffer.concat([Buffer.from([1]), sum, name])); // APPNOTE 4.6.9: version, CRC-32 of the name in the header, UTF-8
  };
  const oem = Buffer.from([0x94, 0x2e, 0x74]); // ö.t in code page 437 (APPNOTE, appendix D)

  it.each([
    ['UTF-8, and says so', { name: cyrillic, flags: 0x800 }, { text: 'тест.txt' }],
    ['UTF-8, and does not say so', { name: cyrillic, flags: 0 }, { text: 'тест.txt', raw: cyrillic.toString('hex') }],
    ['code page 437', { name: oem, flags: 0 }, { text: 'ö.t', raw: '942e74' }],
    ['a Unicode path for this name', { name: oem, flags: 0, extra: unicodePath(cyrillic, oem) }, { text: 'тест.txt' }],
    [
      'a Unicode path for another name',
      { name: oem, flags: 0, extra: unicodePath(cyrillic, Buffer.from('other')) },
      { text: 'ö.t', raw: '942e74' },
    ],
  ])('%s', async (_, part, name) => {
    expect((await memberOf(part)).name).toEqual(name);
  });
});

describe('times', () => {
  it.each([
    // by hand: ((2024 - 1980) << 9) | (2 << 5) | 29 = 22621; (12 << 11) | (34 << 5) | (56 / 2) = 25692
    ['DOS', { dosDate: 22_621, dosTime: 25_692 }, ['modified 2024-02-29T12:34:56 local-unknown']],
    ['29 February of a year without one', { dosDate: ((2023 - 1980) << 9) | (2 << 5) | 29, dosTime: 0 }, []],
    ['month 0', { dosDate: 22_621 & ~0x1e0, dosTime: 0 }, []],
    ['month 15', { dosDate: 22_621 | 0x1e0, dosTime: 0 }, []],
    ['hour 31', { dosDate: 22_621, dosTime: 31 << 11 }, []],
    // date -u -d '2024-02-29 12:34:56' +%s: 1709210096 = 0x65e079f0
    ['Unix seconds', { extra: field(0x5455, Buffer.from([1, 0xf0, 0x79, 0xe0, 0x65])) }, ['modified 2024-02-29T12:34:56Z utc']],
    ['Unix seconds before 1970', { extra: field(0x5455, Buffer.from([1, 0xff, 0xff, 0xff, 0xff])) }, ['modified 1969-12-31T23:59:59Z utc']],
  ])('%s', async (_, part, times) => {
    expect(timesOf(await memberOf({ name: 'a', ...part }))).toEqual(times);
  });

  it('NTFS ticks, to 100 ns; zero is none', async () => {
    const data = Buffer.alloc(32);
    data.writeUInt16LE(1, 4);
    data.writeUInt16LE(24, 6);
    data.writeBigUInt64LE((1_709_210_096n + 11_644_473_600n) * 10_000_000n + 1_234_567n, 8); // seconds from 1601 to 1970: [MS-DTYP] 2.3.3
    data.writeBigUInt64LE(116_444_736_000_000_000n, 24);
    expect(timesOf(await memberOf({ name: 'a', extra: field(0x0a, data) }))).toEqual([
      'modified 2024-02-29T12:34:56.1234567Z utc',
      'created 1970-01-01T00:00:00.0000000Z utc',
    ]);
  });
});

describe('kinds and modes', () => {
  it.each([
    ['a file of Unix', { name: 'a', mode: 0o100640 }, { type: 'file', mode: 0o640 }],
    ['with setuid', { name: 'a', mode: 0o104755 }, { type: 'file', mode: 0o4755 }],
    ['a directory by its slash', { name: 'a/' }, { type: 'directory' }],
    ['a directory by its mode', { name: 'a', mode: 0o40755 }, { type: 'directory', mode: 0o755 }],
    ['a link', { name: 'a', mode: 0o120777 }, { type: 'symlink', mode: 0o777 }],
    ['a mode under an MS-DOS host means nothing', { name: 'a', mode: 0o120777, hostSystem: 0 }, { type: 'file' }],
    ['encrypted', { name: 'a', flags: 0x801 }, { encrypted: true }],
  ] as const)('%s', async (_, part, expected) => {
    const { type, mode, encrypted } = await memberOf(part);
    expect({ type, ...(mode === undefined ? {} : { mode }), encrypted }).toMatchObject(expected);
  });
});
