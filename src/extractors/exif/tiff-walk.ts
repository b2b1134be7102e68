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
const mostDirectories = 1000;
const mostFaults = 10;

/** `bytes` are the structure or its beginning, `size` is that of the whole. */
export function tiffFaults(bytes: Uint8Array, size: number): TiffFault[] {
  const faults: TiffFault[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8) return [{ at: 0, message: `the TIFF header has ${bytes.length} bytes, expected 8` }];
  const little = bytes[0] === 0x49;
  const visited = new Set<number>();
  const waiting: { from: number; offset: number; what: string }[] = [
    { from: 4, offset: view.getUint32(4, little), what: 'first directory' },
  ];
  for (let next = waiting.pop(); next !== undefined && faults.length < mostFaults; next = waiting.pop()) {
    const { from, offset, what } = next;
    if (offset + 2 > size) {
      faults.push({ at: from, message: `the ${what} should be at byte ${offset}, the structure has ${size} bytes` });
    } else if (visited.has(offset)) {
      faults.push({ at: from, message: `the ${what} should be at byte ${offset}, where another one was read before: a loop` });
    } else if (offset + 2 <= bytes.length && visited.size < mostDirectories) {
      visited.add(offset);
      waiting.push(...walkDirectory(view, little, offset, size, faults));
    }
  }
  return faults;
}

function walkDirectory(view: DataView, little: boolean, offset: number, size: number, faults: TiffFault[]) {
  const found: { from: number; offset: number; what: string }[] = [];
  const count = view.getUint16(offset, little);
  const end = offset + 2 + count * 12;
  if (end > size)
    faults.push({ at: offset, message: `the directory claims ${count} fields up to byte ${end}, the structure has ${size} bytes` });
  for (let at = offset + 2; at < end && at + 12 <= view.byteLength && faults.length < mostFaults; at += 12) {
    const [tag, type, values, value] = [
      view.getUint16(at, little),
      view.getUint16(at + 2, little),
      view.getUint32(at + 4, little),
      view.getUint32(at + 8, little),
    ];
    const what = pointers.get(tag);
    if (what !== undefined) found.push({ from: at + 8, offset: value, what });
    const length = (typeSizes[type] ?? 0) * values;
    if (length > 4 && value + length > size) {
      faults.push({
        at,
        message: `field 0x${tag.toString(16).padStart(4, '0')} claims ${length} bytes at byte ${value}, the structure has ${size} bytes`,
      });
    }
  }
  if (end + 4 <= view.byteLength) {
    const next = view.getUint32(end, little);
    if (next !== 0) found.push({ from: end, offset: next, what: 'next directory' });
  }
  return found;
}
