/** Mutants of partition tables, the same on every run: refused, or laid out so that every byte stands somewhere once. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { type VolumeSystemFormat } from '../../src/evidence/volume-system.ts';
import { gpt } from '../../src/volumes/gpt.ts';
import { mbr } from '../../src/volumes/mbr.ts';
import { expectTiling, tryVolumes } from '../contracts/volume-system.ts';
import { fixture } from '../support/fixture.ts';
import { random } from '../support/random.ts';
import { sealHeader } from './surgery.ts';

/** Sectors that hold tables, by fixtures/make/volumes.sh. */
const cases: [string, VolumeSystemFormat, number[]][] = [
  ['mbr-primary', mbr, [0]],
  ['mbr-logical', mbr, [0, 1024, 2048, 4096]],
  ['gpt-three', gpt, [0, 1, 2, 3, 4063, 4064, 4095]],
  ['gpt-4k', gpt, [0, 8, 16, 4088]],
];

describe('mutants of partition tables', () => {
  it.each(cases)('%s, 400 of them', (name, format, sectors) => {
    const source = fixture(name);
    const good = Buffer.from(source.read(0, source.size));
    let opened = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const next = random(seed);
      const disk = Buffer.from(good);
      for (let changes = 1 + Math.floor(next() * 8); changes > 0; changes--) {
        const sector = sectors[Math.floor(next() * sectors.length)]! * 512;
        const at = sector + (format === mbr || sector === 0 ? 446 + Math.floor(next() * 66) : Math.floor(next() * 160));
        disk[at] = next() < 0.5 ? Math.floor(next() * 256) : [0, 1, 0x7f, 0xff][Math.floor(next() * 4)]!;
      }
      if (name === 'gpt-three' && seed % 2 === 0) for (const lba of [1, 4095]) sealIfPossible(disk, lba); // lies whose checksums fit
      const found = tryVolumes(format, memorySource(disk));
      if (found === null) continue;
      opened++;
      expectTiling(found.ranges, disk.length);
      for (const { name: text } of found.ranges) expect(text?.isWellFormed() ?? true).toBe(true);
    }
    expect(opened).toBeGreaterThan(100);
  });
});

function sealIfPossible(disk: Buffer, lba: number): void {
  const size = disk.readUInt32LE(lba * 512 + 12);
  if (size >= 92 && size <= 512 && Number(disk.readBigUInt64LE(lba * 512 + 72)) < 4096) sealHeader(disk, lba);
}
