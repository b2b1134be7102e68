/** Types by content, against libmagic and ExifTool on real files; names that promise another type. */
import { describe, expect, it } from 'vitest';
import { extensionMismatch, identify } from '../../src/examine/identify.ts';
import { buildZip } from '../archives/build-zip.ts';
import { corpusBytes, corpusExpected, hasCorpus } from '../support/corpus.ts';
import { mutants } from '../support/mutants.ts';

const typeOf = async (bytes: Uint8Array | string): Promise<string | null> => {
  const buffer = Buffer.from(bytes as string, 'latin1');
  return (await identify(buffer.subarray(0, 4100), buffer.length))?.mediaType ?? null;
};

describe('by the bytes that the format begins with', () => {
  const office = 'application/vnd.openxmlformats-officedocument';
  it.each([
    // signatures as in the documents of the formats, and as `file` 5.44 knows them
    ['JPEG', '\xff\xd8\xff\xe0\0\x10JFIF', 'image/jpeg'],
    ['PNG', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'image/png'],
    ['PDF', '%PDF-1.7\n%\xe2\xe3', 'application/pdf'],
    ['WebP', 'RIFF\x10\0\0\0WEBPVP8 ', 'image/webp'],
    ['WAVE', 'RIFF\x10\0\0\0WAVEfmt ', 'audio/wav'],
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'image/heic'],
    ['QuickTime', '\0\0\0\x14ftypqt  \0\0\0\0qt  ', 'video/quicktime'],
    ['SQLite', 'SQLite format 3\0\x10\0', 'application/x-sqlite3'],
    ['registry', 'regf\x01\0\0\0\x01\0\0\0', 'application/x-ms-registry'],
    ['prefetch', '\x1a\0\0\0SCCA\x11\0\0\0', 'application/x-ms-prefetch'],
    ['7z', "7z\xbc\xaf'\x1c\0\x04", 'application/x-7z-compressed'],
    ['ar', '!<arch>\ndebian-binary   ', 'application/x-archive'],
    ['Java class', '\xca\xfe\xba\xbe\0\0\0\x34', 'application/java-vm'],
    ['Mach-O of two architectures', '\xca\xfe\xba\xbe\0\0\0\x02', 'application/x-mach-binary'],
    ['MZ without PE', `MZ${'\0'.repeat(100)}`, 'application/x-dosexec'],
    ['tar', `name${'\0'.repeat(253)}ustar\0`, 'application/x-tar'],
    ['Canon raw', 'II*\0\x10\0\0\0CR\x02\0', 'image/x-canon-cr2'],
    ['TIFF', 'MM\0*\0\0\0\x08', 'image/tiff'],
    [
      'docx',
      buildZip([
        { name: '[Content_Types].xml', data: '<a/>' },
        { name: 'word/document.xml', data: '<b/>' },
      ]).toString('latin1'),
      `${office}.wordprocessingml.document`,
    ],
    ['jar', buildZip([{ name: 'META-INF/MANIFEST.MF', data: 'x' }]).toString('latin1'), 'application/java-archive'],
    ['ePub', buildZip([{ name: 'mimetype', data: 'application/epub+zip' }, { name: 'x' }]).toString('latin1'), 'application/epub+zip'],
    ['empty ZIP', buildZip([]).toString('latin1'), 'application/zip'],
  ])('%s', async (_, bytes, mediaType) => {
    expect(await typeOf(bytes)).toBe(mediaType);
  });

  it.each([
    ['JPEG XL by the library', `\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl `, 'image/jxl'],
    [
      'Matroska by the library',
      '\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x23\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x88matroska\x42\x87\x81\x04',
      'video/matroska',
    ],
    ['Parquet by the library', 'PAR1\x15\x04\x15\x10', 'application/vnd.apache.parquet'],
  ])('%s', async (_, bytes, mediaType) => {
    expect(await typeOf(bytes)).toBe(mediaType);
  });
});

describe('text', () => {
  it.each([
    ['plain', 'hello\nworld\n', 'text/plain'],
    ['UTF-8', Buffer.from('Räksmörgås\n'), 'text/plain'],
    ['UTF-8 cut within a character', Buffer.concat([Buffer.alloc(4099, 'a'), Buffer.from('é'), Buffer.alloc(100, 'b')]), 'text/plain'],
    ['UTF-16 little-endian', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('hello', 'utf16le')]), 'text/plain'],
    ['UTF-16 big-endian', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from('hello', 'utf16le').swap16()]), 'text/plain'],
    ['Windows-1252 with its quotes', Buffer.from('He said \x93so\x94 \x96 caf\xe9\r\n', 'latin1'), 'text/plain'],
    ['HTML', '<!DOCTYPE html>\n<html>', 'text/html'],
    ['XML', '<?xml version="1.0"?>\n<a/>', 'application/xml'],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg">', 'image/svg+xml'],
    ['JSON', '{"a": [1, 2]}', 'application/json'],
    ['script', '#!/bin/sh\necho\n', 'text/x-script'],
    ['message', 'Received: from a by b\nSubject: x\n\n', 'message/rfc822'],
    ['mailbox', 'From a@b.example Mon Jun 01 04:28:28 2009\nSubject: x\n', 'application/mbox'],
    ['a sentence that begins like a mailbox', 'From here on it is text.\n', 'text/plain'],
  ])('%s', async (_, bytes, mediaType) => {
    expect((await identify(Buffer.from(bytes as string).subarray(0, 4100), Buffer.from(bytes as string).length))?.mediaType).toBe(
      mediaType,
    );
  });

  it.each([
    ['nothing', ''],
    ['zeros', '\0'.repeat(5000)],
    ['one byte over and over', '\xff'.repeat(5000)],
    ['random bytes', '\x8a\x01\x9f\x03\xc7\x88\x11\x02\x99\x81\x1f\x05'],
  ])('%s is nothing known', async (_, bytes) => {
    expect(await typeOf(bytes)).toBeNull();
  });
});

describe('the name against the content', () => {
  const mismatch = async (extension: string, bytes: string) =>
    extensionMismatch(extension, (await identify(Buffer.from(bytes, 'latin1'), bytes.length))!);
  const [jpeg, zip, exe] = ['\xff\xd8\xff\xe0\0\x10JFIF', 'PK\x03\x04', `MZ${'\0'.repeat(80)}`];

  it.each([
    ['txt', jpeg],
    ['docx', jpeg],
    ['jpg', 'PK\x03\x04'],
    ['jpg', exe],
    ['pdf', exe],
    ['exe', 'hello\n'],
    ['png', jpeg],
    ['doc', zip],
  ])('.%s is told', async (extension, bytes) => {
    expect(await mismatch(extension, bytes)).toBe(true);
  });

  it.each([
    ['docx', zip],
    ['jar', zip],
    ['apk', zip],
    ['odt', zip],
    ['docx', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'], // encrypted: [MS-OFFCRYPTO] puts it in a compound file
    ['txt', '{"a":1}'],
    ['csv', 'a;b;c\n'],
    ['log', jpeg], // used for anything
    ['dat', jpeg],
    ['', jpeg],
    ['constructor', jpeg],
    ['html', '<?xml version="1.0"?><html/>'],
    ['doc', '{\\rtf1'],
  ])('.%s is not', async (extension, bytes) => {
    expect(await mismatch(extension, bytes)).toBe(false);
  });
});

it('gives an answer for anything, and never throws', async () => {
  const heads = [
    '\xff\xd8\xff\xe0',
    '\x1a\x45\xdf\xa3',
    'ftyp',
    '\0\0\0\x18ftyp',
    'OggS',
    '\x30\x26\xb2\x75\x8e\x66\xcf\x11',
    'PK\x03\x04',
    '<?xml',
    'II*\0\x08\0\0\0',
    'ID3\x03\0\xff\x7f\x7f\x7f\x7f',
    '\x00asm',
  ];
  for (const head of heads) {
    const whole = Buffer.concat([Buffer.from(head, 'latin1'), Buffer.alloc(300, head, 'latin1')]);
    for (const { mutant } of mutants(whole, 40)) await identify(mutant, mutant.length * 1000);
  }
});

describe.skipIf(!hasCorpus)('on the corpus', () => {
  interface Described {
    readonly file_mime?: string;
    readonly exiftool?: Record<string, unknown>;
  }
  const metadata = hasCorpus ? (corpusExpected('metadata').files as Record<string, Described>) : {};

  /** The same type under the names that libmagic and we use. */
  const same: Record<string, readonly string[]> = {
    'application/x-sqlite3': ['application/vnd.sqlite3'],
    'application/x-elf': ['application/x-executable'],
    'application/x-msdownload': ['application/vnd.microsoft.portable-executable'],
    'application/x-cfb': [
      'application/msword',
      'application/vnd.ms-excel',
      'application/vnd.ms-powerpoint',
      'application/vnd.ms-outlook',
      'application/x-ole-storage',
      'application/encrypted',
    ],
    'application/rtf': ['text/rtf'],
    'application/xml': ['text/xml'],
    'application/x-ms-ese': ['application/x-ms-ese'],
    'application/vnd.ms-outlook-pst': ['application/vnd.ms-outlook'],
    'application/mbox': ['text/plain'],
    'message/rfc822': ['text/plain', 'text/html'],
    'text/plain': ['message/rfc822', 'text/html', 'text/csv'], // mail and tables that do not begin as such
    'audio/wav': ['audio/x-wav'],
    'audio/x-flac': ['audio/flac'],
    'font/ttf': ['font/sfnt'],
  };

  it('agrees with libmagic wherever that has an opinion', async () => {
    const differing: string[] = [];
    for (const [name, { file_mime }] of Object.entries(metadata)) {
      const bytes = corpusBytes(`metadata/${name}`);
      const found = (await identify(bytes.subarray(0, 4100), bytes.length))?.mediaType ?? 'application/octet-stream';
      if (file_mime === 'application/octet-stream' || file_mime === undefined) continue; // none
      if (found !== file_mime && !same[found]?.includes(file_mime)) differing.push(`${name}: ${found}, libmagic ${file_mime}`);
    }
    expect(differing).toEqual([]);
    expect(Object.keys(metadata).length).toBeGreaterThan(100);
  });

  it('raises no false alarm on 200 files, and one where the name lies', async () => {
    const alarms: string[] = [];
    let settled = 0;
    for (const area of ['metadata', 'archives', 'hostile']) {
      for (const name of Object.keys(corpusExpected(area).files)) {
        if (/\.(zst|gz)$/.test(name) || /^(gen\/(mut-missing-segment)|ext\/mei)/.test(name)) continue; // unpacked by the test's own reader
        const bytes = corpusBytes(`${area}/${name}`);
        const extension = /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
        const found = await identify(bytes.subarray(0, 4100), bytes.length);
        if (found !== null) settled++;
        if (found !== null && extensionMismatch(extension, found)) alarms.push(name);
      }
    }
    expect(alarms).toEqual(['ext/cc-invalid-zip.zip']); // a text, named .zip
    expect(settled).toBeGreaterThan(200);
  });
});
