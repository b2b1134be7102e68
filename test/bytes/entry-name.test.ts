import { expect, it } from 'vitest';
import { entryName } from '../../src/bytes/entry-name.ts';

const named = (text: string) => entryName({ text }, Buffer.from(text));

it.each(['a', 'a.b', '...', '.hidden', 'a..', '\u202eb'])('leaves %j as it is', (text) => {
  expect(named(text)).toEqual({ text });
});

it.each([
  ['', '\u2420', ''],
  ['.', '\u2024', '2e'],
  ['..', '\u2024\u2024', '2e2e'],
  ['a/b', 'a\u2215b', '612f62'],
  ['../etc/passwd', '..\u2215etc\u2215passwd', '2e2e2f6574632f706173737764'],
])('shows %j as what is no path, with its bytes', (text, shown, raw) => {
  expect(named(text)).toEqual({ text: shown, raw });
});

it('keeps the bytes that a name has already', () => {
  expect(entryName({ text: 'a/\ufffd', raw: '612fff' }, Buffer.from('x'))).toEqual({ text: 'a\u2215\ufffd', raw: '612fff' });
});
