/** The limits of one task, inherited by everything nested inside. */
import { LimitError } from './errors.ts';

export interface Limits {
  /** Archives inside archives. */
  readonly depth: number;
  /** Entries that one file may unfold into, all levels together. */
  readonly entries: number;
  /** Bytes that one file may unpack to, all levels together. */
  readonly unpackedBytes: number;
  /** Unpacked bytes for each packed byte, once more than `ratioFloor` bytes were produced. */
  readonly ratio: number;
  readonly ratioFloor: number;
  /** Problems of one code that are listed singly in one task; the rest is counted in one `problems.more`. */
  readonly problemsPerCode: number;
}

export { defaultLimits } from '../config.ts';

/** What is left of the limits for one top-level file; nested archives share the object of their parent (`nested`). */
export class Budget {
  readonly limits: Limits;
  readonly depth: number;
  readonly #shared: { entries: number; bytes: number };

  constructor(limits: Limits, depth = 0, shared = { entries: 0, bytes: 0 }) {
    this.limits = limits;
    this.depth = depth;
    this.#shared = shared;
  }

  /** For an archive inside this one. Throws LimitError when it lies too deep. */
  nested(): Budget {
    if (this.depth + 1 > this.limits.depth) {
      throw new LimitError('limit.depth', `archive at depth ${this.depth + 1}, the limit is ${this.limits.depth}`);
    }
    return new Budget(this.limits, this.depth + 1, this.#shared);
  }

  spendEntry(): void {
    if (++this.#shared.entries > this.limits.entries) {
      throw new LimitError('limit.entries', `more than ${this.limits.entries} entries out of one file`);
    }
  }

  /** `produced` and `packed` are what this member has given and taken so far, for the ratio. */
  spendBytes(count: number, produced: number, packed: number): void {
    this.#shared.bytes += count;
    if (this.#shared.bytes > this.limits.unpackedBytes) {
      throw new LimitError('limit.unpacked-bytes', `more than ${this.limits.unpackedBytes} bytes unpacked out of one file`);
    }
    if (produced > this.limits.ratioFloor && produced > packed * this.limits.ratio) {
      throw new LimitError('limit.ratio', `${produced} bytes out of ${packed}: more than ${this.limits.ratio} to 1`);
    }
  }

  get unpackedBytesLeft(): number {
    return Math.max(0, this.limits.unpackedBytes - this.#shared.bytes);
  }
}
