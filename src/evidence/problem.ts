/** A finding about damage, doubt or a limit: recorded with its place while work goes on. */

export interface Problem {
  /** `format.what`, listed in docs/ERRORS.md. */
  readonly code: string;
  /** What, where, found, expected: in our words; names from evidence only as `safeText`. */
  readonly message: string;
  /** Byte offset in the source that the reader was given, where one applies. */
  readonly at?: number;
  /** The `address` of the entry concerned, where one applies: the caller turns it into a locator. */
  readonly address?: string;
  /** True when something that may be evidence could not be read or was not examined. */
  readonly hidesEvidence?: boolean;
}

export interface ProblemLog {
  add(problem: Problem): void;
}
