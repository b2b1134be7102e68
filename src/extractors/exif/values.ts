/** Makes plain facts of what exifr gives: text in the encoding that it is in, short lists of numbers, nothing binary. */
import { safeText } from '../../bytes/text.ts';

export type Value = string | number | boolean | (string | number)[];

const longestText = 1024;
const longestList = 64;

/** Fields whose bytes are ASCII (EXIF 2.32, 4.6.5 and 4.6.8). */
const asciiBytes = new Set(['ExifVersion', 'FlashpixVersion', 'InteropVersion']);
/** Fields that begin with eight bytes for their encoding (EXIF 2.32, 4.6.5, UserComment). */
const prefixed = new Set(['UserComment', 'GPSProcessingMethod', 'GPSAreaInformation']);

const trimmed = (text: string): string => safeText(text.replace(/\0+$/, '').slice(0, longestText)).trim();

/** Null where it is nothing plain. */
export function plainValue(name: string, value: unknown, bigEndian: boolean): Value | null {
  if (typeof value === 'string') return trimmed(value) || null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return ofBytes(name, value, bigEndian);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return plainList(Array.from(value as Uint16Array));
  return Array.isArray(value) ? plainList(value) : null;
}

function plainList(values: readonly unknown[]): Value | null {
  if (values.length === 0 || values.length > longestList) return null;
  const list = values.map((item) => (typeof item === 'string' ? trimmed(item) : item));
  if (!list.every((item) => typeof item === 'string' || (typeof item === 'number' && Number.isFinite(item)))) return null;
  return list.length === 1 ? (list[0] as string | number) : (list as (string | number)[]);
}

function ofBytes(name: string, bytes: Uint8Array, bigEndian: boolean): Value | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 4 * longestText));
  if (asciiBytes.has(name)) return trimmed(buffer.toString('latin1')) || null;
  if (name.startsWith('XP')) return trimmed(buffer.subarray(0, buffer.length & ~1).toString('utf16le')) || null;
  if (prefixed.has(name)) return ofPrefixed(buffer, bigEndian);
  return bytes.length <= 16 ? plainList(Array.from(bytes)) : null;
}

function ofPrefixed(buffer: Buffer, bigEndian: boolean): string | null {
  const code = buffer.subarray(0, 8).toString('latin1');
  const text = Buffer.from(buffer.subarray(8));
  if (code === 'UNICODE\0') {
    const units = text.subarray(0, text.length & ~1);
    return trimmed((bigEndian ? units.swap16() : units).toString('utf16le')) || null;
  }
  return trimmed(utf8OrLatin1(text)) || null;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

function utf8OrLatin1(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return bytes.toString('latin1');
  }
}

/** IPTC: exifr gives each byte as one character. Text is UTF-8 where it can be (IIM 4.2, 1:90), version numbers are two bytes. */
export function iptcValue(value: unknown): Value | null {
  if (Array.isArray(value)) return plainList(value.map(iptcValue).filter((item) => item !== null));
  if (typeof value !== 'string') return plainValue('', value, true);
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length === 2 && bytes[0]! < 0x20 && bytes[1]! < 0x20) return bytes.readUInt16BE(0);
  return trimmed(utf8OrLatin1(bytes)) || null;
}
