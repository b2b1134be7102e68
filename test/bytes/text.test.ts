/** Text out of hostile bytes: always well formed, and the bytes stand beside it where the text alone would not give them back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cString, deceptive, hex, latin1, nameFromUtf8, nameFromUtf16, safeText } from '../../src/bytes/text.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
const unitsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf16le'));

describe('a name of UTF-8', () => {
  it('stands as it is where it is valid', () => {
    for (const text of ['plain', 'äöü', '\u{1f5c4}', '\ufeffwith a byte order mark', 'e\u0301', '\u202egpj.exe', ' ', '']) {
      expect(nameFromUtf8(bytesOf(text))).toEqual({ text });
    }
  });

  it('has its bytes beside it where it is not', () => {
    // RFC 3629 sections 3 and 4: a lone continuation byte, an overlong form, a surrogate, beyond U+10FFFF, cut off
    for (const bytes of [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x61, 0xff, 0x62]]) {
      const { text, raw } = nameFromUtf8(Uint8Array.from(bytes));
      expect(text).toContain('\ufffd');
      expect(raw).toBe(Buffer.from(bytes).toString('hex'));
    }
    expect(nameFromUtf8(Uint8Array.of(0x61, 0, 0x62))).toEqual({ text: 'a\u2400b', raw: '610062' });
  });

  it('is never lossy: the text or the bytes give back what was found', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { text, raw } = nameFromUtf8(bytes);
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toContain('\0');
        expect(raw === undefined ? bytesOf(text) : new Uint8Array(Buffer.from(raw, 'hex'))).toEqual(bytes);
      }),
    );
  });
});

describe('a name of UTF-16', () => {
  it('stands as it is where it is well formed', () => {
    for (const text of ['plain', 'äöü', '\u{1f5c4}', '']) expect(nameFromUtf16(unitsOf(text))).toEqual({ text });
    expect(nameFromUtf16(unitsOf('x'.repeat(65_535))).text.length).toBe(65_535);
  });

  it('has its units beside it where it is not', () => {
    expect(nameFromUtf16(Uint8Array.of(0x61, 0, 0x00, 0xd8))).toEqual({ text: 'a\ufffd', raw: '610000d8' });
    expect(nameFromUtf16(Uint8Array.of(0x00, 0xdc, 0x61, 0))).toEqual({ text: '\ufffda', raw: '00dc6100' });
    expect(nameFromUtf16(Uint8Array.of(0x61, 0, 0, 0))).toEqual({ text: 'a\u2400', raw: '61000000' });
    expect(nameFromUtf16(Uint8Array.of(0x61, 0, 0x62))).toEqual({ text: 'a', raw: '610062' });
  });

  it('is never lossy', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { text, raw } = nameFromUtf16(bytes);
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toContain('\0');
        expect(raw === undefined ? unitsOf(text) : new Uint8Array(Buffer.from(raw, 'hex'))).toEqual(bytes);
      }),
    );
  });
});

it('text for a database has no NUL and no lone surrogate', () => {
  expect(safeText('a\0b')).toBe('a\u2400b');
  expect(safeText('\ud800x\udc00')).toBe('\ufffdx\ufffd');
  expect(safeText('\u{1f5c4}')).toBe('\u{1f5c4}');
});

it('bytes as Latin-1, up to a NUL, as hexadecimal digits; of a part of a buffer, too', () => {
  const part = Uint8Array.of(9, 0x41, 0xe4, 0, 0x42, 9).subarray(1, 5);
  expect(latin1(part)).toBe('A\u00e4\u2400B');
  expect(cString(part)).toBe('A\u00e4');
  expect(cString(part.subarray(0, 2))).toBe('A\u00e4');
  expect(hex(part)).toBe('41e40042');
  expect(hex(new Uint8Array(0))).toBe('');
});

it('tells of characters that cannot be seen or that turn the reading direction', () => {
  // names and properties by the Unicode Character Database 15.1 (UnicodeData.txt, PropList.txt: Bidi_Control, Default_Ignorable_Code_Point)
  const told = [
    0x00, 0x1b, 0x7f, 0x85, 0xad, 0x61c, 0x180e, 0x200b, 0x200e, 0x2028, 0x2029, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xe0041,
  ];
  for (const code of told) expect(deceptive.test(`a${String.fromCodePoint(code)}b`), code.toString(16)).toBe(true);
  for (const name of [
    'plain.txt',
    'äöü \u00e9',
    'e\u0301',
    '\u05d0\u05d1.doc',
    '\u{1f468}\u200d\u{1f469}.jpg',
    '\u0645\u06cc\u200c\u062e',
    '\u65e5\u672c',
    ' ',
  ])
    expect(deceptive.test(name), name).toBe(false);
});
