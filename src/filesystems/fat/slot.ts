/** A directory entry of 32 bytes, and its address. Spec: fatgen103, "FAT Directory Structure" and "Long Directory Entries". */
import { type ByteSource } from '../../bytes/source.ts';
import { type Geometry } from './boot-sector.ts';

export const slotSize = 32;

export type Slot = ReturnType<typeof decodeSlot>;

export const decodeSlot = (bytes: Uint8Array) => {
  // by hand instead of with a view: millions are decoded
  const u16 = (at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
  return {
    bytes,
    firstByte: bytes[0]!, // 0xe5: deleted, 0x00: never used, 0x05 stands for 0xe5
    attributes: bytes[11]!,
    caseFlags: bytes[12]!, // Windows NT: 0x08 base, 0x10 extension in lower case
    createdTenMs: bytes[13]!, // of 10 ms, 0 to 199
    createdTime: u16(14),
    createdDate: u16(16),
    accessedDate: u16(18),
    clusterHigh: u16(20),
    writtenTime: u16(22),
    writtenDate: u16(24),
    clusterLow: u16(26),
    size: (u16(28) | (u16(30) << 16)) >>> 0,
  };
};

export const attribute = { readOnly: 0x01, hidden: 0x02, system: 0x04, label: 0x08, directory: 0x10, archive: 0x20 } as const;

export const isDeleted = ({ firstByte }: Slot): boolean => firstByte === 0xe5;
export const isLongName = ({ attributes }: Slot): boolean => (attributes & 0x3f) === 0x0f;
export const isDirectory = ({ attributes }: Slot): boolean => (attributes & attribute.directory) !== 0;
export const isLabel = (slot: Slot): boolean => (slot.attributes & attribute.label) !== 0 && !isLongName(slot);

/** FAT12 and FAT16 keep other things in the upper half. */
export const firstClusterOf = (slot: Slot, { kind }: Geometry): number => (kind === 32 ? slot.clusterHigh * 0x1_0000 : 0) + slot.clusterLow;

/** The number by which the Sleuth Kit calls the entry at this byte of the volume: 3 and up, counted in slots from the first data sector. */
export const addressOf = ({ dataStart }: Geometry, offset: number): number => (offset - dataStart) / slotSize + 3;

/** The slot with this address; null where it lies outside the volume or holds no entry. */
export function readSlot(volume: ByteSource, { dataStart }: Geometry, address: number): Slot | null {
  const offset = dataStart + (address - 3) * slotSize;
  const bytes = volume.read(offset, slotSize);
  if (bytes.length < slotSize) return null;
  const slot = decodeSlot(bytes);
  return slot.firstByte === 0 || isLongName(slot) ? null : slot;
}

/** Could this be an entry at all? For slots that nothing vouches for: deleted ones and those of deleted directories. */
export function isPlausible(slot: Slot, { kind, clusterCount }: Geometry): boolean {
  const { bytes, attributes, writtenDate } = slot;
  if (attributes & 0xc0) return false;
  if (isLabel(slot) && isDirectory(slot)) return false;
  const cluster = firstClusterOf(slot, { kind } as Geometry);
  if (cluster === 1 || cluster > clusterCount + 1) return false;
  if (writtenDate !== 0 && (((writtenDate >> 5) & 15) > 12 || (writtenDate & 31) === 0)) return false;
  const from = isDeleted(slot) ? 1 : 0;
  return bytes.subarray(from, 11).every((byte) => byte >= 0x20 && byte !== 0x22 && !(byte >= 0x3a && byte <= 0x3f) && byte !== 0x7c);
}
