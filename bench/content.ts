/** Makes the mixed files that the benchmark's file systems hold: the same bytes on every machine. */
import { createCipheriv } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Numbers from 0 to 1 that look random and are the same in every run: Marsaglia's xorshift32 (Journal of Statistical Software 8, 2003). */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Bytes that no compressor shortens: AES-128-CTR over zeros, continued from call to call. */
export function noise(): (length: number) => Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length));
}

interface Kind {
  /** Of a hundred files. */
  readonly share: number;
  readonly extensions: readonly string[];
  readonly head: Buffer;
  readonly body: 'text' | 'noise';
}

const smallest = 512;
const filesPerFolder = 100;

/** Sizes spread evenly over the powers of two from 512 bytes to `largest`: most files are small, most bytes are in large ones. */
export function writeMixedFiles(folder: string, files: number, largest: number): void {
  const next = numbers(2026);
  const random = noise();
  const text = prose(next, 2 * largest);
  const choose = chooser(next);
  for (let index = 0; index < files; index++) {
    const directory = join(folder, `folder ${String(Math.floor(index / filesPerFolder)).padStart(3, '0')}`);
    if (index % filesPerFolder === 0) mkdirSync(directory, { recursive: true });
    const { extensions, head, body } = choose();
    const size = Math.round(smallest * (largest / smallest) ** next());
    const rest = Math.max(0, size - head.length);
    const from = Math.floor(next() * largest);
    const content = Buffer.concat([head, body === 'noise' ? random(rest) : text.subarray(from, from + rest)]);
    const extension = extensions[Math.floor(next() * extensions.length)];
    writeFileSync(join(directory, `evidence file ${String(index).padStart(5, '0')}.${extension}`), content);
  }
}

const kinds: readonly Kind[] = [
  { share: 45, extensions: ['txt', 'csv', 'log'], head: Buffer.alloc(0), body: 'text' },
  { share: 20, extensions: ['jpg'], head: photograph(), body: 'noise' },
  { share: 12, extensions: ['pdf'], head: Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'), body: 'noise' },
  {
    share: 6,
    extensions: ['png'],
    head: Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0\x5c\x72\xa8\x66', 'latin1'),
    body: 'noise',
  },
  { share: 5, extensions: ['mp3'], head: Buffer.from('ID3\x04\0\0\0\0\x0f\x76', 'latin1'), body: 'noise' },
  { share: 12, extensions: ['bin', 'dat'], head: Buffer.alloc(0), body: 'noise' },
];

function chooser(next: () => number): () => Kind {
  const wheel = kinds.flatMap((kind) => Array.from({ length: kind.share }, () => kind));
  return () => wheel[Math.floor(next() * wheel.length)]!;
}

/** Text that deflate shortens to about a third, as it does with most text. */
function prose(next: () => number, length: number): Buffer {
  const letters = 'etaoinshrdlucmfwypvbgkjqxz';
  const words = Array.from({ length: 4000 }, () =>
    Array.from({ length: 2 + Math.floor(next() * 9) }, () => letters[Math.floor(next() ** 2 * letters.length)]).join(''),
  );
  const parts: string[] = [];
  for (let written = 0; written < length; ) {
    const word = words[Math.floor(next() ** 3 * words.length)]!;
    const separator = next() < 0.08 ? '.\n' : ' ';
    parts.push(word, separator);
    written += word.length + separator.length;
  }
  return Buffer.from(parts.join(''));
}

/** The head of a JPEG with an EXIF block: maker, model, date (Exif 2.32, section 4.6). */
function photograph(): Buffer {
  const values = [
    [0x10f, 'Custodia Bench\0'],
    [0x110, 'Camera One\0'],
    [0x132, '2026:01:02 03:04:05\0'],
  ] as const;
  const directory = Buffer.alloc(2 + values.length * 12 + 4);
  directory.writeUInt16LE(values.length, 0);
  let at = 8 + directory.length;
  for (const [index, [tag, value]] of values.entries()) {
    const entry = 2 + index * 12;
    directory.writeUInt16LE(tag, entry);
    directory.writeUInt16LE(2, entry + 2); // type 2: ASCII
    directory.writeUInt32LE(value.length, entry + 4);
    directory.writeUInt32LE(at, entry + 8);
    at += value.length;
  }
  const tiff = Buffer.concat([
    Buffer.from('II\x2a\0\x08\0\0\0', 'latin1'),
    directory,
    Buffer.from(values.map(([, value]) => value).join('')),
  ]);
  const exif = Buffer.concat([Buffer.from('Exif\0\0'), tiff]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(exif.length + 2);
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe1]), length, exif]);
}
