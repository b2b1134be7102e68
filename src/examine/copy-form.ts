/** Rows in PostgreSQL's COPY text format (PostgreSQL manual, COPY, "Text Format"), gathered into buffers that can be handed over. */

/** One value. Null becomes `\N`. The text must be free of NUL and lone surrogates. */
export const copyValue = (value: string | number | boolean | null): string =>
  value === null ? '\\N' : typeof value === 'string' ? escapeText(value) : typeof value === 'boolean' ? (value ? 't' : 'f') : String(value);

export const copyBytes = (hexDigits: string | null): string => (hexDigits === null ? '\\N' : `\\\\x${hexDigits}`);

const special = /[\\\t\n\r]/;

const escapeText = (text: string): string =>
  special.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r') : text;

/** Rows until `takeAll` is called; `size` is about the bytes held. */
export class RowBuffer {
  #rows: string[] = [];
  size = 0;

  add(row: string): void {
    this.#rows.push(row);
    this.size += row.length;
  }

  get count(): number {
    return this.#rows.length;
  }

  /** All rows as one buffer of its own, each with its line end; the buffer is empty after. */
  takeAll(): { rows: Uint8Array; count: number } {
    const count = this.#rows.length;
    const text = count === 0 ? '' : `${this.#rows.join('\n')}\n`;
    this.#rows = [];
    this.size = 0;
    return { rows: new TextEncoder().encode(text), count };
  }
}
