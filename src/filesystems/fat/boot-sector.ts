/** The boot sector with the BIOS parameter block. Spec: fatgen103, "Boot Sector and BPB". */
import { u8, u16, u32, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';
import { latin1 } from '../../bytes/text.ts';

export type BootSector = ReturnType<typeof readBootSector>;

const readBootSector = (bytes: Uint8Array) => {
  const view = viewOf(bytes);
  const wide = u16(view, 22) === 0; // FAT32 keeps the size of its table elsewhere, and its extended fields 28 bytes later
  return {
    oemName: latin1(bytes.subarray(3, 11)).trimEnd(),
    bytesPerSector: u16(view, 11),
    sectorsPerCluster: u8(view, 13),
    reservedSectors: u16(view, 14),
    tableCount: u8(view, 16),
    rootEntries: u16(view, 17),
    totalSectors: u16(view, 19) === 0 ? u32(view, 32) : u16(view, 19),
    media: u8(view, 21),
    sectorsPerTable: wide ? u32(view, 36) : u16(view, 22),
    rootCluster: wide ? u32(view, 44) : 0,
    wide,
    serialNumber: u32(view, wide ? 67 : 39),
    label: latin1(bytes.subarray(wide ? 71 : 43, wide ? 82 : 54)).trimEnd(),
  };
};

export interface Geometry {
  readonly kind: 12 | 16 | 32;
  readonly bytesPerSector: number;
  readonly clusterSize: number;
  readonly clusterCount: number;
  readonly totalBytes: number;
  readonly tableOffset: number;
  readonly tableSize: number;
  readonly tableCount: number;
  /** Where the sectors after the tables begin: the root directory of FAT12/16, else cluster 2. */
  readonly dataStart: number;
  readonly rootOffset: number;
  readonly rootSize: number;
  readonly rootCluster: number;
  clusterOffset(cluster: number): number;
}

/** The numbers from `bad` of `openTable` on, and 0 and 1, are no clusters: so many are left ("FAT Data Structure"). */
const mostClusters = { 12: 0xff5, 16: 0xfff5, 32: 0x0fff_fff5 } as const;

/** "FAT Type Determination": by the count of clusters; a table size in the wide field makes it FAT32 whatever the count. */
export function geometryOf(boot: BootSector): Geometry {
  const { bytesPerSector, sectorsPerCluster, reservedSectors, tableCount, sectorsPerTable, rootEntries, totalSectors } = boot;
  const tableOffset = reservedSectors * bytesPerSector;
  const tableSize = sectorsPerTable * bytesPerSector;
  const dataStart = tableOffset + tableCount * tableSize;
  const rootSectors = Math.ceil((rootEntries * 32) / bytesPerSector);
  const firstCluster = dataStart + rootSectors * bytesPerSector;
  const clusterSize = sectorsPerCluster * bytesPerSector;
  const inSectors = Math.max(0, Math.floor((totalSectors - firstCluster / bytesPerSector) / sectorsPerCluster));
  const kind = boot.wide ? 32 : inSectors < 4085 ? 12 : 16;
  const inTable = Math.max(0, Math.floor((tableSize * 8) / kind) - 2);
  return {
    kind,
    bytesPerSector,
    clusterSize,
    clusterCount: Math.min(inSectors, inTable, mostClusters[kind]),
    totalBytes: totalSectors * bytesPerSector,
    tableOffset,
    tableSize,
    tableCount,
    dataStart,
    rootOffset: dataStart,
    rootSize: rootSectors * bytesPerSector,
    rootCluster: boot.rootCluster,
    clusterOffset: (cluster) => firstCluster + (cluster - 2) * clusterSize,
  };
}

/** From sector 0, or from the backup that FAT32 keeps in sector 6. */
export function findBootSector(volume: ByteSource): { boot: BootSector; backup: boolean } | null {
  const first = sane(volume, 0);
  if (first !== null) return { boot: first, backup: false };
  for (const sectorSize of [512, 1024, 2048, 4096]) {
    const backup = sane(volume, 6 * sectorSize);
    if (backup?.wide && backup.bytesPerSector === sectorSize) return { boot: backup, backup: true };
  }
  return null;
}

const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;

function sane(volume: ByteSource, offset: number): BootSector | null {
  const bytes = volume.read(offset, 512);
  if (bytes.length < 512) return null;
  const boot = readBootSector(bytes);
  const { bytesPerSector, sectorsPerCluster, reservedSectors, tableCount, sectorsPerTable, totalSectors, rootEntries, wide, media } = boot;
  const sizes = isPowerOfTwo(bytesPerSector) && bytesPerSector >= 512 && bytesPerSector <= 4096 && isPowerOfTwo(sectorsPerCluster);
  const counts = reservedSectors > 0 && tableCount > 0 && tableCount <= 4 && sectorsPerTable > 0;
  const root = wide ? boot.rootCluster >= 2 && rootEntries === 0 : rootEntries > 0;
  if (!sizes || !counts || !root || media < 0xf0) return null;
  const { dataStart, rootSize, clusterCount } = geometryOf(boot);
  return dataStart + rootSize < totalSectors * bytesPerSector && clusterCount > 0 ? boot : null;
}
