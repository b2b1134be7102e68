/** Short and long names. Spec: fatgen103, "Long Directory Entries"; the case flags are Windows NT's. */

import { entryName } from '../../bytes/entry-name.ts';
import { type FoundName, hex, latin1, nameFromUtf16 } from '../../bytes/text.ts';
import { isDeleted, type Slot } from './slot.ts';

/** `BASE.EXT`; bytes above 0x7f stand for the code page of the machine that wrote them, which is not known: Latin-1, with the bytes beside it. */
export function shortName(slot: Slot): FoundName {
  const bytes = slot.bytes.slice(0, 11);
  if (bytes[0] === 0x05) bytes[0] = 0xe5;
  if (isDeleted(slot)) bytes[0] = 0x5f; // as the Sleuth Kit shows it: the first character is lost
  const padded = latin1(bytes);
  const text = (part: string, lower: boolean) => (lower ? part.trimEnd().toLowerCase() : part.trimEnd());
  const base = text(padded.slice(0, 8), (slot.caseFlags & 0x08) !== 0);
  const extension = text(padded.slice(8), (slot.caseFlags & 0x10) !== 0);
  const name = extension === '' ? base : `${base}.${extension}`;
  return entryName(isPlain(padded) ? { text: name } : { text: name, raw: hex(bytes) }, bytes);
}

const isPlain = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

/** The name of the volume: 11 characters without a point. */
export function labelName(slot: Slot): FoundName {
  const bytes = slot.bytes.slice(0, 11);
  if (isDeleted(slot)) bytes[0] = 0x5f;
  const text = latin1(bytes).trimEnd();
  return isPlain(text) ? { text } : { text, raw: hex(bytes) };
}

/** "ChkSum()" of fatgen103. */
export function shortNameChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < 11; at++) sum = ((sum >> 1) + ((sum & 1) << 7) + bytes[at]!) & 0xff;
  return sum;
}

/** Gathers the pieces of a long name, which stand before the short one in reverse order. */
export function collectLongName() {
  let pieces: Buffer[] = [];
  let expected = 0;
  let checksum = -1;
  let deleted = false;
  const longName = (): FoundName => {
    const units = upToEnd(pieces.length === 1 ? pieces[0]! : Buffer.concat([...pieces].reverse()));
    const text = units.toString('utf16le');
    return entryName(text.isWellFormed() && !text.includes('\0') ? { text } : nameFromUtf16(units), units);
  };
  /** Null when there were none. */
  const drop = (): FoundName | null => {
    const name = pieces.length > 0 ? longName() : null;
    pieces = [];
    checksum = -1;
    return name;
  };
  return {
    /** The name of pieces before this one that turned out to belong to nothing. */
    add(slot: Slot): FoundName | null {
      const order = slot.bytes[0]!;
      const sum = slot.bytes[13]!;
      let orphaned: FoundName | null = null;
      if (isDeleted(slot)) {
        if (!deleted || sum !== checksum || pieces.length >= 20) orphaned = drop();
        deleted = true;
      } else {
        const starts = (order & 0x40) !== 0;
        if (starts || deleted || sum !== checksum || (order & 0x3f) !== expected) orphaned = drop();
        deleted = false;
        expected = (order & 0x3f) - 1;
        if (!starts && pieces.length === 0) return orphaned ?? nameFromUtf16(upToEnd(unitsOf(slot))); // a piece without its beginning
      }
      checksum = sum;
      pieces.push(unitsOf(slot));
      return orphaned;
    },
    /** The long name of this short one, or null. Pieces that do not belong to it are dropped: `orphaned`. */
    take(slot: Slot): { name: FoundName | null; orphaned: FoundName | null } {
      if (pieces.length === 0) return { name: null, orphaned: null };
      const complete = isDeleted(slot)
        ? deleted && mayBelong(slot, checksum, pieces.at(-1)!)
        : !deleted && expected === 0 && shortNameChecksum(slot.bytes) === checksum;
      const dropped = drop();
      const isEmpty = dropped?.raw === ''; // then the short name is better
      return complete && !isEmpty ? { name: dropped, orphaned: null } : { name: null, orphaned: dropped };
    },
    drop,
  };
}

/** A deleted short name has lost its first byte: the checksum must fit for the long name's first letter, or for any other byte. */
function mayBelong(slot: Slot, checksum: number, firstPiece: Uint8Array): boolean {
  const bytes = slot.bytes.slice(0, 11);
  const letter = String.fromCharCode(firstPiece[0]! | (firstPiece[1]! << 8))
    .toUpperCase()
    .charCodeAt(0);
  for (const candidate of [letter, ...Array(256).keys()]) {
    bytes[0] = candidate;
    if (shortNameChecksum(bytes) === checksum) return true;
  }
  return false;
}

/** 13 UTF-16 units in three places. */
function unitsOf({ bytes }: Slot): Buffer {
  const units = Buffer.allocUnsafe(26);
  for (let at = 0; at < 10; at++) units[at] = bytes[1 + at]!;
  for (let at = 0; at < 12; at++) units[10 + at] = bytes[14 + at]!;
  for (let at = 0; at < 4; at++) units[22 + at] = bytes[28 + at]!;
  return units;
}

function upToEnd(units: Buffer): Buffer {
  for (let at = 0; at + 1 < units.length; at += 2) {
    if (units[at] === 0 && units[at + 1] === 0) return units.subarray(0, at);
  }
  return units;
}
