/** Containers and packed files that are no raw images: named, so that their own bytes are never taken for those of a disk without a word. */
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';

/** A place below zero counts from the end. */
type Sign = readonly [label: string, at: number, bytes: string];

const signs: readonly Sign[] = [
  ['EnCase 7 evidence (Ex01)', 0, 'EVF2\r\n\x81\0'],
  ['EnCase logical evidence (L01)', 0, 'LVF\x09\r\n\xff\0'],
  ['EnCase 7 logical evidence (Lx01)', 0, 'LEF2\r\n\x81\0'],
  ['AccessData logical image (AD1)', 0, 'ADSEGMENTEDFILE\0'],
  ['AFF', 0, 'AFF10\r\n\0'],
  ['QCOW or QCOW2', 0, 'QFI\xfb'],
  ['QED', 0, 'QED\0'],
  ['VMDK (sparse extent)', 0, 'KDMV'],
  ['VMDK (ESX sparse extent)', 0, 'COWD'],
  ['VMDK (descriptor)', 0, '# Disk DescriptorFile'],
  ['VHDX', 0, 'vhdxfile'],
  ['VHD', 0, 'conectix'],
  ['VHD', -512, 'conectix'], // the only copy in one of fixed size
  ['VDI', 64, '\x7f\x10\xda\xbe'],
  ['Apple disk image (UDIF)', -512, 'koly'],
  ['Parallels disk', 0, 'WithoutFreeSpace'],
  ['Parallels disk', 0, 'WithouFreSpacExt'],
  ['ZIP (AFF4 is one)', 0, 'PK\x03\x04'],
  ['7z', 0, '7z\xbc\xaf\x27\x1c'],
  ['RAR', 0, 'Rar!\x1a\x07'],
  ['gzip', 0, '\x1f\x8b\x08'],
  ['bzip2', 0, 'BZh'],
  ['xz', 0, '\xfd7zXZ\0'],
  ['zstd', 0, '\x28\xb5\x2f\xfd'],
];

/** Null for what may be a raw image. */
export function otherContainer(source: ByteSource): string | null {
  const sign = signs.find((candidate) => stands(source, candidate));
  return sign?.[0] ?? null;
}

function stands(source: ByteSource, [, at, bytes]: Sign): boolean {
  const offset = at < 0 ? source.size + at : at;
  if (offset < 0) return false;
  try {
    return Buffer.from(source.read(offset, bytes.length)).toString('latin1') === bytes;
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    return false; // whoever reads the medium meets the same place again, and tells of it
  }
}
