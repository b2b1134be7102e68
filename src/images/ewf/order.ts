/** The order of EWF segments by the numbers in their headers, whatever they are called. */
import { FormatError, ReadError } from '../../evidence/errors.ts';
import { type OrderedSegments, type Segment } from '../../evidence/image.ts';
import { readFileHeader } from './layout.ts';
import { readSections, type SegmentSections } from './sections.ts';
import { segmentExtension } from './segment-names.ts';
import { findVolume } from './volume.ts';

interface Numbered {
  readonly index: number;
  readonly set: SegmentSections;
}

/** What cannot be read any better is told when the image is examined: here only the order is looked for. */
const unheard = { add: () => undefined };

/** Missing segments in a row beyond which they are not told one by one. */
const toldSingly = 20;

export function orderEwf(segments: readonly Segment[]): OrderedSegments {
  const byNumber = new Map<number, Numbered>();
  const foreign: { index: number; because: string }[] = [];
  for (const [index, { name, source }] of segments.entries()) {
    const number = numberOf(name, source);
    const before = number === null ? undefined : byNumber.get(number);
    if (number === null) foreign.push({ index, because: 'is no EWF segment' });
    else if (before !== undefined) foreign.push({ index, because: `says it is segment ${number}, as '${before.set.name}' does` });
    else byNumber.set(number, { index, set: { name, source, number, sections: readSections(source, name, unheard) } });
  }
  const numbered = [...byNumber].sort(([a], [b]) => a - b).map(([, found]) => found);
  const others = ofAnotherMedium(numbered);
  for (const { index, set } of numbered) if (others.has(set)) foreign.push({ index, because: 'belongs to an image of another medium' });
  const own = numbered.filter(({ set }) => !others.has(set));
  return {
    order: own.map(({ index, set }) => ({ index, fileName: `image.${segmentExtension(set.number, 'E', 'E01')}` })),
    missing: missingAmong(own.map(({ set }) => set)),
    foreign,
  };
}

function numberOf(name: string, source: Segment['source']): number | null {
  try {
    return readFileHeader(source, name, unheard);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return null;
  }
}

function ofAnotherMedium(numbered: readonly Numbered[]): ReadonlySet<SegmentSections> {
  if (numbered.length < 2) return new Set();
  try {
    return findVolume(
      numbered.map(({ set }) => set),
      unheard,
    ).foreign;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return new Set(); // none of them tells of a medium: the first is missing, and that is told
  }
}

function missingAmong(sets: readonly SegmentSections[]): string[] {
  const missing: string[] = [];
  let expected = 1;
  for (const { number } of sets) {
    if (number - expected > toldSingly) missing.push(`segments ${expected} to ${number - 1}`);
    else for (let at = expected; at < number; at++) missing.push(`segment ${at}`);
    expected = number + 1;
  }
  const last = sets.at(-1);
  if (last !== undefined && !last.sections.some(({ type }) => type === 'done'))
    missing.push(`segment ${last.number + 1} and what follows it`);
  return missing;
}
