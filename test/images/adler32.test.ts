/** Adler-32 against the definition, and against zlib's own at the end of its streams. */
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { adler32 } from '../../src/images/ewf/adler32.ts';
import { adler } from './ewf-surgery.ts';

it('is what zlib writes behind a stream', () => {
  for (const size of [0, 1, 3, 4, 63, 64, 65, 4096, 32_768, 100_001]) {
    for (const content of [Buffer.alloc(size, 255), Buffer.from(Array.from({ length: size }, (_, at) => (at * at) >>> 3))]) {
      expect(adler32(content)).toBe(deflateSync(content).readUInt32BE(deflateSync(content).length - 4));
    }
  }
  expect(adler32(Buffer.from('Wikipedia'))).toBe(0x11e60398); // the example of its article
});

it('of a part of a buffer, and in pieces, is the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(20), fc.nat(400), (bytes, start, middle) => {
      const part = bytes.subarray(start);
      expect(adler32(part)).toBe(adler(part));
      expect(adler32(part.subarray(middle), adler32(part.subarray(0, middle)))).toBe(adler(part));
    }),
  );
});
