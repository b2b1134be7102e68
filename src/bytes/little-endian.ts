/** Little-endian fields of a structure. Reading past the view's end throws RangeError: check sizes first. */

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const u8 = (view: DataView, at: number): number => view.getUint8(at);
export const u16 = (view: DataView, at: number): number => view.getUint16(at, true);
export const u32 = (view: DataView, at: number): number => view.getUint32(at, true);
export const i32 = (view: DataView, at: number): number => view.getInt32(at, true);
/** As a bigint: for identifiers and times, where every bit counts. */
export const u64 = (view: DataView, at: number): bigint => view.getBigUint64(at, true);

/** As a number: exact below 2^53, and never below 2^53 when the field is not (callers compare it with a size and refuse it). */
export const u64size = (view: DataView, at: number): number => view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
