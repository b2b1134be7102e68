/** The canonical form. Witness: RFC 8785, the samples of section 3.2 and the table of appendix B. */
import { describe, expect, it } from 'vitest';
import { canonicalDigest, canonicalText } from '../../src/custody/canonical.ts';

it('gives the bytes of RFC 8785 section 3.2.4 for the sample of section 3.2.2', () => {
  const sample = String.raw`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`;
  const bytes = `7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a
    5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37 5d 2c 22 73
    74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d`;
  expect(Buffer.from(canonicalText(JSON.parse(sample))).toString('hex')).toBe(bytes.replace(/\s/g, ''));
});

it('sorts names by their UTF-16 code units (section 3.2.3)', () => {
  const sample = String.raw`{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}`;
  expect(Object.values(JSON.parse(canonicalText(JSON.parse(sample)).replace('"1":', '"one":')))).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

describe('numbers (appendix B: IEEE 754 bits and what is written)', () => {
  const table: [string, string][] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ];
  it.each(table)('%s is %s', (bits, text) => {
    expect(canonicalText(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text);
  });

  it.each(['7fffffffffffffff', '7ff0000000000000'])('%s is refused: NaN and Infinity have no form', (bits) => {
    expect(() => canonicalText([Buffer.from(bits, 'hex').readDoubleBE()])).toThrow();
  });
});

it('refuses lone surrogates (section 3.2.2.2), in values and in names, and what is no JSON', () => {
  expect(() => canonicalText({ name: 'a\ud800b' })).toThrow(TypeError);
  expect(() => canonicalText({ 'a\udc00': 1 })).toThrow(TypeError);
  expect(() => canonicalText(undefined)).toThrow(TypeError);
  expect(() => canonicalText({ size: 1n })).toThrow(TypeError);
  expect(canonicalText('\ud83d\ude00')).toBe('"\ud83d\ude00"');
});

it('digests the UTF-8 bytes: `printf \'{"a":"é"}\' | sha256sum` (coreutils 9.1)', () => {
  expect(canonicalDigest({ a: 'é' })).toBe('b3a092a6af48807fa9482b2ee140105575daa26d5b24b3c0e60a7e2dee6683b1');
});
