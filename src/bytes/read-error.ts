/** Bytes that could not be read: the medium below refused them. */

/** Thrown by a ByteSource. `offset` and `length` are bytes of the source that was asked. */
export class ReadError extends Error {
  readonly code: string;
  readonly offset: number;
  readonly length: number;

  constructor(code: string, message: string, offset: number, length: number) {
    super(message);
    this.name = 'ReadError';
    this.code = code;
    this.offset = offset;
    this.length = length;
  }
}
