/** Writes ZIP files byte by byte after APPNOTE 6.3.10, so that each field can be made wrong. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface Part {
  readonly name: string | Uint8Array;
  readonly data?: Uint8Array | string;
  /** 0 stored, 8 deflated; the bytes are packed accordingly unless `packed` gives them. */
  readonly method?: number;
  readonly packed?: Uint8Array;
  readonly flags?: number;
  readonly extra?: Uint8Array;
  readonly crc?: number;
  readonly size?: number;
  readonly packedSize?: number;
  readonly hostSystem?: number;
  readonly mode?: number;
  readonly dosDate?: number;
  readonly dosTime?: number;
  /** Where the directory says that the local header is; the true place where absent. */
  readonly localOffset?: number;
  /** The local header's name, where it differs. */
  readonly localName?: string;
  /** False: the local header and the data are written, the directory does not tell of them. */
  readonly listed?: boolean;
}

export interface Whole {
  readonly prefix?: Uint8Array;
  readonly comment?: Uint8Array | string;
  readonly entryCount?: number;
  readonly trailing?: Uint8Array;
}

const bytesOf = (value: string | Uint8Array): Buffer => (typeof value === 'string' ? Buffer.from(value) : Buffer.from(value));
const u16 = (value: number): Buffer => Buffer.from([value & 0xff, (value >> 8) & 0xff]);
const u32 = (value: number): Buffer => Buffer.from([value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff]);

interface Written {
  readonly local: Buffer;
  readonly central: (offset: number) => Buffer;
}

function write(part: Part): Written {
  const name = bytesOf(part.name);
  const data = bytesOf(part.data ?? '');
  const method = part.method ?? 0;
  const packed = Buffer.from(part.packed ?? (method === 8 ? deflateRawSync(data) : data));
  const extra = Buffer.from(part.extra ?? []);
  const flags = part.flags ?? 0x800;
  const crc = part.crc ?? crc32(data);
  const [packedSize, size] = [part.packedSize ?? packed.length, part.size ?? data.length];
  const described = (flags & 8) !== 0;
  const times = [u16(part.dosTime ?? 0x6000), u16(part.dosDate ?? 0x5a21)]; // 12:00:00, 2025-01-01
  const sums = [u32(crc), u32(packedSize), u32(size)];
  const localName = bytesOf(part.localName ?? part.name);
  const common = [u16(20), u16(flags), u16(method), ...times];
  const local = Buffer.concat([
    ...[
      u32(0x04034b50),
      ...common,
      ...(described ? [u32(0), u32(0), u32(0)] : sums),
      u16(localName.length),
      u16(extra.length),
      localName,
      extra,
    ],
    packed,
    ...(described ? [u32(0x08074b50), ...sums] : []),
  ]);
  const [host, attributes] = [part.hostSystem ?? (part.mode === undefined ? 0 : 3), ((part.mode ?? 0) << 16) >>> 0];
  const central = (offset: number) =>
    Buffer.concat([
      ...[u32(0x02014b50), Buffer.from([20, host]), ...common, ...sums, u16(name.length), u16(extra.length), u16(0), u16(0), u16(0)],
      ...[u32(attributes), u32(part.localOffset ?? offset), name, extra],
    ]);
  return { local, central };
}

export function buildZip(parts: readonly Part[], { prefix, comment = '', entryCount, trailing }: Whole = {}): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const { local, central } = write(part);
    locals.push(local);
    if (part.listed !== false) centrals.push(central(offset));
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const text = bytesOf(comment);
  const count = u16(entryCount ?? centrals.length);
  const end = Buffer.concat([u32(0x06054b50), u16(0), u16(0), count, count, u32(directory.length), u32(offset), u16(text.length), text]);
  return Buffer.concat([bytesOf(prefix ?? ''), ...locals, directory, end, bytesOf(trailing ?? '')]);
}
