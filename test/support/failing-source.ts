/** A source whose n-th read fails, as a bad sector would. */
import { ReadError } from '../../src/bytes/read-error.ts';
import { type ByteSource, makeSource } from '../../src/bytes/source.ts';

/** `reads` counts; the read with index `failAt` (from 0) throws ReadError, all others work. */
export function failingSource(source: ByteSource, failAt: number): ByteSource & { readonly reads: number } {
  let reads = 0;
  const failing = makeSource(source.size, (target, offset) => {
    if (reads++ === failAt) throw new ReadError('read.refused', `byte ${offset}: bad sector (test)`, offset, target.length);
    return source.readInto(target, offset);
  });
  return {
    ...failing,
    get reads() {
      return reads;
    },
  };
}
