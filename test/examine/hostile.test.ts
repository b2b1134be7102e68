/** Hostile and damaged files through the whole examination of one file: an answer, bounded, whatever it is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildZip } from '../archives/build-zip.ts';
import { corpusBytes, corpusExpected, corpusFolder, hasCorpus } from '../support/corpus.ts';
import { fixture } from '../support/fixture.ts';
import { mutants } from '../support/mutants.ts';
import { examined } from './examined.ts';

const mebibyte = 1024 * 1024;

describe.skipIf(!hasCorpus)('hostile files of the corpus', () => {
  const names = hasCorpus ? Object.keys(corpusExpected('hostile').files).filter((name) => name !== 'gen/mut-missing-segment') : [];

  it.each(names)('%s', async (name) => {
    const bytes = name.endsWith('.gz') ? readFileSync(join(corpusFolder, 'hostile', name)) : corpusBytes(`hostile/${name}`);
    const limits = { unpackedBytes: 16 * mebibyte, entries: 500 };
    const { rows, read, problems } = await examined(name.split('/').at(-1)!, bytes, { limits });
    const own = rows.at(-1)!;
    expect(own.record.digests?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(read).toBeLessThanOrEqual(bytes.length + 17 * mebibyte);
    expect(rows.length).toBeLessThanOrEqual(501);
    expect(problems.length).toBeLessThanOrEqual(5000);
    for (const { columns, record } of rows) {
      expect(columns.path).not.toMatch(/(^|\/)\.\.(\/|$)/);
      expect(JSON.stringify(record).length).toBeLessThan(2 * mebibyte);
    }
  });
});

describe('damaged copies', () => {
  const picture = fixture('exif-camera').read(0, 4096);
  const inner = buildZip([
    { name: 'p.jpg', data: picture, method: 8 },
    { name: 't.json', data: '{"a": [1, 2, 3]}' },
  ]);
  const whole = buildZip([
    { name: 'in.zip', data: inner },
    { name: 'in.docx', data: inner, method: 8 },
    { name: 'l', data: '../x', mode: 0o120777 },
  ]);

  it('of an archive of archives of pictures: rows and problems that a database takes', async () => {
    let rowCount = 0;
    for (const { mutant, seed } of mutants(whole, 250)) {
      const { rows, problems } = await examined('z.zip', mutant, { limits: { unpackedBytes: mebibyte, entries: 50 } });
      rowCount += rows.length;
      const locators = rows.map(({ columns }) => columns.locator);
      expect(new Set(locators).size, `seed ${seed}`).toBe(rows.length);
      for (const text of [...rows.flatMap(({ columns }) => Object.values(columns)), ...problems.map(({ message }) => message)]) {
        expect(text === null || (text.isWellFormed() && !text.includes('\0')), `seed ${seed}`).toBe(true);
      }
    }
    expect(rowCount).toBeGreaterThan(1000);
  });
});
