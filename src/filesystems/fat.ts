/** FAT12, FAT16 and FAT32 with long names. Spec: Microsoft "FAT: General Overview of On-Disk Format", 1.03 (fatgen103). */
import { type ByteSource, type Extent, extentSource } from '../bytes/source.ts';
import { FormatError, ReadError } from '../evidence/errors.ts';
import { type FileSystem, type FileSystemFormat } from '../evidence/file-system.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { type BootSector, findBootSector, geometryOf } from './fat/boot-sector.ts';
import { contentExtents } from './fat/content.ts';
import { walkDirectories } from './fat/directories.ts';
import { readSlot } from './fat/slot.ts';
import { openTable } from './fat/table.ts';

export const fat: FileSystemFormat = {
  name: 'fat',
  label: 'FAT',
  recognises: (volume) => findBootSector(volume) !== null,
  open: openFat,
};

function openFat(volume: ByteSource, problems: ProblemLog): FileSystem {
  const found = findBootSector(volume);
  if (found === null) throw new FormatError('fat.boot-sector', 'neither sector 0 nor its backup holds the boot sector of a FAT volume');
  if (found.backup)
    problems.add({ code: 'fat.boot-sector', message: 'sector 0 holds no boot sector; its backup in sector 6 is used', at: 0 });
  const geometry = geometryOf(found.boot);
  if (geometry.totalBytes > volume.size) {
    const message = `the boot sector claims ${geometry.totalBytes} bytes, the volume has ${volume.size}`;
    problems.add({ code: 'fat.truncated', message, at: 0, hidesEvidence: true });
  }
  const table = openTable(volume, geometry, problems);
  return {
    facts: factsOf(found.boot, geometry.kind, geometry.clusterSize, geometry.clusterCount),
    clusterSize: geometry.clusterSize,
    entries: () => walkDirectories(volume, geometry, table, problems),
    content(address) {
      const inode = Number(address);
      const slot = /^\d{1,15}$/.test(address) && inode > 2 ? readSlot(volume, geometry, inode) : null;
      if (slot === null) throw new FormatError('fat.address', `address ${address.slice(0, 40)}: no directory entry lies there`);
      const { extents, size } = contentExtents(geometry, table, slot, problems, address);
      return extentSource(volume, extents, size);
    },
    unallocated: () => unallocated(volume, geometry.clusterCount, geometry.clusterOffset, geometry.clusterSize, table.isFree, problems),
  };
}

function* unallocated(
  volume: ByteSource,
  clusterCount: number,
  offsetOf: (cluster: number) => number,
  clusterSize: number,
  isFree: (cluster: number) => boolean,
  problems: ProblemLog,
): Iterable<Extent> {
  let start = 0;
  try {
    for (let cluster = 2; cluster < clusterCount + 2; cluster++) {
      if (offsetOf(cluster) + clusterSize > volume.size) break;
      if (isFree(cluster)) {
        if (start === 0) start = cluster;
      } else if (start !== 0) {
        yield { offset: offsetOf(start), length: (cluster - start) * clusterSize };
        start = 0;
      }
    }
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    problems.add({ code: 'read.bad-sector', message: `the table of clusters: ${error.message}`, at: error.offset });
  }
  if (start !== 0) {
    const end = Math.min(offsetOf(clusterCount + 2), volume.size - ((volume.size - offsetOf(start)) % clusterSize));
    yield { offset: offsetOf(start), length: end - offsetOf(start) };
  }
}

function factsOf(boot: BootSector, kind: number, clusterSize: number, clusterCount: number) {
  const { label, serialNumber, oemName } = boot;
  return {
    type: `FAT${kind}`,
    ...(label === '' || label === 'NO NAME' ? {} : { label }),
    serialNumber: `0x${serialNumber.toString(16).padStart(8, '0')}`,
    ...(oemName === '' ? {} : { oemName }),
    clusterSize,
    clusterCount,
    sectorSize: boot.bytesPerSector,
  };
}
