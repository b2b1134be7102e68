/** One thing that was verified, and what came of it, in plain words. */

/**
 * `ok`: it was checked and holds. `fail`: a contradiction. `incomplete`: something needed is not there, or is signed by nobody who is trusted.
 * `unchecked`: it was not checked, and the text says why.
 */
export interface Check {
  readonly what: string;
  readonly verdict: 'ok' | 'fail' | 'incomplete' | 'unchecked';
  readonly text: string;
}

export const ok = (what: string, text: string): Check => ({ what, verdict: 'ok', text });
export const fail = (what: string, text: string): Check => ({ what, verdict: 'fail', text });
export const incomplete = (what: string, text: string): Check => ({ what, verdict: 'incomplete', text });
export const unchecked = (what: string, text: string): Check => ({ what, verdict: 'unchecked', text });

/** Whatever a hostile folder makes a check stumble over is a contradiction, told in words: no check may end the others. */
export function attempt(what: string, check: () => readonly Check[]): readonly Check[] {
  try {
    return check();
  } catch (error) {
    return [troubleOf(what, 'could not be checked', error)];
  }
}

/** What the operating system refuses says nothing about the report: then the check is only missing. */
export function troubleOf(what: string, text: string, error: unknown): Check {
  const message = error instanceof Error ? error.message : String(error);
  const isRefusal = error instanceof Error && 'syscall' in error;
  return isRefusal ? incomplete(what, `${text}: ${message}`) : fail(what, `${text}: ${message}`);
}

/** `ok` where nothing contradicts, else one `fail` with the first contradictions. */
export function contradictions(what: string, found: readonly string[], agreed: string): Check {
  if (found.length === 0) return ok(what, agreed);
  const more = found.length > 5 ? `; and ${found.length - 5} more` : '';
  return fail(what, `${found.slice(0, 5).join('; ')}${more}`);
}
