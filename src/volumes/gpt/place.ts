/** Where headers of a GPT may stand, and whether the MBR leaves the disk to it. */
import { u8, u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';

export const signature = 'EFI PART';

/** The image's sector size first; a raw image does not tell its own. */
export const sectorSizes = (sectorSize: number): number[] => [...new Set([sectorSize, 512, 4096])];

export const lastLbaOf = (media: ByteSource, sectorSize: number): number => Math.floor(media.size / sectorSize) - 1;

export const hasHeader = (media: ByteSource, sectorSize: number): boolean =>
  hasPrimary(media, sectorSize) || sectorSizes(sectorSize).some((size) => hasSignature(media, lastLbaOf(media, size) * size));

const hasPrimary = (media: ByteSource, sectorSize: number): boolean => sectorSizes(sectorSize).some((size) => hasSignature(media, size));

function hasSignature(media: ByteSource, offset: number): boolean {
  if (offset <= 0) return false;
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

/**
 * UEFI 2.10 section 5.2.3: a GPT counts where the MBR protects it. A blank or broken MBR claims nothing; but where a file system has overwritten
 * all of the start, the backup at the end is left from before.
 */
export function isLeftToGpt(media: ByteSource, sectorSize: number): boolean {
  const claims = claimsOfMbr(media, sectorSize);
  if (claims.includes(protectiveType)) return true;
  if (claims.length > 0) return false;
  return hasPrimary(media, sectorSize) || !beginsAsFileSystem(media);
}

/** Types of the partitions that make sense. */
function claimsOfMbr(media: ByteSource, sectorSize: number): number[] {
  const sector = readOrNothing(media, 0, 512);
  if (sector.length < 512 || sector[510] !== 0x55 || sector[511] !== 0xaa) return [];
  const view = viewOf(sector);
  const sane = (at: number): boolean => {
    const [status, type, first, count] = [u8(view, at), u8(view, at + 4), u32(view, at + 8), u32(view, at + 12)];
    return (status & 0x7f) === 0 && type !== 0 && count > 0 && first > 0 && first * sectorSize < media.size;
  };
  return [446, 462, 478, 494].filter(sane).map((at) => u8(view, at + 4));
}

const fileSystemSigns: readonly (readonly [at: number, bytes: string])[] = [
  [3, 'NTFS    '],
  [3, 'EXFAT   '],
  [3, '-FVE-FS-'],
  [54, 'FAT1'],
  [82, 'FAT32'],
  [0, 'XFSB'],
  [0, 'LUKS\xba\xbe'],
  [1080, '\x53\xef'], // ext
  [1024, 'H+\0\x04'],
  [65_600, '_BHRfS_M'],
  [32_769, 'CD001'],
];

const beginsAsFileSystem = (media: ByteSource): boolean =>
  fileSystemSigns.some(([at, bytes]) => Buffer.from(readOrNothing(media, at, bytes.length)).toString('latin1') === bytes);
