/** Exit statuses of all commands; docs/ERRORS.md explains them. */

export const exitCodes = {
  complete: 0,
  /** Something went wrong that is not the evidence's doing. `verify`: a contradiction was found. */
  failed: 1,
  /** `verify`: incomplete or untrusted. */
  untrusted: 2,
  /** Wrong options, or input that cannot be taken in: not found, unreadable, empty, a folder. */
  refused: 3,
  /** The examination is complete, and problems hide evidence. */
  hidden: 4,
  /** The evidence changed while it was examined. */
  changed: 5,
  /** Stopped by Ctrl-C; the same command goes on with it. */
  stopped: 130,
} as const;

/** A message for the person at the terminal, with the exit status; no stack is shown. */
export class CommandError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'CommandError';
    this.status = status;
    this.code = code;
  }
}
