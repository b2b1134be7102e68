/** Pieces that the sections of report.html are made of: numbers, times, names, tables. */
import { type Fragment, type Html, html } from '../html-tag.ts';

/** With thousands apart. */
export const whole = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');
export const bytes = (count: number): string => `${whole(count)} bytes`;

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `75,497,472 bytes (72.0 MiB)` */
export function sizeInWords(count: number): string {
  let [value, unit] = [count, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? bytes(count) : `${bytes(count)} (${value.toFixed(1)} ${units[unit]})`;
}

/** `1 file`, `2 files` */
export const counted = (count: number, one: string, many = `${one}s`): string => `${whole(count)} ${count === 1 ? one : many}`;

/** Text of others, kept from turning the text around it. */
export const name = (text: string): Html => html`<bdi>${text}</bdi>`;

/** A name so long that it would bury the page is cut; the whole of it is in entries.jsonl. */
export function cutName(text: string): Html {
  const shown = [...text.slice(0, 2 * longestName)];
  if (shown.length <= longestName && text.length <= 2 * longestName) return name(text);
  return html`${name(shown.slice(0, longestName).join(''))}… (${whole(text.length)} characters, all in entries.jsonl)`;
}

const longestName = 300;

export const quoted = (text: string): Html => html`“<bdi>${text}</bdi>”`;

/** Unix nanoseconds as ISO 8601 in UTC, all nine digits kept; what is no such number, or beyond the calendar, as it is. */
export function isoTime(nanoseconds: string): string {
  if (!/^-?\d{1,24}$/.test(nanoseconds)) return nanoseconds;
  const all = BigInt(nanoseconds);
  const billion = 1_000_000_000n;
  const rest = ((all % billion) + billion) % billion;
  const milliseconds = Number((all - rest) / 1_000_000n);
  if (Math.abs(milliseconds) > 8.64e15) return nanoseconds;
  return `${new Date(milliseconds).toISOString().slice(0, -5)}.${String(rest).padStart(9, '0')}Z`;
}

/** `2026-11-24 13:41:32 UTC` of an RFC 3339 time in UTC; anything else as it is. */
export const utcInWords = (time: string): string =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(time) ? `${time.slice(0, 10)} ${time.slice(11, 19)} UTC` : time;

export const facts = (rows: readonly (readonly [string, Fragment])[]): Html =>
  html`<dl class="facts">${rows.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>`;

/** A head that ends in `#` is of a column of numbers, one that ends in `|` of a column that never wraps. */
export function table(heads: readonly string[], rows: readonly (readonly Fragment[])[]): Html {
  if (rows.length === 0) return html`<p>None.</p>`;
  const classes = heads.map((head) => (head.length > 1 && head.endsWith('#') ? 'n' : head.endsWith('|') ? 'v' : 't'));
  const shown = heads.map((head, index) => (classes[index] === 't' ? head : head.slice(0, -1)));
  return html`<table><thead><tr>${shown.map((head, index) => html`<th class="${classes[index]!}">${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((value, index) => html`<td class="${classes[index]!}">${value}</td>`)}</tr>\n`)}</tbody></table>`;
}

export const agreement = (equal: boolean | null): Html =>
  equal === null ? html`not compared` : equal ? html`<span class="yes">agree</span>` : html`<span class="no">DIFFER</span>`;

/** `SHA-256` for `sha256`, `MD5` for `md5`. */
export const algorithmName = (algorithm: string): string => algorithm.toUpperCase().replace(/^SHA(?=\d)/, 'SHA-');
