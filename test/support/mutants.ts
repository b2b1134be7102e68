/** Damaged copies of a file, the same on every run. */

/** A sequence of numbers from 0 to `below` - 1: xorshift32 (Marsaglia, "Xorshift RNGs", 2003). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const telling = [0x00, 0x01, 0x7f, 0x80, 0xff];

/** With bits turned over, bytes set to telling values, ranges filled, copied or cut out, or the end missing. */
export function* mutants(bytes: Uint8Array, count: number): Iterable<{ readonly mutant: Uint8Array; readonly seed: number }> {
  for (let seed = 1; seed <= count; seed++) {
    const random = randomNumbers(seed * 2_654_435_761);
    let mutant = Buffer.from(bytes);
    for (let change = 1 + random(4); change > 0 && mutant.length > 0; change--) {
      const at = random(mutant.length);
      const length = Math.min(1 + random(64), mutant.length - at);
      const kind = random(16);
      if (kind < 6) mutant[at]! ^= 1 << random(8);
      else if (kind < 12) mutant[at] = telling[random(telling.length)]!;
      else if (kind === 12) mutant.fill(telling[random(telling.length)]!, at, at + length);
      else if (kind === 13) mutant.copy(mutant, random(mutant.length), at, at + length);
      else if (kind === 14) mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + length)]);
      else mutant = mutant.subarray(0, at);
    }
    yield { mutant, seed };
  }
}
