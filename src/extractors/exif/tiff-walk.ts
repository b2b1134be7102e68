/** Walks the directories (IFDs) of a TIFF structure to tell what is wrong with it: exifr reads what it can and keeps silent. Spec: TIFF 6.0, section 2. */

export interface TiffFault {
  readonly at: number;
  readonly message: string;
}

const pointers: ReadonlyMap<number, string> = new Map([
  [0x8769, 'EXIF directory'],
  [0x8825, 'GPS directory'],
]);
const typeSizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4]; // by field type; IFD as type 13
const nextDirectory = 'next directory'; // of the next picture: there may be thousands
const mostDirectories = 1000;
const mostFaults = 10;

export interface TiffWalk {
  readonly faults: readonly TiffFault[];
  /** Bytes that the values of all fields claim together: more than the structure has where they lie over one another. */
  readonly claimed: number;
  /** A directory that is not among the bytes given, though it may be in the structure. */
  readonly beyond: number | null;
}

interface Directory {
  readonly from: number;
  readonly offset: number;
  readonly what: string;
}

/** `bytes` are the structure or its beginning, `size` is that of the whole. */
export function walkTiff(bytes: Uint8Array, size: number): TiffWalk {
  if (bytes.length < 8)
    return { faults: [{ at: 0, message: `the TIFF header has ${bytes.length} bytes, expected 8` }], claimed: 0, beyond: null };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = bytes[0] === 0x49;
  const faults: TiffFault[] = [];
  const visited = new Set<number>();
  const waiting: Directory[] = [{ from: 4, offset: view.getUint32(4, little), what: 'first directory' }];
  let claimed = 0;
  let beyond: number | null = null;
  for (let next = waiting.pop(); next !== undefined && visited.size < mostDirectories; next = waiting.pop()) {
    const { from, offset, what } = next;
    if (offset + 2 > size) {
      faults.push({ at: from, message: `the ${what} should be at byte ${offset}, the structure has ${size} bytes` });
    } else if (visited.has(offset)) {
      faults.push({ at: from, message: `the ${what} should be at byte ${offset}, where another one was read before: a loop` });
    } else if (offset + 2 <= bytes.length) {
      visited.add(offset);
      claimed += walkDirectory(view, little, offset, size, faults, waiting);
    } else if (what !== nextDirectory) beyond = offset;
  }
  const allWalked = waiting.every(({ what }) => what === nextDirectory);
  return { faults: faults.slice(0, mostFaults), claimed: allWalked ? claimed : Number.POSITIVE_INFINITY, beyond };
}

/** Gives the bytes that the values of its fields claim where they can. */
function walkDirectory(view: DataView, little: boolean, offset: number, size: number, faults: TiffFault[], waiting: Directory[]): number {
  const count = view.getUint16(offset, little);
  const end = offset + 2 + count * 12;
  if (end > size)
    faults.push({ at: offset, message: `the directory claims ${count} fields up to byte ${end}, the structure has ${size} bytes` });
  const next = end + 4 <= view.byteLength ? view.getUint32(end, little) : 0;
  if (next !== 0) waiting.push({ from: end, offset: next, what: nextDirectory }); // before those that its fields point to: these are walked first
  let claimed = 0;
  for (let at = offset + 2; at < end && at + 12 <= view.byteLength; at += 12) {
    const [tag, type, values, value] = [
      view.getUint16(at, little),
      view.getUint16(at + 2, little),
      view.getUint32(at + 4, little),
      view.getUint32(at + 8, little),
    ];
    const what = pointers.get(tag);
    if (what !== undefined) waiting.push({ from: at + 8, offset: value, what });
    const length = (typeSizes[type] ?? 0) * values;
    if (length <= 4) continue;
    if (value + length <= size) claimed += length;
    else if (faults.length < mostFaults) {
      const name = `0x${tag.toString(16).padStart(4, '0')}`;
      faults.push({ at, message: `field ${name} claims ${length} bytes at byte ${value}, the structure has ${size} bytes` });
    }
  }
  return claimed;
}
