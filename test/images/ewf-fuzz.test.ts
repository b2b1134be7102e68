/** Mutants of EWF files, the same on every run: refused or read honestly, in bounded time, never thrown otherwise. */
import { describe, expect, it } from 'vitest';
import { type Segment } from '../../src/evidence/image.ts';
import { ewf } from '../../src/images/ewf.ts';
import { readMedia } from '../contracts/image.ts';
import { keepProblems } from '../support/problems.ts';
import { random } from '../support/random.ts';
import { sectionsOf } from './ewf-surgery.ts';
import { fixtureSegments, segmentOf } from './segments.ts';

const largestMedium = 64 * 1024 * 1024; // of a mutant that claims more, only so much is read

/** One to twelve changes; two in three hit the structures, where there is more to break than in the chunks. */
function mutate(bytes: Uint8Array, next: () => number): Buffer {
  const copy = Buffer.from(bytes);
  const places = sectionsOf(bytes);
  for (let changes = 1 + Math.floor(next() * 12); changes > 0; changes--) {
    const place = places[Math.floor(next() * places.length)]!;
    const near = place.offset + Math.floor(next() * 160);
    const at = Math.min(copy.length - 1, next() < 0.66 ? near : Math.floor(next() * copy.length));
    const kind = next();
    if (kind < 0.5) copy[at]! ^= 1 << Math.floor(next() * 8);
    else if (kind < 0.7) copy[at] = next() < 0.5 ? 0 : 255;
    else if (kind < 0.8) copy.fill(next() < 0.5 ? 0 : 255, at, Math.min(copy.length, at + Math.floor(next() * 600)));
    else if (kind < 0.9) copy.copyWithin(at, Math.floor(next() * copy.length));
    else return copy.subarray(0, at);
  }
  return copy;
}

function attempt(segments: readonly Segment[]) {
  const problems = keepProblems();
  try {
    const image = ewf.open(segments, problems);
    if (image.media.size > largestMedium) {
      image.media.read(0, 1 << 20);
      image.media.read(image.media.size - 1, 100);
      return null;
    }
    const media = readMedia(image.media, 1 << 20);
    for (let index = 0; index < image.chunks!.count; index += 7) image.chunks!.endOf(index);
    return { media, damaged: image.damage.bytes, problems: problems.all };
  } catch (error) {
    if (!['FormatError', 'ReadError', 'LimitError'].includes((error as Error).name)) throw error;
    return null;
  }
}

const cases: [string, number][] = [
  ['ewf-encase6', 250],
  ['ewf-encase1', 150],
  ['ewf-ftk', 150],
  ['ewf-smart', 150],
  ['ewf-ewfx', 150],
  ['ewf-split', 40],
];

describe('mutants of EWF images', () => {
  it.each(cases)('%s, %i of them', (name, count) => {
    const good = attempt(fixtureSegments(name))!.media;
    let readable = 0;
    for (let seed = 1; seed <= count; seed++) {
      const next = random(seed);
      const segments = fixtureSegments(name).map(({ name: file, source }) => segmentOf(file, mutate(source.read(0, source.size), next)));
      const outcome = attempt(segments);
      if (outcome === null) continue;
      readable++;
      const { media, damaged, problems } = outcome;
      if (media.length !== good.length) {
        expect([seed, problems.some(({ hidesEvidence }) => hidesEvidence)]).toEqual([seed, true]);
        continue;
      }
      let wrong = 0;
      for (let at = 0; at < media.length; at++) if (media[at] !== good[at]) wrong++;
      expect([seed, wrong <= damaged]).toEqual([seed, true]);
      if (wrong > 0) expect([seed, problems.some(({ hidesEvidence }) => hidesEvidence)]).toEqual([seed, true]);
    }
    expect(readable).toBeGreaterThan(count / 4); // else the mutants would prove nothing
  });
});
