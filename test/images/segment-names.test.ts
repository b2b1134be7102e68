/** Names of EWF segments: libewf "Expert Witness Compression Format (EWF)", section "Segment files". */
import { describe, expect, it } from 'vitest';
import { nameOfSegment, segmentExtension, segmentNumber } from '../../src/images/ewf/segment-names.ts';
import { ewf } from '../../src/images/ewf.ts';
import { namesOf } from './folder.ts';

describe('segments of a set', () => {
  const found = namesOf(ewf);

  it('are numbered E01 to E99, EAA to EZZ, FAA to ZZZ', () => {
    // by hand: 99 with digits, 26 * 26 = 676 for each first letter
    const known: [string, number][] = [
      ['E01', 1],
      ['E99', 99],
      ['EAA', 100],
      ['EAZ', 125],
      ['EBA', 126],
      ['EZZ', 775],
      ['FAA', 776],
      ['ZZZ', 99 + 22 * 676],
    ];
    for (const [extension, number] of known) {
      expect(segmentNumber(extension, 'E')).toBe(number);
      expect(segmentExtension(number, 'E', 'E01')).toBe(extension);
      expect(segmentExtension(number, 'E', 'e01')).toBe(extension.toLowerCase());
    }
    expect(segmentNumber('s01', 'S')).toBe(1);
    expect(segmentNumber('SAA', 'S')).toBe(100);
    for (const other of ['E00', 'L01', 'DAA', 'E1', 'E001', 'EA1']) expect(segmentNumber(other, 'E')).toBeNull();
  });

  it('are named after another of the set', () => {
    expect(nameOfSegment(3, 'disk.E01')).toBe('disk.E03');
    expect(nameOfSegment(100, 'disk.e99')).toBe('disk.eaa');
    expect(nameOfSegment(2, 'disk.s01')).toBe('disk.s02');
    expect(nameOfSegment(2, 'disk')).toBe('segment 2');
  });

  it('are found from any of them, in order, beyond a gap', () => {
    const names = ['a.E01', 'a.E02', 'a.E04', 'a.E99', 'a.EAA', 'a.EAB'];
    for (const given of ['a.E01', 'a.E04', 'a.EAB']) expect(found(given, [...names].reverse())).toEqual(names);
    expect(found('a.s01', ['a.s01', 'a.s02', 'a.E01'])).toEqual(['a.s01', 'a.s02']);
    expect(found('a.b.E01', ['a.b.E01', 'a.b.E02', 'a.E02'])).toEqual(['a.b.E01', 'a.b.E02']);
  });

  it('are not what only looks like them', () => {
    expect(found('a.E01', ['a.E01', 'a.txt', 'a.log', 'a.E02.txt', 'a.E02/', 'b.E02', 'a.ZIP', 'a.L02'])).toEqual(['a.E01']);
    expect(found('a.dd', ['a.dd', 'a.E01'])).toEqual(['a.dd']);
    expect(found('noending', ['noending', 'a.E01'])).toEqual(['noending']);
    expect(found('a.E00', ['a.E00', 'a.E01'])).toEqual(['a.E00']);
  });
});
