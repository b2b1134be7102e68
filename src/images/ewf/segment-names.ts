/** How the files of one EWF set are named: `E01` to `E99`, then `EAA` to `EZZ`, `FAA` to `ZZZ`; SMART starts with `S`. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const split = /^(.*)\.([A-Za-z][A-Za-z0-9]{2})$/;

/** From 1 on; null for anything else. `first` is the letter of segment 1. */
export function segmentNumber(extension: string, first: string): number | null {
  const text = extension.toUpperCase();
  if (/^[A-Z]\d\d$/.test(text)) return text[0] === first ? Number(text.slice(1)) || null : null;
  if (!/^[A-Z]{3}$/.test(text) || text[0]! < first) return null;
  const [a, b, c] = [0, 1, 2].map((at) => text.charCodeAt(at) - 65) as [number, number, number];
  return 100 + ((a - (first.charCodeAt(0) - 65)) * 26 + b) * 26 + c;
}

/** The extension of segment `number`, in the case of `like`. */
export function segmentExtension(number: number, first: string, like: string): string {
  const letters = number - 100;
  const text =
    number < 100
      ? first + String(number).padStart(2, '0')
      : String.fromCharCode(first.charCodeAt(0) + Math.floor(letters / 676), 65 + (Math.floor(letters / 26) % 26), 65 + (letters % 26));
  return like === like.toLowerCase() ? text.toLowerCase() : text;
}

/** Missing segments in a row beyond which a file with three letters (`disk.txt`) is no longer taken for one of the set. */
const widestGap = 25;

/** All files beside `path` of its set, in order, also beyond a gap: `open` says what is missing. */
export function segmentPaths(path: string): string[] {
  const [, stem, extension] = split.exec(basename(path)) ?? [];
  if (stem === undefined || extension === undefined) return [path];
  const names = filesBeside(path);
  const first = firstLetter(stem, extension, names);
  if (segmentNumber(extension, first) === null) return [path];
  const found = new Map<number, string>();
  for (const name of names) {
    const parts = split.exec(name);
    const number = parts === null || parts[1] !== stem ? null : segmentNumber(parts[2]!, first);
    if (number !== null && (!found.has(number) || name === basename(path))) found.set(number, join(dirname(path), name));
  }
  const ordered = [...found].sort(([a], [b]) => a - b);
  const given = ordered.findIndex(([, file]) => file === path);
  if (given < 0) return [path];
  const breaks = (index: number): boolean => ordered[index]![0] >= 100 && ordered[index]![0] - (ordered[index - 1]?.[0] ?? 0) > widestGap;
  let start = given;
  while (start > 0 && !breaks(start)) start--;
  let end = given + 1;
  while (end < ordered.length && !breaks(end)) end++;
  return ordered.slice(start, end).map(([, file]) => file);
}

const filesBeside = (path: string): string[] =>
  readdirSync(dirname(path), { withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map(({ name }) => name)
    .sort();

/** Three letters alone do not tell whether a set began with `E01` or `s01`. */
function firstLetter(stem: string, extension: string, names: readonly string[]): string {
  const letter = extension[0]!.toUpperCase();
  if (/\d/.test(extension)) return letter;
  const smart = names.some((name) => name.toLowerCase() === `${stem.toLowerCase()}.s01`);
  return letter >= 'S' && smart ? 'S' : 'E';
}

/** What the file of segment `number` would be called, judged by the name of another. */
export function nameOfSegment(number: number, other: string): string {
  const [, stem, extension] = split.exec(other) ?? [];
  if (stem === undefined || extension === undefined) return `segment ${number}`;
  const first = /^[sS]\d\d$/.test(extension) ? 'S' : 'E';
  return `${stem}.${segmentExtension(number, first, extension)}`;
}
