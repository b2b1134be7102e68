/** ext2, ext3 and ext4. Spec: Linux Documentation/filesystems/ext4. */
import { type ByteSource } from '../bytes/source.ts';
import { FormatError } from '../evidence/errors.ts';
import { type FileSystem, type FileSystemFormat } from '../evidence/file-system.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { createReader } from './ext/content.ts';
import { freeRanges } from './ext/free-space.ts';
import { openInodeTable } from './ext/inode.ts';
import { type Layout, openLayout } from './ext/layout.ts';
import { type FoundSuperblock, feature, findSuperblock, readOnlyFeature, type Superblock, unknownFeatures } from './ext/superblock.ts';
import { walkVolume } from './ext/walk.ts';

export const ext: FileSystemFormat = {
  name: 'ext',
  label: 'ext2, ext3 or ext4',
  recognises: (volume) => findSuperblock(volume) !== null,
  open: openExt,
};

function openExt(volume: ByteSource, problems: ProblemLog): FileSystem {
  const found = findSuperblock(volume);
  if (found === null) throw new FormatError('ext.superblock', 'neither byte 1024 nor the places of the copies hold a superblock');
  reportSuperblock(volume, found, problems);
  const layout = openLayout(volume, found, problems);
  const { readOnlyCompatible } = found.superblock;
  const tellsUnused = (readOnlyCompatible & (readOnlyFeature.groupChecksum | readOnlyFeature.metadataChecksum)) !== 0;
  const reader = createReader(layout, openInodeTable(layout, tellsUnused));
  return {
    facts: factsOf(found.superblock, layout),
    clusterSize: layout.blockSize,
    entries: () => walkVolume(reader, problems),
    content(address) {
      const parts = /^(\d{1,10})(-\d{1,10}-\d{1,15})?$/.exec(address);
      if (parts === null) throw new FormatError('ext.address', `address ${address.slice(0, 40)}: expected the number of an inode`);
      const inode = reader.inodes.read(Number(parts[1]));
      return reader.content(inode, null, (code, message) =>
        problems.add({ code, message: `inode ${address}: ${message}`, address, hidesEvidence: true }),
      );
    },
    unallocated: () => freeRanges(layout, problems),
  };
}

function reportSuperblock(volume: ByteSource, { superblock, offset, checksumFits }: FoundSuperblock, problems: ProblemLog): void {
  if (offset !== 1024) {
    problems.add({ code: 'ext.superblock', message: `byte 1024 holds no superblock; the copy at byte ${offset} is used`, at: 1024 });
  }
  if (!checksumFits)
    problems.add({ code: 'ext.superblock-checksum', message: `superblock at byte ${offset}: its checksum does not fit`, at: offset });
  const claimed = superblock.blockCount * 1024 * 2 ** superblock.logBlockSize;
  if (claimed > volume.size) {
    const message = `the superblock claims ${claimed} bytes, the volume has ${volume.size}`;
    problems.add({ code: 'ext.truncated', message, at: offset, hidesEvidence: true });
  }
  const unknown = unknownFeatures(superblock);
  if (unknown !== 0) {
    const message = `incompatible features 0x${unknown.toString(16)} are not known to this version: what they change may be read wrongly`;
    problems.add({ code: 'ext.unknown-feature', message, at: offset, hidesEvidence: true });
  }
  if (superblock.incompatible & feature.recover) {
    problems.add({
      code: 'ext.journal',
      message: 'the journal was not replayed before the image was made: shown is what stands on the disk',
      at: offset,
    });
  }
}

function factsOf(superblock: Superblock, { blockSize }: Layout) {
  const { label, uuid, blockCount, inodeCount, inodeSize, lastMountedOn, compatible, incompatible, madeAt, mountedAt, writtenAt } =
    superblock;
  const type = incompatible & (feature.extents | feature.wide) ? 'ext4' : compatible & 0x4 ? 'ext3' : 'ext2';
  const time = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000', '');
  return {
    type,
    ...(label === '' ? {} : { label }),
    uuid: uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    blockSize,
    blockCount,
    inodeCount,
    inodeSize,
    ...(lastMountedOn === '' ? {} : { lastMountedOn }),
    ...(madeAt > 0 ? { made: time(madeAt) } : {}),
    ...(mountedAt > 0 ? { lastMounted: time(mountedAt) } : {}),
    ...(writtenAt > 0 ? { lastWritten: time(writtenAt) } : {}),
  };
}
