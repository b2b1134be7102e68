/** Locators: printed, parsed, sorted, without loss. */
import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { childLocator, compareLocators, imageLocator, type Layer, parseLocator, printLocator } from '../../src/evidence/locator.ts';

const tricky = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('/', ':', '%', '\0', '\\', '.', 'a', '@', '\u202e', '\ufffd', 'é', '𝄞', '\n', '2', 'F'),
    maxLength: 20,
  }),
);
const layers: fc.Arbitrary<Layer[]> = fc
  .array(fc.record({ format: fc.constantFrom('mbr', 'gpt', 'ext', 'fat', 'zip', 'mbr-range'), value: tricky }), { maxLength: 6 })
  .map((inner) => [{ format: 'image', value: '' }, ...inner]);

describe('what is printed is parsed again', () => {
  property.prop([layers])('whatever the values hold', (given) => {
    expect(parseLocator(printLocator(given))).toEqual(given);
  });

  property.prop([layers])('and printed the same', (given) => {
    const text = printLocator(given);
    expect(printLocator(parseLocator(text))).toBe(text);
  });

  property.prop([layers, layers])('two places never have one locator', (one, other) => {
    expect(printLocator(one) === printLocator(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
  });

  property.prop([layers])('layer by layer too', (given) => {
    expect(given.slice(1).reduce((locator, { format, value }) => childLocator(locator, format, value), imageLocator)).toBe(
      printLocator(given),
    );
  });

  property.prop([layers])('it can stand in a line of text and in a database', (given) => {
    // PostgreSQL text holds no NUL; a TAB or line end would break lines of reports
    expect(printLocator(given)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/);
    expect(printLocator(given).isWellFormed()).toBe(true);
  });
});

it.each([
  // RFC 3986, 2.1: percent and two hex digits for each byte of UTF-8
  ['a:b', 'image:/zip:a%3Ab'],
  ['100%', 'image:/zip:100%25'],
  ['photo\u202egpj.exe', 'image:/zip:photo%E2%80%AEgpj.exe'],
  ['nul\0', 'image:/zip:nul%00'],
  ['dir/a.jpg', 'image:/zip:dir/a.jpg'],
  ['/', 'image:/zip:/'],
  ['', 'image:/zip:'],
  ['日本', 'image:/zip:日本'],
])('%j is written as %s', (value, text) => {
  expect(childLocator(imageLocator, 'zip', value)).toBe(text);
  expect(parseLocator(text)).toEqual([
    { format: 'image', value: '' },
    { format: 'zip', value },
  ]);
});

it('a lone surrogate becomes the replacement character, escaped', () => {
  expect(childLocator(imageLocator, 'zip', 'a\ud800b')).toBe('image:/zip:a%EF%BF%BDb');
});

it.each([
  '',
  'image',
  'img:',
  'image:x',
  'image:/',
  'image:/mbr',
  'image:/:1',
  'image://mbr:1',
  'image:/zip:%',
  'image:/zip:%FF',
  'image:/zip:%zz',
])('what a person typed wrong is refused: %j', (text) => {
  expect(() => parseLocator(text)).toThrow(expect.objectContaining({ name: 'FormatError', code: 'locator.malformed' }));
});

describe('order', () => {
  property.prop([fc.array(tricky, { maxLength: 30 })])('is that of UTF-8 bytes, as PostgreSQL orders text with collation "C"', (values) => {
    const sorted = values.map((value) => childLocator(imageLocator, 'zip', value)).sort(compareLocators);
    const bytes = sorted.map((locator) => Buffer.from(locator).toString('hex'));
    expect(bytes).toEqual([...bytes].sort());
  });

  it('differs from that of UTF-16 where it must', () => {
    // U+FFxx is EF BC .. in UTF-8, U+1D11E is F0 9D ..: by bytes the former is first, by code units (D834 < FF21) the latter
    expect(['image:/zip:\u{1d11e}', 'image:/zip:\uff21'].sort(compareLocators)).toEqual(['image:/zip:\uff21', 'image:/zip:\u{1d11e}']);
  });
});
