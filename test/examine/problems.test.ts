/** The problem log of a task: bounded in what it lists, complete in what it counts. */
import { describe, expect, it } from 'vitest';
import { type LocatedProblem } from '../../src/evidence/task.ts';
import { LocatedProblems } from '../../src/examine/problems.ts';

function logOf(limit: number) {
  const emitted: LocatedProblem[] = [];
  const log = new LocatedProblems(
    limit,
    (problem) => emitted.push(problem),
    (address) => (address === undefined ? 'image:' : `image:/ext:${address}`),
  );
  return { log, emitted };
}

describe('more problems of one code than the limit', () => {
  it('lists as many as the limit of each code, counts the rest in one, once', () => {
    const { log, emitted } = logOf(3);
    for (let index = 0; index < 10; index++) log.add({ code: 'a.many', message: `${index}` });
    for (let index = 0; index < 3; index++) log.add({ code: 'b.just', message: `${index}` });
    for (let index = 0; index < 4; index++) log.add({ code: 'c.hides', message: `${index}`, hidesEvidence: index === 3 });
    log.close();
    expect(emitted.slice(0, 9).map(({ code, message }) => `${code} ${message}`)).toEqual(
      ['a.many', 'b.just', 'c.hides'].flatMap((code) => [0, 1, 2].map((index) => `${code} ${index}`)),
    );
    expect(emitted.slice(9)).toEqual([
      { locator: 'image:', code: 'problems.more', message: 'a.many: 7 more than the 3 listed singly', hidesEvidence: false },
      { locator: 'image:', code: 'problems.more', message: 'c.hides: 1 more than the 3 listed singly', hidesEvidence: true }, // the one that is counted only hides evidence
    ]);
    expect(log.total).toBe(emitted.length);
  });

  it('every entry still learns its codes', () => {
    const { log } = logOf(1);
    for (let index = 0; index < 50; index++) log.add({ code: 'a.many', message: '', address: String(index) });
    expect(log.takeCodes('image:/ext:49')).toEqual(['a.many']);
    expect(log.takeCodes('image:/ext:49')).toEqual([]); // taken
  });
});

it('a muted log drops what is added, and hears again when it is not', () => {
  const { log, emitted } = logOf(3);
  log.muted = true;
  log.add({ code: 'a', message: 'told by another task' });
  log.muted = false;
  log.add({ code: 'b', message: 'new' });
  log.close();
  expect(emitted.map(({ code }) => code)).toEqual(['b']);
  expect(log.total).toBe(1);
});

it('messages can be stored: no NUL, no lone surrogate, not without end', () => {
  const { log, emitted } = logOf(3);
  log.add({ code: 'a', message: `nul \0 surrogate \ud800 pair at the cut ${'x'.repeat(1960)}\u{1f50d}\u{1f50d}` });
  expect(emitted[0]!.message).toContain('nul \u2400 surrogate \ufffd');
  expect(emitted[0]!.message.length).toBeLessThanOrEqual(2000);
  expect(emitted[0]!.message.isWellFormed()).toBe(true);
});

it('codes of places that no entry takes are not kept without end', () => {
  const { log } = logOf(1);
  for (let index = 0; index < 30_000; index++) log.add({ code: 'a', message: '', address: String(index) });
  expect(log.takeCodes('image:/ext:0')).toEqual([]); // the oldest are let go
  expect(log.takeCodes('image:/ext:29999')).toEqual(['a']);
});

it('a place that is no byte of anything is left out, not the problem', () => {
  const { log, emitted } = logOf(9);
  for (const at of [0, 2 ** 53 - 1, 2 ** 53, 2 ** 71, -512, 0.5, Number.NaN]) log.add({ code: 'a.place', message: `at ${at}`, at });
  expect(emitted.map(({ at }) => at)).toEqual([0, 2 ** 53 - 1, ...Array(5).fill(undefined)]);
});
