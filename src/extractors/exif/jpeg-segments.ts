/** The segments of a JPEG file before its picture. Spec: ITU-T T.81, annex B. */

export interface JpegSegment {
  readonly marker: number;
  /** Of the payload, behind the length field. */
  readonly offset: number;
  readonly length: number;
}

export interface JpegHead {
  readonly segments: readonly JpegSegment[];
  /** Where the picture's data begins or the segments break off; null when that lies behind the bytes given. */
  readonly end: number | null;
}

/** Of a JPEG file, or chunks of PNG: more are not metadata, and cost exifr much time. */
export const mostSegments = 10_000;
const startOfScan = 0xda;
const endOfImage = 0xd9;

/** Markers without a length: TEM, RST0 to RST7, SOI. */
const isAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

export function readJpegHead(bytes: Uint8Array): JpegHead {
  const segments: JpegSegment[] = [];
  let at = 2;
  while (at + 4 <= bytes.length && segments.length < mostSegments) {
    if (bytes[at] !== 0xff) return { segments, end: at };
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    if (marker === startOfScan || marker === endOfImage) return { segments, end: at };
    if (isAlone(marker)) {
      at += 2;
      continue;
    }
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (length < 2) return { segments, end: at };
    segments.push({ marker, offset: at + 4, length: length - 2 });
    at += 2 + length;
  }
  return { segments, end: segments.length < mostSegments ? null : at };
}
