/** CRC-32C (Castagnoli), reflected, as ext4's metadata checksums use it: without the final inversion. Spec: RFC 3720 appendix B.4, ext4 checksums.rst. */

const table = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1;
  table[byte] = value >>> 0;
}

/** `seed` is the value so far: 0xffffffff to begin with. */
export function crc32c(seed: number, bytes: Uint8Array): number {
  let value = seed >>> 0;
  for (const byte of bytes) value = table[(value ^ byte) & 0xff]! ^ (value >>> 8);
  return value >>> 0;
}
