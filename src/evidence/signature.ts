/** Bytes by which a format is recognised. */

export interface Signature {
  /** Byte offset from the start of the source; negative counts from its end. */
  readonly at: number;
  readonly bytes: string | Uint8Array;
}
