/** How dd, split and imaging tools number the parts of an image: `.001`, `.000`, `.01`, `.aa`, `.aaa`. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const suffix = /^(.+)\.(\d{2,6}|[a-z]{2,3}|z[a-y][a-z]{2}|[A-Z]{2,3})$/;

/** GNU split without `-a`: behind `89` comes `9000`, behind `9899` `990000`; behind `yz` comes `zaaa`. The leading ones only say how wide it has grown. */
const grown = /^(9[0-8]\d\d|99[0-8]\d{3}|z[a-y][a-z]{2})$/;

/** `disk.007` is 7, `disk.ab` is 1; null where the name has no number. */
export function numberOfPart(name: string): number | null {
  const text = suffix.exec(name)?.[2];
  if (text === undefined) return null;
  const base = /^\d/.test(text) ? 10 : 26;
  if (!grown.test(text)) return decodeNumber(text, base);
  const leading = text.length / 2 - 1;
  return base ** (leading + 1) - base + decodeNumber(text.slice(leading), base);
}

function decodeNumber(text: string, base: number): number {
  let value = 0;
  for (const sign of text.toLowerCase()) value = value * base + (base === 10 ? Number(sign) : sign.charCodeAt(0) - 97);
  return value;
}

/** Letters begin with `aa`, digits with 0 or 1. */
export const firstOfSet = (firstName: string): number => (/\.\d+$/.test(firstName) ? Math.min(1, numberOfPart(firstName) ?? 0) : 0);

/** Missing parts in a row beyond which an ending (`disk.txt` beside `disk.aa`, `disk.2026` beside `disk.001`) is no longer taken for a number. */
const widestGap = (given: string): number => (/^\d/.test(given) ? 1000 : 25);

/** All numbered files beside `path` that belong to its set, in order, also beyond a gap; empty where there is no set. */
export function splitPaths(path: string): string[] {
  const [, stem, text] = suffix.exec(basename(path)) ?? [];
  if (stem === undefined || text === undefined) return [];
  const parts = new Map<number, string>();
  for (const entry of readdirSync(dirname(path), { withFileTypes: true })) {
    const { name } = entry;
    const [, otherStem, other] = entry.isFile() || entry.isSymbolicLink() ? (suffix.exec(name) ?? []) : [];
    if (otherStem === stem && other !== undefined && sameNumbering(text, other)) parts.set(numberOfPart(name)!, name);
  }
  const numbers = [...parts.keys()].sort((a, b) => a - b);
  return isSet(numbers, text) ? numbers.slice(0, lengthOfSet(numbers, text)).map((number) => join(dirname(path), parts.get(number)!)) : [];
}

/** Letters of the same case and count; digits as wide, or wider where the number has grown beyond that (`.999`, `.1000`). */
function sameNumbering(given: string, other: string): boolean {
  if (alphabetOf(given) !== alphabetOf(other)) return false;
  const [a, b] = [widthOf(given), widthOf(other)];
  if (a === b) return true;
  return alphabetOf(given) === 'digits' && !(a > b ? given : other).startsWith('0') && !grown.test(given) && !grown.test(other);
}

const widthOf = (text: string): number => (grown.test(text) ? 2 : text.length);

const alphabetOf = (text: string): string => (/^\d/.test(text) ? 'digits' : /^[a-z]/.test(text) ? 'small letters' : 'capitals');

/** The given file is one of at least two, and the set begins as sets do: letters alone could be any file's ending. */
function isSet(numbers: readonly number[], given: string): boolean {
  const index = numbers.indexOf(numberOfPart(`x.${given}`)!);
  if (numbers.length < 2 || index < 0 || index >= lengthOfSet(numbers, given)) return false;
  const neighbours = numbers.some((number, at) => numbers[at + 1] === number + 1);
  return /^\d/.test(given) ? numbers[0]! <= 1 || (neighbours && numbers[0]! <= widestGap(given)) : numbers[0]! <= 1 && neighbours;
}

function lengthOfSet(numbers: readonly number[], given: string): number {
  const end = numbers.findIndex((number, index) => index > 0 && number - numbers[index - 1]! > widestGap(given));
  return end < 0 ? numbers.length : end;
}
