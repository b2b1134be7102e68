/** Text that PostgreSQL can hold: it takes neither NUL nor lone surrogates. */

/** NUL becomes its picture (U+2400), a lone surrogate U+FFFD; at most `limit` characters. */
export const storable = (text: string, limit = 2000): string => text.slice(0, limit).toWellFormed().replaceAll('\0', '\u2400');
