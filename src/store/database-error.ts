/** What stops the work with the database: a code that stands in docs/ERRORS.md, and a message for people. */

export class DatabaseError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DatabaseError';
    this.code = code;
  }
}
