/** How dd, split and imaging tools number the parts of an image: `.001`, `.000`, `.01`, `.aa`, `.aaa`. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const suffix = /^(.+)\.(\d{2,5}|[a-z]{2,3}|[A-Z]{2,3})$/;

/** `disk.007` is 7, `disk.ab` is 1; null where the name has no number. */
export function numberOfPart(name: string): number | null {
  const text = suffix.exec(name)?.[2];
  if (text === undefined) return null;
  if (/^\d/.test(text)) return Number(text);
  let value = 0;
  for (const letter of text.toLowerCase()) value = value * 26 + (letter.charCodeAt(0) - 97);
  return value;
}

/** Missing parts in a row beyond which letters (`disk.aa`, `disk.txt`) are no longer taken for a number. */
const widestGap = 25;

/** All numbered files beside `path` that belong to its set, in order, also beyond a gap; empty where there is no set. */
export function splitPaths(path: string): string[] {
  const [, stem, text] = suffix.exec(basename(path)) ?? [];
  if (stem === undefined || text === undefined) return [];
  const parts = new Map<number, string>();
  for (const name of readdirSync(dirname(path))) {
    const [, otherStem, other] = suffix.exec(name) ?? [];
    if (otherStem === stem && other !== undefined && sameNumbering(text, other)) parts.set(numberOfPart(name)!, name);
  }
  const numbers = [...parts.keys()].sort((a, b) => a - b);
  return isSet(numbers, text) ? numbers.slice(0, lengthOfSet(numbers, text)).map((number) => join(dirname(path), parts.get(number)!)) : [];
}

/** Letters of the same case and count; digits as wide, or wider where the number has grown beyond that (`.999`, `.1000`). */
function sameNumbering(given: string, other: string): boolean {
  const digits = /^\d/.test(given);
  if (!digits) return other.length === given.length && /^[a-z]/.test(given) === /^[a-z]/.test(other) && !/^\d/.test(other);
  if (!/^\d/.test(other)) return false;
  return other.length === given.length || !(other.length > given.length ? other : given).startsWith('0');
}

/** The given file is one of at least two, and the set begins as sets do: letters alone could be any file's ending. */
function isSet(numbers: readonly number[], given: string): boolean {
  const index = numbers.indexOf(numberOfPart(`x.${given}`)!);
  if (numbers.length < 2 || index < 0 || index >= lengthOfSet(numbers, given)) return false;
  const neighbours = numbers.some((number, at) => numbers[at + 1] === number + 1);
  return /^\d/.test(given) ? numbers[0]! <= 1 || neighbours : numbers[0]! <= 1 && neighbours;
}

function lengthOfSet(numbers: readonly number[], given: string): number {
  if (/^\d/.test(given)) return numbers.length;
  const end = numbers.findIndex((number, index) => index > 0 && number - numbers[index - 1]! > widestGap);
  return end < 0 ? numbers.length : end;
}
