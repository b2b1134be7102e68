/** Rows in COPY text form: read back by the manual's rules, and by PostgreSQL itself in test/store. */
import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { safeText } from '../../src/bytes/text.ts';
import { copyBytes, copyValue, RowBuffer } from '../../src/examine/copy-form.ts';
import { readCopy } from './examined.ts';

it.each([
  // PostgreSQL 18 manual, COPY, "Text Format": backslash sequences; null is \N
  [null, '\\N'],
  ['', ''],
  ['\\N', '\\\\N'],
  ['a\tb', 'a\\tb'],
  ['a\nb\r', 'a\\nb\\r'],
  ['C:\\new', 'C:\\\\new'],
  ['\\.', '\\\\.'], // alone on a line it would end the data
  [true, 't'],
  [false, 'f'],
  [-0.5, '-0.5'],
  [9_007_199_254_740_991, '9007199254740991'],
])('%j is written as %s', (value, text) => {
  expect(copyValue(value)).toBe(text);
});

it('bytes are written as hex, with one backslash for the reader of the value', () => {
  expect(copyBytes('00ff')).toBe('\\\\x00ff'); // COPY takes one backslash away: \x00ff, the hex form of bytea
  expect(copyBytes(null)).toBe('\\N');
});

describe('whatever text stands in a row', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\\', '\t', '\n', '\r', 'N', '.', '\0', '\ud800', 'x') }),
  );
  property.prop([fc.array(fc.array(fc.oneof(text, fc.constant(null)), { minLength: 3, maxLength: 3 }), { maxLength: 20 })])(
    'is read back the same',
    (rows) => {
      const safe = rows.map((row) => row.map((value) => (value === null ? null : safeText(value))));
      const buffer = new RowBuffer();
      for (const row of safe) buffer.add(row.map(copyValue).join('\t'));
      const { rows: bytes, count } = buffer.takeAll();
      expect(count).toBe(rows.length);
      expect(readCopy(bytes, ['a', 'b', 'c'])).toEqual(safe.map(([a, b, c]) => ({ a, b, c })));
      expect(buffer.takeAll()).toEqual({ rows: new Uint8Array(0), count: 0 });
    },
  );
});
