/** Values as people give them to options. */
import { InvalidArgumentError } from 'commander';

/** Option that may be repeated, with values from a list. */
export const collectOneOf =
  (known: readonly string[]) =>
  (value: string, earlier: readonly string[]): readonly string[] => {
    if (!known.includes(value)) throw new InvalidArgumentError(`expected one of ${known.join(', ')}`);
    return [...new Set([...earlier, value])];
  };

export const oneOf =
  (known: readonly string[]) =>
  (value: string): string => {
    if (!known.includes(value)) throw new InvalidArgumentError(`expected one of ${known.join(', ')}`);
    return value;
  };

/** Of bytes and the like: exact below 2^53. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number');
  return value;
}

/** 1 (first) to 10 (last). */
export function priorityNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 10) throw new InvalidArgumentError('expected a whole number from 1 (first) to 10 (last)');
  return value;
}

/** As ISO 8601 in UTC. A time without a zone is that of this machine. */
export function moment(text: string): string {
  const at = new Date(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('expected a time such as 2026-11-30T12:00Z');
  return at.toISOString();
}
