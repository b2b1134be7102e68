/** A point in time that a request names: a date, or date and time with up to nine digits after the second. */
import { Refusal } from './problem.ts';

const form = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(\.\d{1,9})?Z?)?$/;

/** Seconds since 1970 as decimal digits. Throws Refusal (`search.time`). */
export function instantOf(name: string, written: string): string {
  const [, date, time = '00:00:00', fraction = '.0'] = form.exec(written) ?? [];
  const whole = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(whole) || new Date(whole).toISOString().slice(0, 19) !== `${date}T${time}`)
    throw new Refusal(400, 'search.time', `${name}: expected a time as 2024-02-29 or 2024-02-29T12:34:56.789Z`);
  const ns = BigInt(whole) * 1_000_000n + BigInt(fraction.slice(1).padEnd(9, '0'));
  const sign = ns < 0n ? '-' : '';
  const digits = String(ns < 0n ? -ns : ns).padStart(10, '0');
  return `${sign}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
