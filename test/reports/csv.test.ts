import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type CatalogueRecord, csvHeader, csvRow } from '../../src/reports/csv.ts';
import { hasTool } from '../support/tools.ts';
import { hostileNames } from './hostile-names.ts';

const record = (path: string): CatalogueRecord => ({
  locator: 'image:/mbr:1/fat:5',
  path,
  type: 'file',
  size: 12,
  allocated: { name: true, metadata: false },
  times: [{ kind: 'modified', time: '2026-01-02T03:04:06' }],
  digests: { md5: 'aa', sha1: 'bb', sha256: 'cc' },
  mediaType: 'text/plain',
  problems: ['type.mismatch', 'name.deceptive'],
});

describe('entries.csv', () => {
  it('is a table as RFC 4180 section 2 says', () => {
    expect(csvHeader).toBe(
      'locator,path,type,size,allocated,modified,accessed,changed,created,deleted,md5,sha1,sha256,mediaType,problems\r\n',
    );
    expect(csvRow(record('a.txt'))).toBe(
      'image:/mbr:1/fat:5,a.txt,file,12,no,2026-01-02T03:04:06,,,,,aa,bb,cc,text/plain,type.mismatch name.deceptive\r\n',
    );
    expect(csvRow(record('a, "b"\r\nc'))).toContain(',"a, ""b""\\u{d}\\u{a}c",');
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@a', "'@a"],
    ['\uff1d1', "'\uff1d1"],
    ['1=1', '1=1'],
    ["'=1", "'=1"],
  ])('guards %j', (path, cell) => {
    // the characters are those that OWASP, "CSV Injection", names
    expect(csvRow(record(path)).split(',')[1]).toBe(cell);
  });

  it.each([
    ['\t=1', '\\u{9}=1'],
    ['\n=1', '\\u{a}=1'],
    ['a\u001b[2Jb', 'a\\u{1b}[2Jb'],
    ['exe.\u202egpj', 'exe.\\u{202e}gpj'],
    ['a\u{e0041}b', 'a\\u{e0041}b'],
    ['täst 中文 🙂', 'täst 中文 🙂'],
  ])('shows in %j what cannot be seen', (path, cell) => {
    expect(csvRow(record(path)).split(',')[1]).toBe(cell);
  });
});

describe.skipIf(!hasTool('python3'))('entries.csv, read by the csv module of Python 3', () => {
  it(`gives back all ${hostileNames.length} hostile names, and no cell is a formula`, () => {
    const names = hostileNames.filter((name) => name.isWellFormed()); // a record holds no others: canonical form refuses them
    const table = csvHeader + names.map((name) => csvRow(record(name))).join('');
    const script = `
import csv, sys, json, io
text = sys.stdin.buffer.read().decode('utf-8')
print(json.dumps(list(csv.reader(io.StringIO(text, newline=''), strict=True))))`;
    const rows = JSON.parse(execFileSync('python3', ['-c', script], { input: table, encoding: 'utf8' })) as string[][];
    expect(rows.length).toBe(names.length + 1);
    for (const [index, row] of rows.slice(1).entries()) {
      expect(row.length).toBe(15);
      const exact = row[1]!.replace(/\\u\{([0-9a-f]+)\}/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)));
      expect(exact.replace(/^'/, '')).toBe(names[index]!.replace(/^'/, ''));
      for (const cell of row) expect(cell).not.toMatch(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/u);
      for (const cell of row) expect(cell).not.toMatch(/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/);
    }
  });
});
