/** The Exif item of HEIC, HEIF and AVIF files. Spec: ISO/IEC 14496-12, 4.2 and 8.11; ISO/IEC 23008-12, annex A. */
import { type ByteSource } from '../../bytes/source.ts';

const mostBoxes = 1000;
const mostExtents = 64;
const mostBytes = 8 * 1024 * 1024;

export const isHeif = (bytes: Uint8Array): boolean => textAt(bytes, 4) === 'ftyp';

/** The TIFF structure inside the item; null where there is none. `fault` tells what was wrong. Throws ReadError. */
export function readHeifExif(source: ByteSource): { readonly tiff: Uint8Array | null; readonly fault: string | null } {
  try {
    return { tiff: exifOf(source), fault: null };
  } catch (error) {
    if (error instanceof Misplaced) return { tiff: null, fault: error.message };
    if (error instanceof RangeError) return { tiff: null, fault: 'a box ends before its fields do' };
    throw error;
  }
}

class Misplaced extends Error {}

const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

interface Box {
  readonly type: string;
  /** Of what it holds, behind its header; bytes of the whole that was looked at. */
  readonly start: number;
  readonly end: number;
}

/** `read` gives up to 16 bytes at a place. */
function* boxesIn(read: (offset: number) => Uint8Array, from: number, to: number): Generator<Box> {
  let at = from;
  for (let count = 0; at + 8 <= to; count++) {
    if (count >= mostBoxes) throw new Misplaced(`more than ${mostBoxes} boxes stand beside one another`);
    const head = read(at);
    const view = viewOf(head);
    const size = view.getUint32(0);
    const headSize = size === 1 ? 16 : 8;
    const length = size === 0 ? to - at : size === 1 ? Number(view.getBigUint64(8)) : size;
    if (length < headSize) throw new Misplaced(`the box at byte ${at} claims ${length} bytes, expected at least ${headSize}`);
    yield { type: textAt(head, 4), start: at + headSize, end: Math.min(to, at + length) };
    at += length;
  }
}

function exifOf(source: ByteSource): Uint8Array | null {
  const meta = boxesIn((offset) => source.read(offset, 16), 0, source.size).find(({ type }) => type === 'meta');
  if (meta === undefined) return null;
  const bytes = source.read(meta.start, Math.min(mostBytes, meta.end - meta.start));
  const inside = [...boxesIn((offset) => bytes.subarray(offset, offset + 16), 4, bytes.length)]; // behind version and flags
  const content = (wanted: string) => {
    const box = inside.find(({ type }) => type === wanted);
    return box === undefined ? null : bytes.subarray(box.start, box.end);
  };
  const [infos, locations] = [content('iinf'), content('iloc')];
  const id = infos === null ? null : exifId(infos);
  if (id === null || locations === null) return null;
  const item = gather(source, content('idat'), extentsOf(locations, id));
  const tiffAt = 4 + viewOf(item).getUint32(0);
  if (tiffAt + 8 > item.length)
    throw new Misplaced(`the Exif item says that its TIFF header is at byte ${tiffAt}, it has ${item.length} bytes`);
  return item.subarray(tiffAt);
}

function exifId(infos: Uint8Array): number | null {
  const from = infos[0] === 0 ? 6 : 8;
  for (const { type, start } of boxesIn((offset) => infos.subarray(offset, offset + 16), from, infos.length)) {
    const version = infos[start];
    if (type !== 'infe' || version === undefined || version < 2) continue;
    const idSize = version === 2 ? 2 : 4;
    if (textAt(infos, start + 4 + idSize + 2) === 'Exif') return number(viewOf(infos), start + 4, idSize);
  }
  return null;
}

interface Extent {
  /** 0: of the file, 1: of the box `idat`. */
  readonly method: number;
  readonly offset: number;
  readonly length: number;
}

function number(view: DataView, at: number, size: number): number {
  if (size === 0) return 0;
  if (size === 2) return view.getUint16(at);
  if (size === 4) return view.getUint32(at);
  if (size === 8) return Number(view.getBigUint64(at));
  throw new Misplaced(`a field of ${size} bytes in the item locations, expected 0, 2, 4 or 8`);
}

function extentsOf(locations: Uint8Array, wanted: number): Extent[] {
  const view = viewOf(locations);
  const version = view.getUint8(0);
  const [offsetSize, lengthSize] = [view.getUint8(4) >> 4, view.getUint8(4) & 15];
  const [baseSize, indexSize] = [view.getUint8(5) >> 4, version === 0 ? 0 : view.getUint8(5) & 15];
  const idSize = version < 2 ? 2 : 4;
  let at = 6;
  const next = (size: number): number => {
    const value = number(view, at, size);
    at += size;
    return value;
  };
  for (let items = next(idSize); items > 0; items--) {
    const id = next(idSize);
    const method = version === 0 ? 0 : next(2) & 15;
    next(2); // data reference: this file
    const base = next(baseSize);
    const count = next(2);
    if (id !== wanted) {
      at += count * (indexSize + offsetSize + lengthSize);
      continue;
    }
    if (count > mostExtents) throw new Misplaced(`the Exif item lies in ${count} pieces, expected at most ${mostExtents}`);
    return Array.from({ length: count }, () => {
      next(indexSize);
      return { method, offset: base + next(offsetSize), length: next(lengthSize) };
    });
  }
  throw new Misplaced(`the Exif item ${wanted} has no location`);
}

function gather(source: ByteSource, inner: Uint8Array | null, extents: readonly Extent[]): Uint8Array {
  const pieces = extents.map(({ method, offset, length }) => {
    const size = method === 1 ? (inner?.length ?? 0) : source.size;
    if (method > 1 || length > mostBytes || offset + length > size) {
      throw new Misplaced(`a piece of the Exif item is ${length} bytes at byte ${offset} (method ${method}), there are ${size}`);
    }
    return method === 1 ? inner!.subarray(offset, offset + length) : source.read(offset, length);
  });
  return Buffer.concat(pieces);
}
