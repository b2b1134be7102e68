/** What the tables say of the size of the medium, where the volume section itself cannot be trusted. */
import { viewOf } from '../../bytes/little-endian.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { adler32 } from './adler32.ts';
import { readTableHeader, tableHeaderSize } from './layout.ts';
import { type SegmentSections } from './sections.ts';
import { type Volume } from './volume.ts';

/** Its number of chunks, where the tables list as many, is worth more than a number of sectors that does not go with either. */
export function correctedVolume(volume: Volume, sets: readonly SegmentSections[], problems: ProblemLog): Volume {
  const { certain, chunksTold, chunkCount, chunkSize, mediaSize } = volume;
  if (certain || chunksTold === chunkCount || chunksTold !== countListed(sets)) return volume;
  const size = chunksTold * chunkSize;
  const message = `the volume section is damaged and tells of ${mediaSize} bytes; the tables list ${chunksTold} chunks, as it does itself: the medium is taken for ${size} bytes`;
  problems.add({ code: 'ewf.media-claim', message, at: Math.min(size, mediaSize), hidesEvidence: true });
  return { ...volume, mediaSize: size, chunkCount: chunksTold };
}

/** By headers whose checksum fits; what cannot be read counts for nothing. */
function countListed(sets: readonly SegmentSections[]): number {
  let count = 0;
  for (const { source, sections } of sets) {
    for (const { type, dataOffset } of sections) {
      if (type !== 'table') continue;
      try {
        const bytes = source.read(dataOffset, tableHeaderSize);
        if (bytes.length < tableHeaderSize) continue;
        const { entryCount, checksum } = readTableHeader(viewOf(bytes));
        if (adler32(bytes.subarray(0, 20)) === checksum) count += entryCount;
      } catch (error) {
        if (!(error instanceof ReadError)) throw error; // the tables are read again, and this is told then
      }
    }
  }
  return count;
}
