import { describe, expect, it } from 'vitest';
import { ewf } from '../../src/images/ewf.ts';
import { imageContract, readMedia, sha256 } from '../contracts/image.ts';
import { fixtureExpected } from '../support/fixture.ts';
import { keepProblems } from '../support/problems.ts';
import { fixtureSegments } from './segments.ts';

const fixtures = ['ewf-encase6', 'ewf-encase1', 'ewf-ftk', 'ewf-smart', 'ewf-ewfx', 'ewf-chunk16', 'ewf-split'];

for (const name of fixtures) imageContract(ewf, name, () => fixtureSegments(name), fixtureExpected(name));

const open = (name: string) => ewf.open(fixtureSegments(name), keepProblems());

describe('what an EWF image tells of itself', () => {
  it('gives the medium and the facts of the demonstration disk', () => {
    // ewfexport and ewfinfo 20140813, see fixtures/disk-mbr-e01/origin.md
    const expected = fixtureExpected('disk-mbr-e01');
    const image = open('disk-mbr-e01');
    expect(sha256(readMedia(image.media, 1 << 20))).toBe(expected.sha256);
    expect(image.acquisition).toMatchObject(expected.ewfinfo);
    expect(image.storedHashes).toEqual([
      { algorithm: 'md5', value: expected.md5, place: 'digest section' },
      { algorithm: 'sha1', value: expected.sha1, place: 'digest section' },
      { algorithm: 'md5', value: expected.md5, place: 'hash section' },
    ]);
  });

  it.each(fixtures)('finds what the acquiring person entered in %s, and the MD5', (name) => {
    // the arguments of ewfacquire in fixtures/make/images.sh; md5sum of coreutils 9.1
    const { acquisition, storedHashes } = open(name);
    expect(acquisition).toMatchObject({
      caseNumber: 'case-7',
      evidenceNumber: 'exhibit-7-1',
      description: 'made for tests',
      examiner: 'Exam Iner',
      notes: 'a note',
    });
    if (name !== 'ewf-smart' && name !== 'ewf-encase1') expect(acquisition.mediaType).toBe('fixed disk'); // these two do not record it
    const { md5 } = fixtureExpected(name);
    expect(storedHashes.filter(({ algorithm }) => algorithm === 'md5').map(({ value }) => value)).toContain(md5);
  });

  it('finds the digests of EWF-X in its XML', () => {
    const { sha1 } = fixtureExpected('ewf-ewfx');
    expect(open('ewf-ewfx').storedHashes).toContainEqual({ algorithm: 'sha1', value: sha1, place: 'xhash section' });
  });
});
