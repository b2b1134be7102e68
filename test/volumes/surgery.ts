/** Partition tables in memory, for tests of damage. Layout: UEFI 2.10 sections 5.2.1 (MBR) and 5.3 (GPT). */
import { crc32 } from 'node:zlib';
import { memorySource } from '../../src/bytes/source.ts';
import { type VolumeSystemFormat } from '../../src/evidence/volume-system.ts';
import { keepProblems } from '../support/problems.ts';

export interface TableEntry {
  readonly type: number;
  readonly first: number;
  readonly count: number;
  readonly status?: number;
}

/** Writes four entries and 55 aa into the sector at `sector`. */
export function putTable(disk: Buffer, sector: number, entries: readonly TableEntry[], sectorSize = 512): void {
  const at = sector * sectorSize;
  disk.fill(0, at + 446, at + 510);
  entries.forEach(({ type, first, count, status = 0 }, index) => {
    const entry = at + 446 + index * 16;
    disk[entry] = status;
    disk[entry + 4] = type;
    disk.writeUInt32LE(first, entry + 8);
    disk.writeUInt32LE(count, entry + 12);
  });
  disk.writeUInt16BE(0x55aa, at + 510);
}

export function mbrDisk(sectors: number, entries: readonly TableEntry[]): Buffer {
  const disk = Buffer.alloc(sectors * 512);
  putTable(disk, 0, entries);
  return disk;
}

/** Makes both CRCs of the header at `lba` fit again. */
export function sealHeader(disk: Buffer, lba: number, sectorSize = 512): void {
  const at = lba * sectorSize;
  const entries = Number(disk.readBigUInt64LE(at + 72)) * sectorSize;
  const length = disk.readUInt32LE(at + 80) * disk.readUInt32LE(at + 84);
  if (entries + length <= disk.length) disk.writeUInt32LE(crc32(disk.subarray(entries, entries + length)), at + 88);
  disk.writeUInt32LE(0, at + 16);
  disk.writeUInt32LE(crc32(disk.subarray(at, at + disk.readUInt32LE(at + 12))), at + 16);
}

/** Opened without asking whether it is recognised. */
export function openDisk(format: VolumeSystemFormat, disk: Uint8Array, sectorSize = 512) {
  const problems = keepProblems();
  const { facts, volumes } = format.open(memorySource(disk), sectorSize, problems);
  return { facts, ranges: volumes(), problems };
}
