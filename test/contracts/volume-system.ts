/** What every reader of partition tables owes its callers, run on a good medium. */
import { describe, expect, it } from 'vitest';
import { type ByteSource, sliceSource } from '../../src/bytes/source.ts';
import { FormatError, ReadError } from '../../src/evidence/errors.ts';
import { type VolumeRange, type VolumeSystemFormat } from '../../src/evidence/volume-system.ts';
import { failingSource } from '../support/failing-source.ts';
import { keepProblems } from '../support/problems.ts';

/** By an outside witness, in order of number. */
export interface ExpectedVolume {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

/** Ranges that stand beside the tiling, and say why. */
export const isBeside = ({ flags }: VolumeRange): boolean =>
  flags?.some((flag) => flag === 'overlaps' || flag === 'outside the medium') ?? false;

/** Every byte exactly once, in order; what stands beside it is a volume and flagged. */
export function expectTiling(ranges: readonly VolumeRange[], mediaSize: number): void {
  const tiles = ranges.filter((range) => !isBeside(range));
  let end = 0;
  for (const { offset, length, kind, number } of tiles) {
    expect(offset).toBe(end);
    expect(length).toBeGreaterThan(0);
    expect(number === null).toBe(kind !== 'volume');
    end = offset + length;
  }
  expect(end).toBe(mediaSize);
  for (const range of ranges.filter(isBeside)) expect(range.kind).toBe('volume');
}

export const placesOf = (ranges: readonly VolumeRange[]): ExpectedVolume[] =>
  ranges
    .filter(({ kind }) => kind === 'volume')
    .map(({ number, offset, length }) => ({ number: number!, offset, length }))
    .sort((a, b) => a.number - b.number);

/** Recognises, opens and lists; null where the reader refuses in one of the ways it may. */
export function tryVolumes(format: VolumeSystemFormat, media: ByteSource, sectorSize = 512) {
  const problems = keepProblems();
  try {
    if (!format.recognises(media, sectorSize)) return null;
    const { facts, volumes } = format.open(media, sectorSize, problems);
    return { ranges: volumes(), facts, problems };
  } catch (error) {
    if (error instanceof FormatError || error instanceof ReadError) return null;
    throw error;
  }
}

export function volumeSystemContract(
  format: VolumeSystemFormat,
  name: string,
  media: () => ByteSource,
  expected: readonly ExpectedVolume[],
  sectorSize = 512,
): void {
  describe(`${format.name} keeps the volume system contract on ${name}`, () => {
    it('lists the volumes that the witness knows, without problem', () => {
      const found = tryVolumes(format, media(), sectorSize)!;
      expect(placesOf(found.ranges)).toEqual([...expected].sort((a, b) => a.number - b.number));
      expect(found.problems.all).toEqual([]);
    });

    it('accounts for every byte of the medium exactly once', () => {
      expectTiling(tryVolumes(format, media(), sectorSize)!.ranges, media().size);
    });

    it('says the same each time', () => {
      const again = () => {
        const { ranges, facts } = tryVolumes(format, media(), sectorSize)!;
        return { ranges, facts };
      };
      expect(again()).toEqual(again());
    });

    it('reports a bad sector wherever it falls, or lists all the same', () => {
      const counted = failingSource(media(), -1);
      tryVolumes(format, counted, sectorSize);
      expect(counted.reads).toBeGreaterThan(0);
      for (let failAt = 0; failAt < counted.reads; failAt++) {
        const found = tryVolumes(format, failingSource(media(), failAt), sectorSize);
        if (found === null) continue;
        expectTiling(found.ranges, media().size);
        if (found.problems.all.length === 0)
          expect(placesOf(found.ranges)).toEqual(placesOf(tryVolumes(format, media(), sectorSize)!.ranges));
      }
    });

    it('tiles what is left of a medium that was cut off, and says what runs past its end', () => {
      const { size } = media();
      for (let part = 1; part < 40; part++) {
        const cut = Math.floor((size * part) / 40 / 512) * 512 + (part % 3 === 0 ? 100 : 0);
        const found = tryVolumes(format, sliceSource(media(), 0, cut), sectorSize);
        if (found === null) continue;
        expectTiling(found.ranges, cut);
        if (expected.some(({ offset, length }) => offset + length > cut)) {
          expect(found.problems.all.some(({ hidesEvidence }) => hidesEvidence)).toBe(true);
        }
      }
    });
  });
}
