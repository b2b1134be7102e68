/** Which types a file with a settled extension may have. Extensions that are used for many things are left out. */

const zipLike = ['application/zip', 'application/java-archive', 'application/vnd.android.package-archive', 'application/epub+zip'];
const ooxml = (kind: string) => [`application/vnd.openxmlformats-officedocument.${kind}`, 'application/zip', 'application/x-cfb']; // encrypted ones are compound files
const odf = (kind: string) => [`application/vnd.oasis.opendocument.${kind}`, 'application/zip'];
const legacy = ['application/x-cfb', 'application/rtf', 'text/html', 'application/xml']; // what Office itself saved under these names
const movie = ['video/*', 'audio/mp4', 'audio/x-m4a'];

const types: Readonly<Record<string, readonly string[]>> = {
  jpg: ['image/jpeg'],
  jpeg: ['image/jpeg'],
  png: ['image/png', 'image/apng'],
  gif: ['image/gif'],
  bmp: ['image/bmp'],
  tif: ['image/tiff', 'image/x-*'],
  tiff: ['image/tiff', 'image/x-*'],
  webp: ['image/webp'],
  heic: ['image/heic', 'image/heif', 'image/heif-sequence'],
  pdf: ['application/pdf'],
  zip: [...zipLike, 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  jar: zipLike,
  apk: zipLike,
  docx: ooxml('wordprocessingml.document'),
  xlsx: ooxml('spreadsheetml.sheet'),
  pptx: ooxml('presentationml.presentation'),
  odt: odf('text'),
  ods: odf('spreadsheet'),
  odp: odf('presentation'),
  doc: legacy,
  xls: [...legacy, 'text/plain'],
  ppt: ['application/x-cfb'],
  rtf: ['application/rtf'],
  exe: ['application/x-msdownload', 'application/x-dosexec'],
  dll: ['application/x-msdownload'],
  gz: ['application/gzip'],
  tgz: ['application/gzip'],
  bz2: ['application/x-bzip2'],
  xz: ['application/x-xz'],
  '7z': ['application/x-7z-compressed'],
  rar: ['application/x-rar-compressed'],
  tar: ['application/x-tar'],
  mp3: ['audio/mpeg'],
  ogg: ['audio/ogg', 'video/ogg', 'application/ogg', 'audio/opus'],
  flac: ['audio/x-flac', 'audio/flac'],
  wav: ['audio/wav', 'audio/x-wav', 'audio/vnd.wave'],
  mp4: movie,
  mov: movie,
  avi: ['video/x-msvideo', 'video/vnd.avi'],
  mkv: ['video/x-matroska', 'video/matroska', 'video/webm'],
  sqlite: ['application/x-sqlite3'],
  evtx: ['application/x-ms-evtx'],
  lnk: ['application/x-ms-shortcut'],
  txt: [
    'text/*',
    'application/json',
    'application/xml',
    'message/rfc822',
    'application/mbox',
    'application/x-pem-file',
    'application/rtf',
    'image/svg+xml',
  ],
  csv: ['text/*'],
  html: ['text/*', 'application/xml', 'message/rfc822'],
  htm: ['text/*', 'application/xml', 'message/rfc822'],
  json: ['application/json', 'text/plain'],
  xml: ['application/xml', 'text/*', 'image/svg+xml'],
  svg: ['image/svg+xml', 'application/xml', 'text/plain'],
};

export const acceptableTypes = (extension: string): readonly string[] | null =>
  Object.hasOwn(types, extension) ? types[extension]! : null;
