/** Adler-32, the checksum of EWF. Spec: RFC 1950 section 8.2. */

const modulus = 65_521;
/** So many that no sum of 16 bits runs over, and no pair of them into the sign: 255 * (0 + 1 + ... + 15) = 30,600. */
const wordsAtOnce = 16;
const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** `sum` goes on from bytes before. Sixteen words at once where they lie on word boundaries: twice as fast as byte by byte. */
export function adler32(bytes: Uint8Array, sum = 1): number {
  const lead = -bytes.byteOffset & 3;
  const count = Math.floor((bytes.length - lead) / (wordsAtOnce * 4)) * wordsAtOnce;
  if (!littleEndian || count <= 0) return byBytes(bytes, 0, bytes.length, sum);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + lead, count);
  return byBytes(bytes, lead + count * 4, bytes.length, byWords(words, byBytes(bytes, 0, lead, sum)));
}

/** 3,800 bytes at once, so that the sums stay below 2^31. */
function byBytes(bytes: Uint8Array, from: number, to: number, sum: number): number {
  let a = sum & 0xffff;
  let b = sum >>> 16;
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + 3800);
    for (; at < end; at++) {
      a += bytes[at]!;
      b += a;
    }
    a %= modulus;
    b %= modulus;
  }
  return ((b << 16) | a) >>> 0;
}

/** Bytes 0 and 2 of each word are summed in `even`, 1 and 3 in `odd`, 16 bits each; `evens` and `odds` sum these sums, for b. */
function byWords(words: Uint32Array, sum: number): number {
  let a = sum & 0xffff;
  let b = sum >>> 16;
  for (let at = 0; at < words.length; ) {
    let even = 0;
    let odd = 0;
    let evens = 0;
    let odds = 0;
    for (const end = at + wordsAtOnce; at < end; at++) {
      evens += even;
      odds += odd;
      const word = words[at]!;
      even += word & 0x00ff_00ff;
      odd += (word >>> 8) & 0x00ff_00ff;
    }
    const before = (evens & 0xffff) + (evens >>> 16) + (odds & 0xffff) + (odds >>> 16);
    const [first, second, third, fourth] = [even & 0xffff, odd & 0xffff, even >>> 16, odd >>> 16];
    b = (b + a * wordsAtOnce * 4 + 4 * before + 4 * first + 3 * second + 2 * third + fourth) % modulus;
    a = (a + first + second + third + fourth) % modulus;
  }
  return ((b << 16) | a) >>> 0;
}
