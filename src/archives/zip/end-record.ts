/** The end of central directory record: found even behind a comment or trailing bytes, and in archives that begin within their file. Spec: APPNOTE 4.3.14 to 4.3.16. */
import { u16, u32, u64size, viewOf } from '../../bytes/little-endian.ts';
import { type ByteSource } from '../../bytes/source.ts';

const endSize = 22;
const locatorSize = 20;
const end64Size = 56;
const farthest = 65_535 + endSize + 64 * 1024; // the longest comment, and as much again of bytes that belong to nothing
const signature = { end: 'PK\x05\x06', locator: 0x0706_4b50, end64: 0x0606_4b50, central: 0x0201_4b50 } as const;

export interface EndRecord {
  /** Where the record begins and where it ends with its comment: bytes of the source. */
  readonly at: number;
  readonly end: number;
  /** Where the archive begins: what its own offsets count from. */
  readonly base: number;
  readonly directoryAt: number;
  readonly comment: Uint8Array;
}

/** The records that a directory stands before, the last one first. Empty archives have a record only, and count where no other is found. */
export function findEndRecords(source: ByteSource): EndRecord[] {
  const tailAt = Math.max(0, source.size - farthest);
  const tail = Buffer.from(source.read(tailAt, farthest));
  const whole: EndRecord[] = [];
  const empty: EndRecord[] = [];
  for (
    let at = tail.lastIndexOf(signature.end, -1, 'latin1');
    at >= 0;
    at = at === 0 ? -1 : tail.lastIndexOf(signature.end, at - 1, 'latin1')
  ) {
    if (at + endSize > tail.length) continue;
    const place = placeOf(source, viewOf(tail), at, tailAt + at);
    if (place === null) continue;
    const commentEnd = Math.min(tail.length, at + endSize + tail.readUInt16LE(at + 20));
    const record = {
      at: tailAt + at,
      end: tailAt + commentEnd,
      ...place,
      comment: Uint8Array.from(tail.subarray(at + endSize, commentEnd)),
    };
    (place.empty ? empty : whole).push(record);
    if (whole.length >= most) break;
  }
  return whole.length > 0 ? whole : empty.slice(0, 1);
}

/** One is used, a second one is worth a problem: more need not be looked for. */
const most = 2;

interface Place {
  readonly base: number;
  readonly directoryAt: number;
  readonly empty: boolean;
}

/** Where the directory lies that this record tells of; null where none lies there. */
function placeOf(source: ByteSource, tail: DataView, at: number, recordAt: number): Place | null {
  const wide = at >= locatorSize && u32(tail, at - locatorSize) === signature.locator ? end64Of(source, tail, at, recordAt) : null;
  const size = wide?.size ?? u32(tail, at + 12);
  const offset = wide?.offset ?? u32(tail, at + 16);
  const directoryEnd = wide?.at ?? recordAt;
  if (size === 0 && u16(tail, at + 10) === 0) {
    const base = directoryEnd - offset;
    return base < 0 ? null : { base, directoryAt: directoryEnd, empty: true };
  }
  for (const directoryAt of [directoryEnd - size, offset]) {
    const base = directoryAt - offset;
    if (base >= 0 && directoryAt < directoryEnd && isCentral(source, directoryAt)) return { base, directoryAt, empty: false };
  }
  return null;
}

/** The ZIP64 record, at the place that its locator gives or right before the locator. */
function end64Of(source: ByteSource, tail: DataView, at: number, recordAt: number) {
  for (const place of [u64size(tail, at - locatorSize + 8), recordAt - locatorSize - end64Size]) {
    if (place < 0 || place + end64Size > source.size) continue;
    const view = viewOf(source.read(place, end64Size));
    if (view.byteLength === end64Size && u32(view, 0) === signature.end64)
      return { at: place, size: u64size(view, 40), offset: u64size(view, 48) };
  }
  return null;
}

function isCentral(source: ByteSource, at: number): boolean {
  const bytes = source.read(at, 4);
  return bytes.length === 4 && u32(viewOf(bytes), 0) === signature.central;
}

/** True when an end record and its comment are the last of these bytes. */
export function endsWithRecord(tail: Uint8Array): boolean {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length);
  const at = bytes.lastIndexOf(signature.end, -1, 'latin1');
  return at >= 0 && at + endSize <= bytes.length && at + endSize + bytes.readUInt16LE(at + 20) === bytes.length;
}
