/** Is the content text, and of which kind? By its first bytes only. */
import { isUtf8 } from 'node:buffer';

/** Null for what is no text: control characters, or bytes that no common encoding explains. */
export function textType(head: Uint8Array, size: number): string | null {
  const start = startOf(Buffer.from(head.buffer, head.byteOffset, head.length), size > head.length);
  return start === null ? null : kindOf(start);
}

/** As many bytes of the text are looked at for its kind. */
const kindBytes = 1024;

/** The beginning of the text that these bytes are. */
function startOf(bytes: Buffer, cut: boolean): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return printable(bytes.subarray(2, bytes.length & ~1).toString('utf16le'));
  if (bytes[0] === 0xfe && bytes[1] === 0xff) {
    const swapped = Buffer.from(bytes.subarray(2, bytes.length & ~1)).swap16();
    return printable(swapped.toString('utf16le'));
  }
  for (let at = 0; at < bytes.length; at++) if (control[bytes[at]!]) return null;
  if (isUtf8Cut(bytes, cut)) return bytes.subarray(0, kindBytes).toString('utf8');
  // not UTF-8: Windows-1252, if most is ASCII and no byte is one that it leaves out
  const plain = bytes.filter((byte) => byte < 0x80).length;
  return plain >= bytes.length * 0.7 && !bytes.some((byte) => unassigned.has(byte)) ? bytes.toString('latin1', 0, kindBytes) : null;
}

/** Control characters that no text holds: all but TAB, line ends, form feed and ESC. */
const control = Uint8Array.from({ length: 256 }, (_, byte) => Number(byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b)));

/** A character of up to four bytes may be cut off by the end of the head. */
function isUtf8Cut(bytes: Buffer, cut: boolean): boolean {
  for (let drop = 0; drop <= (cut ? 3 : 0) && drop < bytes.length; drop++) {
    if (isUtf8(bytes.subarray(0, bytes.length - drop))) return true;
  }
  return false;
}

const unassigned = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);

const printable = (text: string): string | null => (/[\u0000-\u0008\u000e-\u001a\ufffe\uffff]/.test(text) ? null : text);

const kinds: readonly (readonly [RegExp, string])[] = [
  [/^\s*<!doctype html|^\s*<html[\s>]/i, 'text/html'],
  [/^\s*(<\?xml[^>]*\?>\s*)?(<!--[\s\S]{0,500}?-->\s*)?(<!DOCTYPE svg[^>]{0,500}>\s*)?<svg[\s>]/i, 'image/svg+xml'],
  [/^\s*<\?xml\s/i, 'application/xml'],
  [/^#!/, 'text/x-script'],
  [/^From [^\r\n]{1,200} \d\d:\d\d(:\d\d)? [^\r\n]{0,40}\r?\n/, 'application/mbox'],
  [/^(Return-Path:|Received:|Delivered-To:|MIME-Version:)/, 'message/rfc822'],
  [/^BEGIN:VCARD/, 'text/vcard'],
  [/^BEGIN:VCALENDAR/, 'text/calendar'],
  [/^-----BEGIN [A-Z ]{3,40}-----/, 'application/x-pem-file'],
  [/^\s*[[{]\s*("|[[{\]}]|-?\d|true|false|null)/, 'application/json'],
];

/** The patterns look at the first kilobyte, and none of them goes back over what it has read more than once. */
function kindOf(text: string): string {
  const start = text.slice(0, kindBytes).replace(/^\ufeff/, '');
  return kinds.find(([pattern]) => pattern.test(start))?.[1] ?? 'text/plain';
}
