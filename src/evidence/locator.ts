/** Where a thing came from: the stack of layers from the image down, e.g. `image:/gpt:2/ext:12/zip:photos/a.jpg`. */

import { FormatError } from './errors.ts';

/** One layer: a format's name and a place inside it. A value may contain `/`. */
export interface Layer {
  readonly format: string;
  readonly value: string;
}

/** As printed: also its sort key (by UTF-8 bytes) and its identity. */
export type Locator = string;

export const imageLocator: Locator = 'image:';

/**
 * `parent` with one layer more. In a value `%`, `:`, control characters, the characters that turn the reading direction and the
 * replacement character are written as `%` and two hex digits for each UTF-8 byte: so a segment with a colon always starts a layer.
 */
export const childLocator = (parent: Locator, format: string, value: string): Locator => `${parent}/${format}:${escapeValue(value)}`;

/** Throws FormatError for text that is no locator. */
export function parseLocator(text: string): Layer[] {
  if (text !== imageLocator && !text.startsWith('image:/')) throw malformed(text, "expected 'image:' at its start");
  const layers: { format: string; parts: string[] }[] = [];
  for (const segment of text.split('/')) {
    const colon = segment.indexOf(':');
    const last = layers.at(-1);
    if (colon > 0) layers.push({ format: segment.slice(0, colon), parts: [segment.slice(colon + 1)] });
    else if (colon < 0 && last !== undefined && layers.length > 1) last.parts.push(segment);
    else throw malformed(text, `segment '${segment}' has no format name`);
  }
  return layers.map(({ format, parts }) => ({ format, value: unescapeValue(text, parts.join('/')) }));
}

function unescapeValue(text: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw malformed(text, "'%' is followed by two hex digits, and those make UTF-8");
  }
}

const malformed = (text: string, expected: string) => new FormatError('locator.malformed', `locator '${text}': ${expected}`);

export const printLocator = (layers: readonly Layer[]): Locator =>
  layers.map(({ format, value }) => `${format}:${escapeValue(value)}`).join('/');

/** By UTF-8 bytes, as PostgreSQL's collation "C" does. */
export const compareLocators = (a: Locator, b: Locator): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const escaped = /[%:\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/g;

const escapeValue = (value: string): string =>
  value.toWellFormed().replace(escaped, (character) => Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&'));
