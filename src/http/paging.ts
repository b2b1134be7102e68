/** Pages by cursor: where the last page ended, bound to what was asked, so that it cannot be taken to another question. */
import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { Refusal } from './problem.ts';
import { isId } from './route.ts';

export const PageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  cursor: Type.Optional(Type.String({ maxLength: 8192 })),
};

export const usualLimit = 100;

type Key = readonly (string | number | null)[];

const markOf = (question: unknown) => createHash('sha256').update(JSON.stringify(question)).digest('base64url').slice(0, 16);

/** `question`: everything that decides which rows come in which order. */
export const writeCursor = (question: unknown, last: Key): string =>
  Buffer.from(JSON.stringify([markOf(question), ...last])).toString('base64url');

/** The key of the last row of the page before; null at the beginning. Throws Refusal (`http.cursor`). */
export function readCursor(question: unknown, cursor: string | undefined, length: number): Key | null {
  if (cursor === undefined) return null;
  const refused = new Refusal(400, 'http.cursor', 'the cursor is none of this question, expected one that its last page gave');
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refused;
  }
  if (!Array.isArray(parsed) || parsed.length !== length + 1 || parsed[0] !== markOf(question)) throw refused;
  const key = parsed.slice(1);
  if (!key.every((part) => part === null || typeof part === 'string' || (typeof part === 'number' && Number.isFinite(part)))) throw refused;
  return key as Key;
}

/** Where the key is an id of ours and nothing else. */
export function readIdCursor(question: unknown, cursor: string | undefined): string | null {
  const id = readCursor(question, cursor, 1)?.[0]?.toString() ?? null;
  if (id !== null && !isId(id))
    throw new Refusal(400, 'http.cursor', 'the cursor is none of this question, expected one that its last page gave');
  return id;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Null on the last page. */
  readonly next: string | null;
}

/** `rows` hold one more than `limit` where there is a next page. */
export function pageOf<T>(rows: readonly T[], limit: number, question: unknown, keyOf: (row: T) => Key): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? writeCursor(question, keyOf(last)) : null };
}
