/** Every hostile file of the corpus through the whole examination of one file: an answer, bounded, whatever it is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { corpusBytes, corpusExpected, corpusFolder, hasCorpus } from '../support/corpus.ts';
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
