/** The order of the parts of a split raw image. Nothing in them tells of it: their names do. */
import { type OrderedSegments, type Segment } from '../../evidence/image.ts';
import { firstOfSet, numberOfPart } from './part-names.ts';

const mostTold = 20;

export function orderParts(segments: readonly Segment[]): OrderedSegments {
  const byNumber = new Map<number, number>();
  const foreign: { index: number; because: string }[] = [];
  const first = segments.find(({ name }) => numberOfPart(name) !== null);
  segments.forEach(({ name }, index) => {
    const number = numberOfPart(name);
    const before = number === null ? undefined : byNumber.get(number);
    if (number === null) foreign.push({ index, because: 'has no number at the end of its name, expected one like .001 or .aa' });
    else if (stemOf(name) !== stemOf(first!.name)) foreign.push({ index, because: `is not named like '${first!.name}'` });
    else if (before !== undefined) foreign.push({ index, because: `has the number of '${segments[before]!.name}'` });
    else byNumber.set(number, index);
  });
  const numbered = [...byNumber].sort(([a], [b]) => a - b);
  const start = numbered.length === 0 ? 0 : firstOfSet(segments[numbered[0]![1]]!.name);
  return {
    order: numbered.map(([number, index]) => ({ index, fileName: `image.${String(number - start + 1).padStart(3, '0')}` })),
    missing: missingAmong(
      numbered.map(([number]) => number),
      start,
    ),
    foreign,
  };
}

const stemOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));

function missingAmong(numbers: readonly number[], start: number): string[] {
  const missing: string[] = [];
  let expected = start;
  for (const number of numbers) {
    if (number - expected > mostTold) missing.push(`parts ${expected} to ${number - 1}`);
    else for (let at = expected; at < number; at++) missing.push(`part ${at}`);
    expected = number + 1;
  }
  return missing;
}
