/** Answers for people as plain tables, for programs as lines of JSON; what came from evidence or from others is made harmless. */
import { readerGone } from '../run.ts';
import { jsonLine, visible } from '../terminal.ts';

export interface Out {
  write(text: string | Uint8Array): unknown;
}

export type Row = Readonly<Record<string, unknown>>;

/** The name of a member, and how it is shown where not as it is. */
export type Column = string | readonly [key: string, show: (value: never, row: Row) => string];

/** Rows from which the widths of the columns are taken. */
const looked = 200;

/** As they come: a long list shows its beginning at once. */
export async function printRows(
  rows: AsyncIterable<Row> | Iterable<Row>,
  columns: readonly Column[],
  json: boolean,
  out: Out,
): Promise<void> {
  let waiting: string[][] = [titles(columns)];
  let widths: readonly number[] | null = null;
  const flush = () => {
    widths ??= columns.map((_, index) => Math.max(...waiting.map((cells) => cells[index]!.length)));
    for (const cells of waiting) out.write(`${lineOf(cells, widths)}\n`);
    waiting = [];
  };
  let count = 0;
  for await (const row of rows) {
    if (readerGone.aborted) return;
    count++;
    if (json) out.write(jsonLine(row));
    else waiting.push(columns.map((column) => cellOf(row, column)));
    if (!json && (widths !== null || waiting.length > looked)) flush();
  }
  if (!json && count > 0) flush();
}

const titles = (columns: readonly Column[]): string[] =>
  columns.map((column) => (typeof column === 'string' ? column : column[0]).replaceAll(/(?=[A-Z])/g, ' ').toUpperCase());

const lineOf = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, index) => (index === cells.length - 1 ? cell : cell.padEnd(widths[index]!)))
    .join('  ')
    .trimEnd();

function cellOf(row: Row, column: Column): string {
  if (typeof column === 'string') return shown(row[column]);
  const [key, show] = column;
  const value = row[key];
  return value === null || value === undefined ? '-' : visible(show(value as never, row));
}

function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(shown).join(',');
  return visible(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/** One thing, a line for each of its members. */
export function printOne(row: Row, json: boolean, out: Out): void {
  if (json) {
    out.write(jsonLine(row));
    return;
  }
  const members = Object.entries(row).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).map(([inner, held]) => [`${key}.${inner}`, held] as const)
      : [[key, value] as const],
  );
  const width = Math.max(...members.map(([key]) => key.length));
  for (const [key, value] of members) out.write(`${visible(key).padEnd(width)}  ${shown(value)}\n`);
}

/** What was done, in words; the answer itself with `--json`. */
export function printDone(text: string, answer: Row, json: boolean, out: Out): void {
  out.write(json ? jsonLine(answer) : `${visible(text)}\n`);
}
