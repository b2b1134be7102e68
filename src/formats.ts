/** The one list: every format, in the order tried, with the reasons for the order. */
import { zip } from './archives/zip.ts';
import { type ArchiveFormat } from './evidence/archive.ts';
import { type Extractor } from './evidence/extractor.ts';
import { type FileSystemFormat } from './evidence/file-system.ts';
import { type ImageFormat } from './evidence/image.ts';
import { type Signature } from './evidence/signature.ts';
import { type VolumeSystemFormat } from './evidence/volume-system.ts';
import { exif } from './extractors/exif.ts';
import { ext } from './filesystems/ext.ts';
import { fat } from './filesystems/fat.ts';
import { ewf } from './images/ewf.ts';
import { raw, splitRaw } from './images/raw.ts';
import { gpt } from './volumes/gpt.ts';
import { mbr } from './volumes/mbr.ts';

export const imageFormats: readonly ImageFormat[] = [
  ewf,
  splitRaw, // before raw: any one file could be raw, only a numbered set is split
  raw, // last: has no signature and takes everything
];

export const volumeSystems: readonly VolumeSystemFormat[] = [
  gpt, // before mbr: a GPT disk also holds a protective MBR
  mbr,
];

export const fileSystems: readonly FileSystemFormat[] = [
  ext, // before fat: an ext volume may keep an old FAT boot sector in its first 1,024 bytes
  fat,
];

export const archives: readonly ArchiveFormat[] = [zip];

export const extractors: readonly Extractor[] = [exif];

/** Content that is recognised, named in the report, and not looked into yet. */
export const unsupportedContent: readonly { readonly label: string; readonly signatures: readonly Signature[] }[] = [
  { label: 'BitLocker (encrypted)', signatures: [{ at: 3, bytes: '-FVE-FS-' }] },
  { label: 'LUKS (encrypted)', signatures: [{ at: 0, bytes: 'LUKS\xba\xbe' }] },
  { label: 'NTFS', signatures: [{ at: 3, bytes: 'NTFS    ' }] },
  { label: 'exFAT', signatures: [{ at: 3, bytes: 'EXFAT   ' }] },
  { label: 'ReFS', signatures: [{ at: 3, bytes: 'ReFS\0\0\0\0' }] },
  { label: 'APFS', signatures: [{ at: 32, bytes: 'NXSB' }] },
  {
    label: 'HFS+',
    signatures: [
      { at: 1024, bytes: 'H+\0\x04' },
      { at: 1024, bytes: 'HX\0\x05' },
    ],
  },
  { label: 'XFS', signatures: [{ at: 0, bytes: 'XFSB' }] },
  { label: 'Btrfs', signatures: [{ at: 65_600, bytes: '_BHRfS_M' }] },
  { label: 'SquashFS', signatures: [{ at: 0, bytes: 'hsqs' }] },
  { label: 'ISO 9660', signatures: [{ at: 32_769, bytes: 'CD001' }] },
  { label: 'UDF', signatures: [{ at: 32_769, bytes: 'BEA01' }] },
  { label: 'LVM2 physical volume', signatures: [{ at: 512, bytes: 'LABELONE' }] },
  { label: 'Linux swap', signatures: [{ at: 4086, bytes: 'SWAPSPACE2' }] },
];
