/** A name as it may stand in a path: no slash in it, not empty, neither `.` nor `..`. */
import { type FoundName, hex } from './text.ts';

/** What no system would write is shown by a look-alike (U+2215, U+2024, U+2420), with the bytes beside it: it shall not pass for a path. */
export function entryName(found: FoundName, bytes: Uint8Array): FoundName {
  const { text } = found;
  if (text !== '' && text !== '.' && text !== '..' && !text.includes('/')) return found;
  const shown = text === '' ? '\u2420' : text.includes('/') ? text.replaceAll('/', '\u2215') : text.replaceAll('.', '\u2024');
  return { text: shown, raw: found.raw ?? hex(bytes) };
}
