/** The table of four entries that an MBR and each EBR hold. Spec: UEFI 2.10 section 5.2.1. */
import { u8, u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';

export const tableOffset = 446;
export const entrySize = 16;
export const extendedTypes: ReadonlySet<number> = new Set([0x05, 0x0f, 0x85]);
export const protectiveType = 0xee;

const readEntry = (view: DataView, at: number) => ({
  status: u8(view, at),
  type: u8(view, at + 4),
  firstSector: u32(view, at + 8), // EBR: relative
  sectorCount: u32(view, at + 12),
});

export type Entry = ReturnType<typeof readEntry>;

/** The four entries, or null where the sector does not end in 55 aa. */
export function readTable(media: ByteSource, offset: number): Entry[] | null {
  const sector = media.read(offset, 512);
  if (sector.length < 512 || sector[510] !== 0x55 || sector[511] !== 0xaa) return null;
  const view = viewOf(sector);
  return [0, 1, 2, 3].map((index) => readEntry(view, tableOffset + index * entrySize));
}
