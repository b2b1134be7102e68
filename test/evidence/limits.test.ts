/** What is left of the limits of one task: counted over all that is nested. */
import { expect, it } from 'vitest';
import { Budget, defaultLimits } from '../../src/evidence/limits.ts';

const limits = { ...defaultLimits, depth: 3, entries: 4, unpackedBytes: 1000, ratio: 10, ratioFloor: 100 };
const limited = (code: string) => expect.objectContaining({ name: 'LimitError', code });

it('entries and bytes are shared by all levels', () => {
  const outer = new Budget(limits);
  const inner = outer.nested('a').nested('b');
  for (let count = 0; count < 2; count++) for (const budget of [outer, inner]) budget.spendEntry();
  expect(() => inner.spendEntry()).toThrow(limited('limit.entries'));
  outer.spendBytes(600, 600, 600);
  inner.spendBytes(400, 400, 400);
  expect(() => outer.spendBytes(1, 1, 1)).toThrow(limited('limit.unpacked-bytes'));
});

it('once bytes are spent no entry is begun', () => {
  const budget = new Budget(limits);
  expect(() => budget.spendBytes(1001, 1001, 1001)).toThrow(limited('limit.unpacked-bytes'));
  expect(() => budget.nested('a').spendEntry()).toThrow(limited('limit.unpacked-bytes'));
});

it('depth counts archives inside archives', () => {
  const third = new Budget(limits).nested('a').nested('b').nested('c');
  expect(() => third.nested('d')).toThrow(limited('limit.depth'));
});

it('the ratio is that of one member, beyond the floor', () => {
  const budget = new Budget(limits);
  budget.spendBytes(100, 100, 1); // not beyond the floor
  budget.spendBytes(20, 120, 12); // 10 to 1: just allowed
  expect(() => budget.spendBytes(1, 121, 12)).toThrow(limited('limit.ratio'));
});
