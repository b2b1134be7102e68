/** Segments above 2 GiB as EnCase 6.7 wrote them: offsets without a base that run over into the bit that says compressed. */
import { expect, it } from 'vitest';
import { concatSources, extentSource, memorySource } from '../../src/bytes/source.ts';
import { ewf } from '../../src/images/ewf.ts';
import { keepProblems } from '../support/problems.ts';
import { adler, sealData, sealDescriptor, sealTable } from './ewf-surgery.ts';

const chunkSize = 32_768;
const chunks = [1, 2, 3, 4].map((value) => Buffer.alloc(chunkSize, value));
/** libewf "Expert Witness Compression Format (EWF)", section "Table entry": the second chunk ends behind 2^31, the third begins there. */
const starts = [5000, 0x7fff_c000, 0x8000_4004, 0x8000_c008];

function descriptor(type: string, offset: number, size: number): Buffer {
  const bytes = Buffer.alloc(76);
  bytes.write(type, 'latin1');
  bytes.writeBigUInt64LE(BigInt(type === 'done' ? offset : offset + size), 16);
  bytes.writeBigUInt64LE(BigInt(size), 24);
  sealDescriptor(bytes, 0);
  return bytes;
}

function volumeData(): Buffer {
  const bytes = Buffer.alloc(1052);
  bytes[0] = 1;
  bytes.writeUInt32LE(chunks.length, 4);
  bytes.writeUInt32LE(64, 8);
  bytes.writeUInt32LE(512, 12);
  bytes.writeBigUInt64LE(BigInt(chunks.length * 64), 16);
  sealData(bytes, 0, 1052);
  return bytes;
}

function tableData(): Buffer {
  const bytes = Buffer.alloc(24 + starts.length * 4 + 4);
  bytes.writeUInt32LE(starts.length, 0);
  for (const [index, start] of starts.entries()) bytes.writeUInt32LE(start, 24 + index * 4); // no base, and bit 31 is part of the offset
  sealTable(bytes, { type: 'table', offset: 0, dataOffset: 0, end: bytes.length });
  return bytes;
}

it('the medium is whole, though bit 31 of its last entries does not mean compressed', () => {
  const fileHeader = Buffer.from('EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00', 'latin1');
  const sectorsAt = 13 + 76 + 1052;
  const tableAt = starts.at(-1)! + chunkSize + 4;
  const head = [fileHeader, descriptor('volume', 13, 76 + 1052), volumeData(), descriptor('sectors', sectorsAt, tableAt - sectorsAt)];
  const stored = chunks.map((chunk) => {
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(adler(chunk));
    return Buffer.concat([chunk, checksum]);
  });
  const table = tableData();
  const tail = [descriptor('table', tableAt, 76 + table.length), table, descriptor('done', tableAt + 76 + table.length, 76)];
  const hole = (length: number) => extentSource(memorySource(Buffer.alloc(0)), [{ offset: null, length }], length);
  const begun = Buffer.concat(head);
  const segment = concatSources([
    memorySource(begun),
    hole(starts[0]! - begun.length),
    memorySource(stored[0]!),
    hole(starts[1]! - starts[0]! - chunkSize - 4),
    ...[...stored.slice(1), ...tail].map((bytes) => memorySource(bytes)),
  ]);
  // ewfexport 20140813 gives the same medium of the same file
  const problems = keepProblems();
  const image = ewf.open([{ name: 'large.E01', source: segment }], problems);
  expect(Buffer.from(image.media.read(0, image.media.size)).equals(Buffer.concat(chunks))).toBe(true);
  expect(problems.all).toEqual([]);
  expect(image.chunks!.endOf(3)).toEqual({ segment: 0, offset: tableAt });
});
