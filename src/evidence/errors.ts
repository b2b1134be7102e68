/** What stops a step: thrown, with a code that stands in docs/ERRORS.md. Damage that does not stop it is a problem (problem.ts). */

export { ReadError } from '../bytes/read-error.ts';

/** The bytes are not what the format demands, and nothing useful can follow. The message says what, where, found, expected. */
export class FormatError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'FormatError';
    this.code = code;
  }
}

/** A limit of the task was reached: depth, entries, bytes produced, time. */
export class LimitError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'LimitError';
    this.code = code;
  }
}
