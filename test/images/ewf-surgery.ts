/** Changes to EWF files in memory, for tests of damage. Offsets from libewf "Expert Witness Compression Format (EWF)", sections 3 and 4. */
export interface Place {
  readonly type: string;
  readonly offset: number;
  readonly dataOffset: number;
  readonly end: number;
}

/** Sections in the order of the file, read without the product's code. */
export function sectionsOf(bytes: Uint8Array): Place[] {
  const buffer = Buffer.from(bytes);
  const places: Place[] = [];
  for (let offset = 13; offset + 76 <= buffer.length; ) {
    const type = buffer.toString('latin1', offset, offset + 16).replace(/\0.*$/s, '');
    const next = Number(buffer.readBigUInt64LE(offset + 16));
    const end = next > offset ? next : buffer.length;
    places.push({ type, offset, dataOffset: offset + 76, end });
    offset = end;
  }
  return places;
}

export const sectionOf = (bytes: Uint8Array, type: string): Place => {
  const place = sectionsOf(bytes).find((candidate) => candidate.type === type);
  if (place === undefined) throw new Error(`no section ${type}`);
  return place;
};

/** RFC 1950 section 9, one byte after the other. */
export function adler(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}

/** A copy in which `change` was applied. */
export function changed(bytes: Uint8Array, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

export const flipped = (bytes: Uint8Array, at: number, bit = 1): Buffer =>
  changed(bytes, (copy) => {
    copy[at]! ^= bit;
  });

/** Makes the checksum of the descriptor at `offset` fit again. */
export const sealDescriptor = (copy: Buffer, offset: number): number =>
  copy.writeUInt32LE(adler(copy.subarray(offset, offset + 72)), offset + 72);

/** Makes both checksums of a table fit again. */
export function sealTable(copy: Buffer, { dataOffset }: Place): void {
  copy.writeUInt32LE(adler(copy.subarray(dataOffset, dataOffset + 20)), dataOffset + 20);
  const entries = copy.readUInt32LE(dataOffset) * 4;
  const start = dataOffset + 24;
  if (start + entries + 4 <= copy.length) copy.writeUInt32LE(adler(copy.subarray(start, start + entries)), start + entries);
}

/** Makes the checksum at the end of a section's fixed data fit again: volume (1052 or 94 bytes), hash (36), digest (80). */
export const sealData = (copy: Buffer, dataOffset: number, size: number): number =>
  copy.writeUInt32LE(adler(copy.subarray(dataOffset, dataOffset + size - 4)), dataOffset + size - 4);

/** A further section in front of the first one called `before`, which stands behind the tables: only the chain has to be mended. */
export function withSection(bytes: Uint8Array, before: string, type: string, data: Uint8Array): Buffer {
  const place = sectionOf(bytes, before);
  const added = 76 + data.length;
  const section = Buffer.alloc(76);
  section.write(type, 'latin1');
  section.writeBigUInt64LE(BigInt(place.offset + added), 16);
  section.writeBigUInt64LE(BigInt(added), 24);
  sealDescriptor(section, 0);
  const tail = changed(bytes.subarray(place.offset), (copy) => {
    for (const { offset } of sectionsOf(bytes)) {
      if (offset < place.offset) continue;
      const at = offset - place.offset;
      copy.writeBigUInt64LE(copy.readBigUInt64LE(at + 16) + BigInt(added), at + 16);
      sealDescriptor(copy, at);
    }
  });
  return Buffer.concat([bytes.subarray(0, place.offset), section, data, tail]);
}
