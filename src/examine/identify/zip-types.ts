/** What a ZIP file is a container of, by the first members' names that stand in its head. */
import { u16, u32, viewOf } from '../../bytes/little-endian.ts';

const office = 'application/vnd.openxmlformats-officedocument';
const kinds: readonly (readonly [RegExp, string])[] = [
  [/^word\//, `${office}.wordprocessingml.document`],
  [/^xl\//, `${office}.spreadsheetml.sheet`],
  [/^ppt\//, `${office}.presentationml.presentation`],
  [/^AndroidManifest\.xml$/, 'application/vnd.android.package-archive'],
  [/^META-INF\/MANIFEST\.MF$/, 'application/java-archive'],
];

/** The media types that `mimetype`, the first member of OpenDocument and EPUB files, may give. */
const declared = new Set([
  'application/epub+zip',
  'application/vnd.oasis.opendocument.text',
  'application/vnd.oasis.opendocument.spreadsheet',
  'application/vnd.oasis.opendocument.presentation',
]);

export function zipType(head: Uint8Array): string {
  const view = viewOf(head);
  let found = 'application/zip';
  for (let at = 0; at + 30 <= head.length && u32(view, at) === 0x0403_4b50; ) {
    const [flags, packed, nameLength, extraLength] = [u16(view, at + 6), u32(view, at + 18), u16(view, at + 26), u16(view, at + 28)];
    const name = Buffer.from(head.subarray(at + 30, at + 30 + nameLength)).toString('latin1');
    const data = at + 30 + nameLength + extraLength;
    if (at === 0 && name === 'mimetype') {
      const type = Buffer.from(head.subarray(data, data + packed))
        .toString('latin1')
        .trim();
      if (declared.has(type)) return type;
    }
    const kind = kinds.find(([pattern]) => pattern.test(name))?.[1];
    if (kind !== undefined && (found === 'application/zip' || kind.startsWith(office) || name.startsWith('Android'))) found = kind;
    if (flags & 8 && packed === 0) {
      const next = Buffer.from(head.buffer, head.byteOffset, head.length).indexOf('PK\x03\x04', data, 'latin1');
      if (next < 0) break;
      at = next;
    } else at = data + packed; // more than 30 bytes further in any case
  }
  return found;
}
