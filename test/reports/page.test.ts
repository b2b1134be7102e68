import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalText } from '../../src/custody/canonical.ts';
import { cutName, isoTime, sizeInWords, utcInWords, whole } from '../../src/reports/html/pieces.ts';
import { renderHtml } from '../../src/reports/html.ts';
import { hasTool } from '../support/tools.ts';
import { hostileNames } from './hostile-names.ts';
import { sampleFindings } from './sample-findings.ts';

const digest = '12'.repeat(32);
const pageOf = (text: string) => renderHtml(sampleFindings(text), digest);

describe('the page', () => {
  it('is the same each time, in every zone and language', () => {
    const findings = sampleFindings('Müller');
    const script = `import { renderHtml } from ${JSON.stringify(join(import.meta.dirname, '../../src/reports/html.ts'))};
      let text = ''; for await (const piece of process.stdin) text += piece;
      process.stdout.write(renderHtml(JSON.parse(text), '${digest}'));`;
    const elsewhere = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      input: canonicalText(findings),
      env: { ...process.env, TZ: 'Pacific/Chatham', LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' },
      encoding: 'utf8',
    });
    const here = renderHtml(JSON.parse(canonicalText(findings)), digest);
    expect(elsewhere).toBe(here);
    expect(renderHtml(JSON.parse(canonicalText(findings)), digest)).toBe(here);
  });

  it('fetches nothing and runs nothing', () => {
    const page = pageOf('x');
    expect(page).not.toMatch(/<script|<link|<img|<iframe|<object|\son\w+=|url\(|@import|src=|href=/i);
    expect(page).not.toMatch(/https?:/);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const allowed = createHash('sha256').update(style).digest('base64');
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${allowed}'"`);
  });

  it('says first what was received, what was done by which tool, and whether digests agree', () => {
    const page = pageOf('disk.E01');
    const box = page.slice(page.indexOf('<div class="box'), page.indexOf('</div>'));
    const words = box.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
    // sizes by hand: 1474560 / 1024 / 1024 = 1.40625
    expect(words).toContain(
      '1 file ( disk.E01 , 1,474,560 bytes) on 2026-11-24 12:00:00 UTC: Raw image, with a medium of 1,474,560 bytes (1.4 MiB)',
    );
    expect(words).toContain(
      'custodia 0.1.0 (node 24.21.0) only read the image, computed MD5 of the medium, listed the files of 1 of 1 volume',
    );
    expect(words).toContain('Yes. Every file of the image has the same SHA-256');
    expect(words).toContain('Agree: the MD5 that the image’s maker stored in it equal those computed now');
    expect(box).toContain('class="box good"');
  });

  it.each([
    ['changed evidence', { integrity: { ...sampleFindings('').integrity, status: 'changed' as const } }, 'bad', 'THE EVIDENCE CHANGED'],
    ['a stored digest that differs', { storedHashes: [{ ...sampleFindings('').storedHashes[0]!, equal: false }] }, 'bad', 'DIFFER'],
    [
      'problems that hide evidence',
      { problems: { ...sampleFindings('').problems, hidingEvidence: 2 } },
      'warn',
      '2 problems may hide evidence',
    ],
    ['bytes that are not accounted for', { coverage: { mediaSize: 9, accounted: 8, complete: false } }, 'warn', 'Not every byte'],
    ['no stored digest', { storedHashes: [] }, 'good', 'holds none of its maker'],
  ])('shows %s in the first box', (_what, changes, colour, words) => {
    const page = renderHtml(sampleFindings('', changes), digest);
    const box = page.slice(page.indexOf('<div class="box'), page.indexOf('</div>'));
    expect(box).toContain(`class="box ${colour}"`);
    expect(box).toContain(words);
  });

  it('names the facts of the acquisition in words, unknown ones as they are', () => {
    const page = pageOf('x');
    expect(page).toContain('<dt>Case number</dt><dd><bdi>C 1</bdi></dd>');
    expect(page).toContain('<dt>Sectors that it could not read</dt><dd>2 from sector 5</dd>');
    expect(page).toContain('<dt>key x</dt>');
    expect(page.indexOf('<dt>Case number')).toBeLessThan(page.indexOf('<dt>key x'));
  });

  it('writes notable entries under what was found, labels in quotes, times of files in UTC', () => {
    const page = pageOf('VOL');
    expect(page).toContain('<h3>Names that deceive (1)</h3>');
    expect(page).toContain('FAT12 “<bdi>VOL</bdi>”');
    expect(page).toContain('2026-11-24T13:26:21.130855699Z'); // date -u -d @1795526781 (coreutils 9.1)
  });
});

describe.skipIf(!hasTool('python3'))('the page, read by html.parser of Python 3', () => {
  const script = `
import sys, json
from html.parser import HTMLParser
class Tags(HTMLParser):
    def __init__(self):
        super().__init__(); self.found = []
    def handle_starttag(self, tag, attributes):
        if not (tag == 'span' and attributes == [('class', 'code')]): self.found.append([tag, [a[0] for a in attributes]])
    def handle_comment(self, text): self.found.append(['comment', text])
pages = json.load(sys.stdin)
out = []
for page in pages:
    parser = Tags(); parser.feed(page); parser.close(); out.append(parser.found)
print(json.dumps(out))`;

  it(`holds the same elements and attributes with each of ${hostileNames.length} hostile names as with a harmless one`, () => {
    const pages = ['harmless', ...hostileNames].map(pageOf);
    const [harmless, ...hostile] = JSON.parse(
      execFileSync('python3', ['-c', script], {
        input: JSON.stringify(pages.map((page) => page.toWellFormed())),
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      }),
    ) as unknown[][];
    expect(harmless!.length).toBeGreaterThan(150);
    for (const [index, found] of hostile.entries()) expect(found, JSON.stringify(hostileNames[index])).toEqual(harmless);
  });
});

describe('pieces of the page', () => {
  it.each([
    ['0', '1970-01-01T00:00:00.000000000Z'],
    ['-1', '1969-12-31T23:59:59.999999999Z'],
    ['1795526781130855699', '2026-11-24T13:26:21.130855699Z'],
    ['999999999999999999999999', '999999999999999999999999'], // beyond the calendar of ECMAScript (8.64e15 ms)
    ['1e9', '1e9'],
    ['', ''],
  ])('shows %s nanoseconds as %s', (given, expected) => {
    expect(isoTime(given)).toBe(expected);
  });

  it('sets thousands apart', () => {
    expect([0, 999, 1000, 1234567, 75497472].map(whole)).toEqual(['0', '999', '1,000', '1,234,567', '75,497,472']);
    expect([1023, 1024, 75497472].map(sizeInWords)).toEqual(['1,023 bytes', '1,024 bytes (1.0 KiB)', '75,497,472 bytes (72.0 MiB)']);
    expect(utcInWords('2026-11-24T13:41:32.189Z')).toBe('2026-11-24 13:41:32 UTC');
    expect(utcInWords('yesterday')).toBe('yesterday');
  });
});

it('cuts a name that would bury the page, and leaves others whole', () => {
  expect(cutName('x'.repeat(65_535)).text).toBe(`<bdi>${'x'.repeat(300)}</bdi>… (65,535 characters, all in entries.jsonl)`);
  expect(cutName('🙂'.repeat(301)).text).toBe(`<bdi>${'🙂'.repeat(300)}</bdi>… (602 characters, all in entries.jsonl)`);
  expect(cutName('🙂'.repeat(300)).text).toBe(`<bdi>${'🙂'.repeat(300)}</bdi>`);
});
