/** Fields of structures, and exact times: by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { u16be, u32be } from '../../src/bytes/big-endian.ts';
import { type ExactTime, formatExactTime } from '../../src/bytes/exact-time.ts';
import { i32, u8, u16, u32, u64, u64size, viewOf } from '../../src/bytes/little-endian.ts';

describe('fields', () => {
  const view = viewOf(Uint8Array.of(9, 0xfe, 0xff, 0xff, 0xff, 0x01, 0x02, 0x03, 0x84).subarray(1)); // a part of a buffer

  it('are read in their order of bytes', () => {
    expect([u8(view, 0), u16(view, 0), u32(view, 0), i32(view, 0)]).toEqual([0xfe, 0xfffe, 0xfffffffe, -2]);
    expect([u16be(view, 4), u32be(view, 4)]).toEqual([0x0102, 0x01020384]);
    expect(u64(view, 0)).toBe(0x84030201fffffffen);
  });

  it('behind the end throw', () => {
    expect(() => u32(view, 5)).toThrow(RangeError);
    expect(() => u64(view, 1)).toThrow(RangeError);
  });

  it('of 64 bits are exact as a number below 2^53, and not below it from there on', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value) => {
        const bytes = new Uint8Array(8);
        viewOf(bytes).setBigUint64(0, value, true);
        const size = u64size(viewOf(bytes), 0);
        if (value < 1n << 53n) expect(BigInt(size)).toBe(value);
        else expect(size).toBeGreaterThanOrEqual(2 ** 53);
      }),
    );
  });
});

describe('an exact time', () => {
  const at = (ns: bigint, resolutionNs = 1, zone: ExactTime['zone'] = 'utc'): string => formatExactTime({ ns, resolutionNs, zone });

  it('is written with the digits of its resolution', () => {
    // date -u -d @1700000000 (coreutils 9.1): 2023-11-14T22:13:20
    const ns = 1_700_000_000_123_456_789n;
    expect(at(ns)).toBe('2023-11-14T22:13:20.123456789Z');
    expect(at(ns, 100)).toBe('2023-11-14T22:13:20.1234567Z'); // NTFS
    expect(at(ns, 1_000_000)).toBe('2023-11-14T22:13:20.123Z');
    expect(at(ns, 10_000_000)).toBe('2023-11-14T22:13:20.12Z'); // FAT, time of creation
    expect(at(ns, 1_000_000_000)).toBe('2023-11-14T22:13:20Z');
    expect(at(ns, 2_000_000_000, 'local-unknown')).toBe('2023-11-14T22:13:20'); // FAT, time of writing
    expect(formatExactTime({ ns, resolutionNs: 1_000_000_000, zone: 'offset', offsetMinutes: 60 })).toBe('2023-11-14T22:13:20Z');
  });

  it('before 1970 counts down to the second below', () => {
    expect(at(0n)).toBe('1970-01-01T00:00:00.000000000Z');
    expect(at(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
    expect(at(-1_500_000_000n)).toBe('1969-12-31T23:59:58.500000000Z');
    // 1601-01-01, where NTFS begins: 11,644,473,600 s before 1970 (MS-DTYP section 2.3.3)
    expect(at(-11_644_473_600n * 1_000_000_000n, 100)).toBe('1601-01-01T00:00:00.0000000Z');
  });

  it('beyond the year 9999 has a sign, beyond what a calendar holds is a number', () => {
    // date -u -d '9999-12-31T23:59:59' +%s: 253402300799
    expect(at(253_402_300_800n * 1_000_000_000n, 1_000_000_000)).toBe('+010000-01-01T00:00:00Z');
    expect(at(1n << 80n, 1_000_000_000)).toBe(`@${(1n << 80n) / 1_000_000_000n}Z`);
  });
});
