/** The errors that readers may throw; anything else is a fault of this program. */
import { FormatError, LimitError, ReadError } from '../evidence/errors.ts';

export const isExpected = (error: unknown): error is FormatError | LimitError | ReadError =>
  error instanceof FormatError || error instanceof LimitError || error instanceof ReadError;
