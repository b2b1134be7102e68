/** Which type a content is of, by its bytes. Our table stands first: it settles most files at no cost; file-type decides what it leaves open. */
import { fileTypeFromBuffer } from 'file-type';
import { acceptableTypes } from './identify/extensions.ts';
import { signatures } from './identify/signatures.ts';
import { textType } from './identify/text.ts';
import { zipType } from './identify/zip-types.ts';

export interface Identity {
  readonly mediaType: string;
  /** What recognised it: `signature`, `file-type`, `text`. */
  readonly by: string;
}

/** Null for content that is nothing known: empty, all zeros, or simply data. `head` are its first bytes. Throws nothing. */
export async function identify(head: Uint8Array, size: number): Promise<Identity | null> {
  if (size === 0 || head.length === 0) return null;
  const known = signatures.find(({ at, bytes }) => matches(head, at, bytes));
  if (known !== undefined) {
    const mediaType = known.mediaType === 'application/zip' ? zipType(head) : (known.refine?.(head) ?? known.mediaType);
    return { mediaType, by: 'signature' };
  }
  const text = textType(head, size);
  if (text !== null) return { mediaType: text, by: 'text' };
  if (head.every((byte) => byte === head[0])) return null; // wiped or never written
  return askLibrary(head);
}

function matches(head: Uint8Array, at: number, bytes: Uint8Array): boolean {
  if (at + bytes.length > head.length) return false;
  for (let index = 0; index < bytes.length; index++) if (head[at + index] !== bytes[index]) return false;
  return true;
}

/** From the head alone: bounded in time and memory, whatever the content claims about its length. */
async function askLibrary(head: Uint8Array): Promise<Identity | null> {
  try {
    const found = await fileTypeFromBuffer(head);
    return found === undefined ? null : { mediaType: found.mime.split(';')[0]!, by: 'file-type' };
  } catch {
    return null; // it asked for bytes behind the head: not decided
  }
}

/** Does the name promise another type than the content has? Only for extensions whose types are settled; never for what is not recognised. */
export function extensionMismatch(extension: string, { mediaType }: Identity): boolean {
  const acceptable = acceptableTypes(extension);
  return (
    acceptable !== null && !acceptable.some((type) => type === mediaType || (type.endsWith('*') && mediaType.startsWith(type.slice(0, -1))))
  );
}
