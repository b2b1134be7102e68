/** Text out of hostile bytes: always well formed, never lossy without keeping the bytes beside it. */

/** A name as found. `text` is well-formed Unicode without NUL; `raw` (lower-case hex of the bytes on disk) stands where `text` alone would not give them back. */
export interface FoundName {
  readonly text: string;
  readonly raw?: string;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * What cannot be seen or turns the reading direction (`photo\u202Egpj.exe` reads as `photoexe.jpg`), and U+2400, which stands for NUL. Not ZWJ and
 * ZWNJ: emoji and names in Persian hold them in earnest.
 */
export const deceptive =
  /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\u2400\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;

/** NUL cannot stand in PostgreSQL text: it becomes U+2400 (symbol for null). A lone surrogate becomes U+FFFD. */
export const safeText = (text: string): string => text.toWellFormed().replaceAll('\0', '\u2400');

/** A name whose bytes should be UTF-8 (ext, Linux-made ZIP): bytes that are not become U+FFFD and stay in `raw`. */
export function nameFromUtf8(bytes: Uint8Array): FoundName {
  try {
    const text = strictUtf8.decode(bytes);
    return text.includes('\0') ? { text: safeText(text), raw: hex(bytes) } : { text };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { text: safeText(lenientUtf8.decode(bytes)), raw: hex(bytes) };
  }
}

/** A name of UTF-16 code units (FAT long names, NTFS): lone surrogates and NUL are replaced, an odd last byte is left out; `raw` then holds the units, little-endian. */
export function nameFromUtf16(bytes: Uint8Array): FoundName {
  const units = new Uint16Array(bytes.length >> 1);
  for (let i = 0; i < units.length; i++) units[i] = bytes[2 * i]! | (bytes[2 * i + 1]! << 8);
  let text = '';
  for (let i = 0; i < units.length; i += 4096) text += String.fromCharCode(...units.subarray(i, i + 4096));
  return text.isWellFormed() && !text.includes('\0') && bytes.length % 2 === 0 ? { text } : { text: safeText(text), raw: hex(bytes) };
}

/** Bytes as Latin-1: every byte is one character. For fields that promise ASCII. NUL becomes U+2400. */
export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').replaceAll('\0', '\u2400');

/** Up to the first NUL, as Latin-1. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return latin1(end < 0 ? bytes : bytes.subarray(0, end));
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
