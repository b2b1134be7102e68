/** How parsers tell of faults without knowing of which entry they are. */
import { type Problem, type ProblemLog } from '../evidence/problem.ts';

export type Tell = (code: string, message: string, at?: number) => void;

const closing = 'further faults of this kind are not told of one by one';

/** A fault that fills a whole structure is told of some times, then once more for all the rest. Counts each code for itself. */
export function tellSome(tell: Tell, most = 16): Tell {
  const countOf = counter();
  return (code, message, at) => {
    const count = countOf(code);
    if (count <= most) tell(code, count === most ? `${message}; ${closing}` : message, at);
  };
}

/** The same for a log of problems. */
export function logSome(problems: ProblemLog, most: number): ProblemLog {
  const countOf = counter();
  return {
    add(problem: Problem) {
      const count = countOf(problem.code);
      if (count <= most) problems.add(count === most ? { ...problem, message: `${problem.message}; ${closing}` } : problem);
    },
  };
}

function counter(): (code: string) => number {
  const counts = new Map<string, number>();
  return (code) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    return count;
  };
}
