/** Big-endian fields of a structure. Reading past the view's end throws RangeError: check sizes first. */

export const u16be = (view: DataView, at: number): number => view.getUint16(at, false);
export const u32be = (view: DataView, at: number): number => view.getUint32(at, false);
