/** The file allocation table: what follows a cluster. Spec: fatgen103, "FAT Data Structure". */
import { type ByteSource } from '../../bytes/source.ts';
import { ReadError } from '../../evidence/errors.ts';
import { type ProblemLog } from '../../evidence/problem.ts';
import { type Geometry } from './boot-sector.ts';

export interface Table {
  /** The number stored for a cluster: 0 is free, `isEnd` ends a chain. Throws ReadError. */
  next(cluster: number): number;
  isEnd(value: number): boolean;
  isBad(value: number): boolean;
  isFree(cluster: number): boolean;
  inRange(cluster: number): boolean;
}

const blockSize = 192 * 1024; // a multiple of 3: no entry of FAT12 lies across two blocks
const keptBlocks = 16;

export function openTable(volume: ByteSource, geometry: Geometry, problems: ProblemLog): Table {
  const { kind, clusterCount, tableOffset, tableSize } = geometry;
  const blocks = new Map<number, DataView>();
  let latest: { readonly index: number; readonly view: DataView } = { index: -1, view: new DataView(new ArrayBuffer(0)) };
  const block = (index: number): DataView => {
    if (latest.index !== index) latest = { index, view: readOrKnown(index) };
    return latest.view;
  };
  const readOrKnown = (index: number): DataView => {
    const known = blocks.get(index);
    if (known !== undefined) return known;
    const bytes = readBlock(volume, geometry, tableOffset, index * blockSize, Math.min(blockSize, tableSize - index * blockSize), problems);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (blocks.size >= keptBlocks) blocks.delete(blocks.keys().next().value as number);
    blocks.set(index, view);
    return view;
  };
  const field = (offset: number, width: 2 | 4): number => {
    const view = block(Math.floor(offset / blockSize));
    const at = offset % blockSize;
    if (at + width > view.byteLength)
      throw new ReadError('read.past-end', `table of clusters: byte ${offset} lies behind its end`, offset, width);
    return width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  };
  const next = (cluster: number): number => {
    if (kind === 32) return field(cluster * 4, 4) & 0x0fff_ffff; // the upper four bits are reserved
    if (kind === 16) return field(cluster * 2, 2);
    const at = cluster + (cluster >> 1);
    const pair = at + 1 < tableSize ? field(at, 2) : block(Math.floor(at / blockSize)).getUint8(at % blockSize);
    return cluster & 1 ? pair >> 4 : pair & 0xfff;
  };
  const bad = kind === 32 ? 0x0fff_fff7 : kind === 16 ? 0xfff7 : 0xff7;
  return {
    next,
    isEnd: (value) => value > bad,
    isBad: (value) => value === bad,
    isFree: (cluster) => next(cluster) === 0,
    inRange: (cluster) => cluster >= 2 && cluster < clusterCount + 2,
  };
}

/** From the first table, or where that cannot be read from its copy. */
function readBlock(
  volume: ByteSource,
  { tableCount, tableSize }: Geometry,
  tableOffset: number,
  at: number,
  length: number,
  problems: ProblemLog,
): Uint8Array {
  try {
    return volume.read(tableOffset + at, length);
  } catch (error) {
    if (!(error instanceof ReadError) || tableCount < 2) throw error;
    problems.add({
      code: 'read.bad-sector',
      message: `the first table of clusters: ${error.message}; its copy is read`,
      at: tableOffset + at,
    });
    return volume.read(tableOffset + tableSize + at, length);
  }
}
