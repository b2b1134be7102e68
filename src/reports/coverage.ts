/** The coverage statement: every byte of the medium has its place, and what was not examined has its reason. */
import { type SurveyedVolume } from '../evidence/task.ts';
import { type ReportFindings } from './findings.ts';

/** Overlapping volumes are counted once. */
export function coverageOf(mediaSize: number, volumes: readonly Pick<SurveyedVolume, 'offset' | 'length'>[]): ReportFindings['coverage'] {
  let accounted = 0;
  let end = 0;
  for (const { offset, length } of [...volumes].sort((a, b) => a.offset - b.offset)) {
    const start = Math.max(offset, end);
    const stop = Math.min(offset + length, mediaSize);
    if (stop <= start) continue;
    accounted += stop - start;
    end = stop;
  }
  return { mediaSize, accounted, complete: accounted === mediaSize };
}

export interface GivenUpUnit {
  readonly kind: string;
  readonly locator: string;
  readonly reason: string;
}

export function notExamined(volumes: ReportFindings['volumes'], givenUp: readonly GivenUpUnit[]): ReportFindings['notExamined'] {
  return [
    ...volumes.flatMap((volume) => {
      const { locator, length, reason, kind, unallocatedBytes } = volume;
      if (volume.fileSystem === null) {
        return kind === 'table' ? [] : [{ what: locator, bytes: length, reason: reason ?? 'nothing to list was recognised' }];
      }
      if (unallocatedBytes === null)
        return [{ what: locator, bytes: length, reason: 'the listing of this volume did not come to its end' }];
      const free = { what: locator, bytes: unallocatedBytes, reason: 'unallocated space: covered by the digests, not searched for files' };
      return unallocatedBytes > 0 ? [free] : [];
    }),
    ...givenUp.map(({ kind, locator, reason }) => ({ what: locator, bytes: null, reason: `${kind} given up: ${reason}` })),
  ];
}
