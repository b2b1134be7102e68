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

/** What is left of the limits for one top-level file; nested archives share the counts of their parent (`nested`). */
export class Budget {
  readonly limits: Limits;
  /** The archives that this one lies in and itself, by their content, outermost first. */
  readonly #around: readonly string[];
  readonly #shared: { entries: number; bytes: number };

  constructor(limits: Limits, around: readonly string[] = [], shared = { entries: 0, bytes: 0 }) {
    this.limits = limits;
    this.#around = around;
    this.#shared = shared;
  }

  /** For an archive inside this one; `content` is a digest of its bytes. Throws LimitError when it lies too deep, or lies in itself. */
  nested(content: string): Budget {
    const depth = this.#around.length + 1;
    if (this.#around.includes(content)) {
      throw new LimitError(
        'limit.cycle',
        `the archive at depth ${depth} is the same as the one at depth ${this.#around.indexOf(content) + 1} that it lies in`,
      );
    }
    if (depth > this.limits.depth) throw new LimitError('limit.depth', `archive at depth ${depth}, the limit is ${this.limits.depth}`);
    return new Budget(this.limits, [...this.#around, content], this.#shared);
  }

  /** Throws LimitError too when no byte is left: then nothing more can be unpacked. */
  spendEntry(): void {
    if (this.#shared.bytes > this.limits.unpackedBytes) throw this.#spent();
    if (++this.#shared.entries > this.limits.entries) {
      throw new LimitError('limit.entries', `more than ${this.limits.entries} entries out of one file`);
    }
  }

  /** `produced` and `packed` are what this member has given and taken so far, for the ratio. */
  spendBytes(count: number, produced: number, packed: number): void {
    this.#shared.bytes += count;
    if (this.#shared.bytes > this.limits.unpackedBytes) {
      throw this.#spent();
    }
    if (produced > this.limits.ratioFloor && produced > packed * this.limits.ratio) {
      throw new LimitError('limit.ratio', `${produced} bytes out of ${packed}: more than ${this.limits.ratio} to 1`);
    }
  }

  #spent(): LimitError {
    return new LimitError('limit.unpacked-bytes', `more than ${this.limits.unpackedBytes} bytes unpacked out of one file`);
  }
}
