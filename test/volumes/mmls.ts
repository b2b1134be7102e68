/** The rows of `mmls` (Sleuth Kit), as volumes numbered the way operating systems count partitions. */
import { type ExpectedVolume } from '../contracts/volume-system.ts';

export interface Row {
  readonly slot: string;
  readonly start: number;
  readonly length: number;
  readonly description: string;
}

export const parseRows = (text: string): Row[] =>
  [...text.matchAll(/^\d+:\s+(\S+)\s+(\d+)\s+\d+\s+(\d+)\s+(.*)$/gm)].map(([, slot, start, length, description]) => ({
    slot: slot!,
    start: Number(start),
    length: Number(length),
    description: description!.trim(),
  }));

/** `000:001` is partition 2, `003:000` a logical one (from 5 on, in order), `004` entry 5 of a GPT. */
export function volumesOfRows(rows: readonly Row[], sectorSize: number): ExpectedVolume[] {
  let logical = 5;
  return rows
    .filter(({ slot }) => /^\d/.test(slot))
    .map(({ slot, start, length }) => {
      const [table, entry] = slot.split(':').map(Number) as [number, number?];
      const number = entry === undefined ? table + 1 : table === 0 ? entry + 1 : logical++;
      return { number, offset: start * sectorSize, length: length * sectorSize };
    })
    .sort((a, b) => a.number - b.number);
}
