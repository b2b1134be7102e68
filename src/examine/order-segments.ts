/** Which format a handful of files is a container of, and in which order: by what stands in them; by name only where nothing stands in them. */
import { type FileSource, openFileSource } from '../bytes/source.ts';
import { type OrderedSegments, type Segment } from '../evidence/image.ts';
import { type NamedSegment, type SegmentSet } from '../evidence/task.ts';
import { imageFormats } from '../formats.ts';
import { hasSignature } from './open-evidence.ts';

export function orderSegments(given: readonly NamedSegment[]): SegmentSet {
  const files: FileSource[] = [];
  try {
    for (const { path } of given) files.push(openFileSource(path));
    const segments = files.map((source, index): Segment => ({ name: given[index]!.name, source }));
    const signed = imageFormats.find(({ signatures }) =>
      segments.some(({ source }) => signatures.some((one) => hasSignature(source, one))),
    );
    const format = signed ?? imageFormats.find(({ name }) => name === (segments.length > 1 ? 'split-raw' : 'raw'))!;
    return asSet(format.name, format.orderSegments?.(segments) ?? only(segments));
  } finally {
    for (const file of files) file.close();
  }
}

const only = (segments: readonly Segment[]): OrderedSegments => ({
  order: segments.map((_segment, index) => ({ index, fileName: 'image.001' })),
  missing: [],
  foreign: [],
});

const asSet = (format: string, { order, missing, foreign }: OrderedSegments): SegmentSet => ({ format, order, missing, foreign });
