/** The bytes by which frequent types begin, in the order tried: longer ones before shorter ones that they contain. */

export interface ContentSignature {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** A closer look at the head. */
  readonly refine?: (head: Uint8Array) => string;
}

const latin = (head: Uint8Array, at: number, length: number): string => Buffer.from(head.subarray(at, at + length)).toString('latin1');

const entry = (at: number, text: string, mediaType: string, refine?: (head: Uint8Array) => string): ContentSignature => ({
  at,
  bytes: Buffer.from(text, 'latin1'),
  mediaType,
  ...(refine === undefined ? {} : { refine }),
});

/** RIFF and ISO base media files say at a fixed place what they are. */
const riff = (head: Uint8Array): string =>
  ({ WEBP: 'image/webp', WAVE: 'audio/wav', 'AVI ': 'video/x-msvideo' })[latin(head, 8, 4)] ?? 'application/x-riff';

const brands: Readonly<Record<string, string>> = {
  heic: 'image/heic',
  heix: 'image/heic',
  mif1: 'image/heif',
  msf1: 'image/heif-sequence',
  avif: 'image/avif',
  avis: 'image/avif',
  'qt  ': 'video/quicktime',
  'M4A ': 'audio/mp4',
  'crx ': 'image/x-canon-cr3',
};
const isoMedia = (head: Uint8Array): string => brands[latin(head, 8, 4)] ?? (latin(head, 8, 3) === '3gp' ? 'video/3gpp' : 'video/mp4');

/** The compound file of OLE holds many kinds; its streams tell, not its head. */
export const signatures: readonly ContentSignature[] = [
  entry(0, '\xff\xd8\xff', 'image/jpeg'),
  entry(0, '\x89PNG\r\n\x1a\n', 'image/png'),
  entry(0, 'GIF87a', 'image/gif'),
  entry(0, 'GIF89a', 'image/gif'),
  entry(0, '%PDF-', 'application/pdf'),
  entry(0, 'PK\x03\x04', 'application/zip'),
  entry(0, 'PK\x05\x06', 'application/zip'),
  entry(0, 'PK\x07\x08PK\x03\x04', 'application/zip'), // once split, APPNOTE 8.5.3
  entry(0, 'PK00PK\x03\x04', 'application/zip'), // the same, as one piece only, APPNOTE 8.5.4
  entry(0, 'RIFF', 'application/x-riff', riff),
  entry(4, 'ftyp', 'video/mp4', isoMedia),
  entry(0, '\x7fELF', 'application/x-elf'),
  entry(0, 'MZ', 'application/x-msdownload', (head) => (isPortableExecutable(head) ? 'application/x-msdownload' : 'application/x-dosexec')),
  entry(0, '\x1f\x8b\x08', 'application/gzip'),
  entry(0, 'BZh', 'application/x-bzip2'),
  entry(0, '\xfd7zXZ\0', 'application/x-xz'),
  entry(0, '\x28\xb5\x2f\xfd', 'application/zstd'),
  entry(0, "7z\xbc\xaf'\x1c", 'application/x-7z-compressed'),
  entry(0, 'Rar!\x1a\x07', 'application/x-rar-compressed'),
  entry(257, 'ustar', 'application/x-tar'),
  entry(0, 'SQLite format 3\0', 'application/x-sqlite3'),
  entry(0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'application/x-cfb'),
  entry(0, 'ID3', 'audio/mpeg'),
  entry(0, 'OggS', 'audio/ogg'),
  entry(0, 'fLaC', 'audio/x-flac'),
  entry(0, 'II*\0', 'image/tiff', (head) => (latin(head, 8, 3) === 'CR\x02' ? 'image/x-canon-cr2' : 'image/tiff')),
  entry(0, 'MM\0*', 'image/tiff'),
  entry(0, 'regf', 'application/x-ms-registry'),
  entry(0, 'ElfFile\0', 'application/x-ms-evtx'),
  entry(0, 'L\0\0\0\x01\x14\x02\0', 'application/x-ms-shortcut'),
  entry(0, '!BDN', 'application/vnd.ms-outlook-pst'),
  entry(0, 'bplist00', 'application/x-bplist'),
  entry(0, '{\\rtf', 'application/rtf'),
  entry(0, 'EVF\x09\r\n\xff\0', 'application/x-ewf'),
  entry(0, '\xca\xfe\xba\xbe', 'application/java-vm', (head) =>
    head[4] === 0 && head[5] === 0 && head[6] === 0 && head[7]! < 30 ? 'application/x-mach-binary' : 'application/java-vm',
  ),
  entry(0, '!<arch>\n', 'application/x-archive'),
  entry(0, '070701', 'application/x-cpio'),
  entry(0, '070702', 'application/x-cpio'),
  entry(0, '070707', 'application/x-cpio'),
  entry(0, 'xar!', 'application/x-xar'),
  entry(0, 'MSWIM\0\0\0', 'application/x-ms-wim'),
  entry(0, '\x89LZO\0\r\n\x1a\n', 'application/x-lzop'),
  entry(0, 'WARC/', 'application/warc'),
  entry(4, '\xef\xcd\xab\x89', 'application/x-ms-ese'),
  entry(4, 'SCCA', 'application/x-ms-prefetch'),
  entry(0, 'MAM\x04', 'application/x-ms-prefetch'), // compressed, Windows 10
  entry(0, 'Client UrlCache MMF', 'application/x-msie-cache'),
  entry(0, '\x37\x7f\x06\x82', 'application/x-sqlite3-wal'),
  entry(0, '\x37\x7f\x06\x83', 'application/x-sqlite3-wal'),
  entry(0, '\x78\x9f\x3e\x22', 'application/vnd.ms-tnef'),
  entry(0, 'P5\n', 'image/x-portable-graymap'),
  entry(0, 'P6\n', 'image/x-portable-pixmap'),
];

function isPortableExecutable(head: Uint8Array): boolean {
  if (head.length < 0x40) return false;
  const at = head[0x3c]! | (head[0x3d]! << 8) | (head[0x3e]! << 16);
  return at + 4 <= head.length ? latin(head, at, 4) === 'PE\0\0' : true;
}
