/** Where headers of a GPT may stand, and whether the MBR leaves the disk to it. */
import { u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';

export const signature = 'EFI PART';

/** The image's sector size first; a raw image does not tell its own. */
export const sectorSizes = (sectorSize: number): number[] => [...new Set([sectorSize, 512, 4096])];

export const lastLbaOf = (media: ByteSource, sectorSize: number): number => Math.floor(media.size / sectorSize) - 1;

export const hasHeader = (media: ByteSource, sectorSize: number): boolean =>
  sectorSizes(sectorSize).some((size) => [1, lastLbaOf(media, size)].some((lba) => lba > 0 && hasSignature(media, lba * size)));

function hasSignature(media: ByteSource, offset: number): boolean {
  const bytes = readOrNothing(media, offset, signature.length);
  return Buffer.from(bytes).toString('latin1') === signature;
}

/** Nothing where the source refuses: whoever opens the table reads the same place again, and tells of it. */
function readOrNothing(media: ByteSource, offset: number, length: number): Uint8Array {
  try {
    return media.read(offset, length);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return new Uint8Array(0);
  }
}

const protectiveType = 0xee;

/** UEFI 2.10 section 5.2.3: a GPT counts where the MBR protects it. A blank or broken MBR protects nothing and claims nothing. */
export function isLeftToGpt(media: ByteSource): boolean {
  const sector = readOrNothing(media, 0, 512);
  if (sector.length < 512 || sector[510] !== 0x55 || sector[511] !== 0xaa) return true;
  const view = viewOf(sector);
  const types = [446, 462, 478, 494].filter((at) => u32(view, at + 12) > 0).map((at) => sector[at + 4]!); // those with sectors
  const used = types.filter((type) => type !== 0);
  return used.length === 0 || used.includes(protectiveType);
}
