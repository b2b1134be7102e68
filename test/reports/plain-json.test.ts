/** JSON that would end the process is refused before it is parsed; all other JSON reads as JSON.parse (ECMA-262 section 25.5.1) reads it. */
import { fc, test } from '@fast-check/vitest';
import { expect, it } from 'vitest';
import { parsePlainJson } from '../../src/reports/verify/plain-json.ts';

test.prop([fc.json({ depthSize: 'medium' })])('reads what JSON.parse reads', (text) => {
  expect(parsePlainJson(text)).toEqual(JSON.parse(text));
});

it('brackets, commas and escaped quotes within a string count for nothing', () => {
  const text = JSON.stringify(`${'['.repeat(100)}"\\"${','.repeat(6_000_000)}\\`);
  expect(parsePlainJson(text)).toBe(JSON.parse(text));
});

it.each([
  ['64 levels are read', `${'['.repeat(64)}${']'.repeat(64)}`, null],
  ['65 are not', `${'['.repeat(65)}${']'.repeat(65)}`, 'nested deeper than 64 levels at character 64'],
  ['a hundred million are not, at once', '{"a":'.repeat(100_000_000), 'nested deeper than 64 levels'],
  ['six million values are not', `[${'[],'.repeat(3_000_000)}0]`, 'more than 5000000 values'],
  ['a string without an end', '"a\\"', 'JSON'],
])('%s', (_what, text, refusal) => {
  if (refusal === null) expect(parsePlainJson(text)).toEqual(JSON.parse(text));
  else expect(() => parsePlainJson(text)).toThrow(refusal);
});
