import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linesOf, sealCatalogue } from '../../src/reports/catalogue.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-catalogue-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (locator: string) =>
  JSON.stringify({ allocated: { metadata: true, name: true }, locator, path: 'p', size: 1, times: [], type: 'file' });

function seal(text: string) {
  const paths = { entriesPath: join(folder, 'entries.jsonl'), csvPath: join(folder, 'entries.csv'), volumes: ['image:'] };
  writeFileSync(paths.entriesPath, text);
  let seen = 0;
  const sealed = sealCatalogue(paths, (count) => {
    seen += count;
  });
  return { sealed, seen, csv: readFileSync(paths.csvPath, 'utf8') };
}

const hash = (...parts: (string | Buffer)[]) => {
  const sha = createHash('sha256');
  for (const part of parts) sha.update(part);
  return sha.digest();
};

describe('sealing a catalogue', () => {
  it('computes the root as RFC 6962 section 2.1 says', () => {
    const lines = ['image:/fat:1', 'image:/fat:2', 'image:/fat:3'].map(line);
    const { sealed, seen, csv } = seal(lines.map((text) => `${text}\n`).join(''));
    // three leaves: the largest power of two below three is two, so H(1, H(1, leaf 0, leaf 1), leaf 2), a leaf being H(0, record)
    const [a, b, c] = lines.map((text) => hash('\u0000', text));
    expect(sealed.root).toBe(hash('\u0001', hash('\u0001', a!, b!), c!).toString('hex'));
    expect([sealed.entries, seen]).toEqual([3, 3]);
    expect(sealed.sha256).toBe(hash(lines.map((text) => `${text}\n`).join('')).toString('hex'));
    expect(csv.split('\r\n').length).toBe(5); // a head, three rows, nothing behind the last line end
  });

  it('seals a catalogue of nothing', () => {
    const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'; // sha256sum of an empty file (coreutils 9.1); RFC 6962 section 2.1
    expect(seal('').sealed).toMatchObject({ root: nothing, entries: 0, sha256: nothing });
  });

  it.each([
    ['out of order', ['image:/fat:2', 'image:/fat:1']],
    ['twice the same', ['image:/fat:1', 'image:/fat:1']],
    ['in order of numbers, not of bytes', ['image:/fat:9', 'image:/fat:10']],
    ['in order of UTF-16, not of UTF-8', ['image:/fat:\u{1f989}', 'image:/fat:\uff5e']],
  ])('refuses records that are %s', (_what, locators) => {
    expect(() => seal(locators.map((locator) => `${line(locator)}\n`).join(''))).toThrow(/catalogue\.order/);
  });

  it('takes records in order of their bytes', () => {
    expect(
      seal(['image:/fat:10', 'image:/fat:9', 'image:/fat:\uff5e', 'image:/fat:\u{1f989}'].map((at) => `${line(at)}\n`).join('')).sealed
        .entries,
    ).toBe(4);
  });

  it('refuses a last line without an end', () => {
    expect(() => seal(`${line('image:/fat:1')}\n${line('image:/fat:2')}`)).toThrow(/no end/);
  });
});

describe('the lines of a file', () => {
  it('are the same wherever a piece ends', () => {
    const lines = Array.from({ length: 3000 }, (_, index) => 'x'.repeat((index * 37) % 1999));
    writeFileSync(join(folder, 'lines'), lines.map((text) => `${text}\n`).join('')); // about 3 MB: two ends of pieces lie inside lines
    expect([...linesOf(join(folder, 'lines'), () => undefined)].map(String)).toEqual(lines);
  });

  it('do not fill the memory where there are no ends', () => {
    writeFileSync(join(folder, 'zeros'), Buffer.alloc(66 * 1024 * 1024));
    expect(() => [...linesOf(join(folder, 'zeros'), () => undefined)]).toThrow(/longer than 16777216 bytes/);
  });
});
