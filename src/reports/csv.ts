/** The catalogue as a table: RFC 4180, UTF-8, made harmless to look at. What a name is exactly, entries.jsonl says. */

/** What the table shows of a record (src/examine/entry-record.ts writes all of it). */
export interface CatalogueRecord {
  readonly locator: string;
  readonly path: string;
  readonly type: string;
  readonly size: number;
  readonly allocated: { readonly name: boolean; readonly metadata: boolean };
  readonly times: readonly { readonly kind: string; readonly time: string }[];
  readonly digests?: Readonly<Record<string, string>>;
  readonly mediaType?: string;
  readonly problems?: readonly string[];
  readonly contentSize?: number;
  readonly facts?: Readonly<Record<string, unknown>>;
}

const timeColumns = ['modified', 'accessed', 'changed', 'created', 'deleted'] as const;
const digestColumns = ['md5', 'sha1', 'sha256'] as const;

export const csvHeader = `${['locator', 'path', 'type', 'size', 'allocated', ...timeColumns, ...digestColumns, 'mediaType', 'problems'].join(',')}\r\n`;

export function csvRow(record: CatalogueRecord): string {
  const { locator, path, type, size, allocated, times, digests, mediaType, problems } = record;
  const timeOf = (kind: string) => times.find((time) => time.kind === kind)?.time ?? '';
  const cells = [
    ...[locator, path, type, String(size), allocated.name && allocated.metadata ? 'yes' : 'no'],
    ...timeColumns.map(timeOf),
    ...digestColumns.map((name) => digests?.[name] ?? ''),
    ...[mediaType ?? '', (problems ?? []).join(' ')],
  ];
  return `${cells.map(cell).join(',')}\r\n`;
}

const formula = /^[=+\-@\uff1d\uff0b\uff0d\uff20]/; // the last four are the full-width forms, which spreadsheets take as well

/** Controls, line ends, and what turns, joins or hides text: docs/LEDGER.md lists the same, as a verifier must write the same. */
const unseen =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

function cell(text: string): string {
  const shown = text.replace(unseen, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  const guarded = formula.test(shown) ? `'${shown}` : shown;
  return /[",]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
