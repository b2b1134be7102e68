/** Digests by name, against the vectors of the documents that define them and against coreutils. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { furtherDigests, usualDigests } from '../../src/config.ts';
import { createDigests, digestNames, digestsOf, prepareDigests } from '../../src/examine/digests.ts';
import { fixturePath } from '../support/fixture.ts';
import { hasTool, toolOutput } from '../support/tools.ts';

/** Of `abc` and of nothing. */
const vectors: Record<string, readonly [abc: string, empty: string]> = {
  // RFC 1321, A.5
  md5: ['900150983cd24fb0d6963f7d28e17f72', 'd41d8cd98f00b204e9800998ecf8427e'],
  // RFC 3174, 7.3 (abc); FIPS 180-4 examples
  sha1: ['a9993e364706816aba3e25717850c26c9cd0d89d', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  // RFC 6234, 8.5
  sha256: [
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ],
  sha512: [
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
  ],
  // FIPS 202, examples of NIST
  'sha3-256': [
    '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532',
    'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a',
  ],
  // RFC 7693, appendix A; b2sum (coreutils 9.1) gives the same
  blake2b: [
    'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
    '786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce',
  ],
  // test_vectors.json of the BLAKE3 repository (input length 0); abc: known answer
  blake3: [
    '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
    'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
  ],
  // xxHash, seed 0: known answers
  xxh64: ['44bc2cf5ad770999', 'ef46db3751d8e999'],
  xxh128: ['06b05ab6733a618578af5f94892f3950', '99aa06d3014798d86001c324468d497f'],
};

describe('known vectors', () => {
  it('there is one for every digest', () => {
    expect(Object.keys(vectors).sort()).toEqual([...digestNames].sort());
  });

  it.each(Object.entries(vectors))('%s', async (name, [abc, empty]) => {
    await prepareDigests([name]);
    expect(digestsOf([name], Buffer.from('abc'))).toEqual({ [name]: abc });
    expect(digestsOf([name], Buffer.alloc(0))).toEqual({ [name]: empty });
    const pieces = createDigests([name]);
    for (const piece of ['a', '', 'bc']) pieces.update(Buffer.from(piece));
    expect(pieces.finish()).toEqual({ [name]: abc });
  });
});

it('all at once and in pieces of any size give the same', async () => {
  await prepareDigests(digestNames);
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) >>> 7));
  const expected = digestsOf(digestNames, bytes);
  for (const size of [1021, 65_536, 299_999]) {
    const digests = createDigests(digestNames);
    for (let at = 0; at < bytes.length; at += size) digests.update(bytes.subarray(at, at + size));
    expect(digests.finish()).toEqual(expected);
  }
  expect(expected.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
});

it('an archive and its member are digested by one profile, many times over', async () => {
  await prepareDigests(['blake3']);
  for (let round = 0; round < 50; round++) {
    const outer = createDigests(['blake3']);
    outer.update(Buffer.from('a'));
    expect(digestsOf(['blake3'], Buffer.from('abc')).blake3).toBe(vectors.blake3![0]);
    outer.update(Buffer.from('bc'));
    expect(outer.finish().blake3).toBe(vectors.blake3![0]);
  }
});

it('a name that is none is refused, with those that are', () => {
  expect(() => createDigests(['sha257'])).toThrow(/sha257.*blake3/);
});

describe('coreutils', () => {
  for (const name of ['md5', 'sha1', 'sha256', 'sha512']) {
    it.skipIf(!hasTool(`${name}sum`))(`${name}sum gives the same of a file`, () => {
      const path = fixturePath('zip-plain');
      expect(digestsOf([name], readFileSync(path))[name]).toBe(toolOutput(`${name}sum`, [path]).split(' ')[0]);
    });
  }
});

it('knows every digest that may be asked for, and no other', () => {
  expect([...usualDigests, ...furtherDigests].sort()).toEqual([...digestNames].sort());
});
