import { describe, expect, it } from 'vitest';
import { refuseDeceptiveNames } from '../../src/cli/names.ts';
import { openProgress, type ProgressState } from '../../src/cli/progress.ts';
import { formatBytes, formatDuration, jsonLine, visible } from '../../src/cli/terminal.ts';
import { hostileNames } from '../reports/hostile-names.ts';

describe('text for a terminal', () => {
  it.each(hostileNames.map((name) => [name]))('shows %j without letting it act', (name) => {
    expect(visible(name)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(jsonLine({ name })).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+\n$/u);
    expect(JSON.parse(jsonLine({ name }))).toEqual({ name });
  });

  it('shows what was there by its code', () => {
    expect(visible('a\u001b[31m\u202eb\ud800')).toBe('a\\u{001b}[31m\\u{202e}b\\u{d800}');
    expect(visible('Ünïcödé 漢字 🦉')).toBe('Ünïcödé 漢字 🦉');
    expect(jsonLine('\u{e0041}\u009b')).toBe('"\\udb40\\udc41\\u009b"\n'); // surrogates by hand: U+E0041 - 0x10000 = 0xD0041: D800 + 0x340, DC00 + 0x41
  });

  it('says sizes and times as people do', () => {
    expect([0, 1023, 1024, 10240, 1536 * 1024, 2 ** 50 * 2048].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '10 KiB',
      '1.5 MiB',
      '2048 PiB',
    ]);
    expect([0, 59.4, 60, 3599, 3600, 90061, Number.POSITIVE_INFINITY].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 00 s',
      '59 min 59 s',
      '1 h 00 min',
      '25 h 01 min',
      '?',
    ]);
  });
});

describe('names that people give', () => {
  const given = { case: 'K 12/2026', exhibit: 'A-1', examiner: 'Zoë Ångström 漢' };

  it('are taken when they are what they seem', () => {
    expect(() => refuseDeceptiveNames(given)).not.toThrow();
    expect(() => refuseDeceptiveNames({ ...given, case: 'a'.repeat(500), exhibit: '<b>"=1\'' })).not.toThrow();
  });

  it.each([
    ['empty', ''],
    ['blank', ' \u00a0 '],
    ['NUL', 'a\0'],
    ['line end', 'a\nb'],
    ['escape', '\u001b[2J'],
    ['C1', '\u009b1m'],
    ['DEL', '\u007f'],
    ['RTLO', 'a\u202eb'],
    ['isolate', '\u2066a'],
    ['half a surrogate', 'a\ud800'],
    ['the other half', '\udc00a'],
    ['line separator', 'a\u2028'],
    ['1 MB', 'a'.repeat(1_000_000)],
  ])('are refused with what was found and expected: %s', (_what, name) => {
    for (const what of ['case', 'exhibit', 'examiner']) {
      const refused = () => refuseDeceptiveNames({ ...given, [what]: name });
      expect(refused).toThrow(expect.objectContaining({ status: 3, code: `name.${what}` }));
      expect(refused).toThrow(/^(case|exhibit|examiner): found [^\p{C}]{1,60}, expected [^\p{C}]+$/u);
    }
  });
});

/** A terminal of so many columns: knows line ends, "up n lines" and "erase below" (ECMA-48 CUU and ED), and nothing else. */
function fakeTerminal(columns: number) {
  const lines: string[] = [''];
  let row = 0;
  return {
    isTTY: true,
    columns,
    write(text: string) {
      for (const part of text.match(/\u001b\[\d*[A-Z]|\n|[^\u001b\n]+/g) ?? []) {
        const command = /^\u001b\[(\d*)([A-Z])$/.exec(part);
        if (part === '\n') {
          row++;
          lines[row] ??= '';
        } else if (command === null) {
          if (part.length >= columns) throw new Error(`a line of ${part.length} characters would wrap at ${columns}`);
          lines[row] = part;
        } else if (command[2] === 'A') row -= Number(command[1]);
        else if (command[2] === 'J') lines.splice(row, lines.length, '');
        else throw new Error(`unknown command ${JSON.stringify(part)}`);
      }
    },
    shown: () => lines.filter((line) => line !== ''),
  };
}

const state = (more: Partial<ProgressState> = {}): ProgressState => ({
  ...{ stage: 'examining', hashed: 0, hashTotal: 1000 * 1024, files: 0, filesTotal: 40, fileBytes: 0 },
  ...more,
});

describe('progress', () => {
  it('draws its bars over, keeps notes above them, and leaves nothing behind', () => {
    let now = 0;
    const terminal = fakeTerminal(100);
    const view = openProgress(terminal, 'bars', () => now);
    view.note('received a\u001b[2Jb');
    view.show(state({ hashTotal: null, filesTotal: null }));
    expect(terminal.shown()[2]).toContain('0 B of ?');
    now = 1000;
    view.show(state({ hashed: 250 * 1024, files: 10 }));
    const [note, stage, bytes, files, ...more] = terminal.shown();
    expect([note, stage, more]).toEqual(['received a\\u{001b}[2Jb', '  examining', []]);
    // a quarter of 40 signs; 250 KiB in one second leave 750 KiB, three seconds
    expect(bytes).toBe(`  image  [${'#'.repeat(10)}${'.'.repeat(30)}]  25 % 250 KiB of 1000 KiB  250 KiB/s`);
    expect(files).toBe(`  files  [${'#'.repeat(10)}${'.'.repeat(30)}]  25 % 10 of 40  about 3 s left`);
    view.note('writing the report');
    view.show(state({ hashed: 1000 * 1024, files: 40 }));
    expect(terminal.shown().slice(0, 2)).toEqual(['received a\\u{001b}[2Jb', 'writing the report']);
    view.done();
    expect(terminal.shown()).toEqual(['received a\\u{001b}[2Jb', 'writing the report']);
  });

  it.each([20, 40, 80, 300])('never wraps at %i columns', (columns) => {
    const terminal = fakeTerminal(columns);
    const view = openProgress(terminal, 'bars', () => 0);
    for (let step = 0; step < 5; step++) view.show(state({ hashed: step * 1e15, hashTotal: 4e15, files: step * 1e9, filesTotal: 4e9 }));
    expect(terminal.shown().length).toBe(3);
  });

  it('writes a plain line for each stage, and then one in five seconds', () => {
    let now = 0;
    let text = '';
    const view = openProgress({ write: (more) => (text += more) }, 'lines', () => now);
    for (; now < 11_000; now += 250) view.show(state({ hashed: now, stage: now < 9000 ? 'listing' : 'examining' }));
    const lines = text.trim().split('\n');
    expect(lines.map((line) => line.split(':')[0])).toEqual(['listing', 'listing', 'examining']); // at 0, 5 and 9 seconds
    expect(text).not.toContain('\u001b');
  });

  it('writes each state once as JSON', () => {
    let text = '';
    const view = openProgress({ write: (more) => (text += more) }, 'json', () => 0);
    view.show(state());
    view.show(state());
    view.note('a\u009bb');
    view.show(state({ files: 1 }));
    view.done();
    const lines = text.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['progress', 'note', 'progress']);
    expect(lines[1]).toBe('{"event":"note","text":"a\\u009bb"}');
  });
});
