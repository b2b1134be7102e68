/** Why a task gave no result. */

/** `final` errors come out of the evidence itself: a further try would end alike. */
export class TaskError extends Error {
  readonly code: string;
  readonly final: boolean;

  constructor(code: string, message: string, final: boolean) {
    super(message);
    this.name = 'TaskError';
    this.code = code;
    this.final = final;
  }
}
