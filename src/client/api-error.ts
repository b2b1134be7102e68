/** Why a request to the service gave nothing: the words of its problem document, or our own where it did not answer at all. */

export class ApiError extends Error {
  /** Of HTTP; 0 where there was no answer. */
  readonly status: number;
  /** Stands in docs/ERRORS.md. */
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }

  /** What was asked cannot be had, rather than that something failed. */
  get refused(): boolean {
    return this.status < 500 && !['client.unreachable', 'client.answer', 'client.cut-off'].includes(this.code);
  }
}

/** RFC 9457. What is no problem document comes from something else than the service: a proxy, another program. */
export function apiErrorOf(status: number, body: string, about: string): ApiError {
  const { code, detail } = problemIn(body);
  if (typeof code === 'string' && typeof detail === 'string') return new ApiError(status, code, detail);
  return new ApiError(status, 'client.answer', `${about}: answered with status ${status} and no problem document, expected the service`);
}

function problemIn(body: string): { readonly code?: unknown; readonly detail?: unknown } {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {}; // not JSON: then it is no problem document
  }
}
