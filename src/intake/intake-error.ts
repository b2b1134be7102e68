/** Why something was not taken in: `code` stands in docs/ERRORS.md. */
export class IntakeError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IntakeError';
    this.code = code;
  }
}
