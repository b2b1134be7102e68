/** A log that takes so many problems of each code, the last of them for all the rest. */
import { type Problem, type ProblemLog } from '../../evidence/problem.ts';

export function logSome(problems: ProblemLog, most: number): ProblemLog {
  const counts = new Map<string, number>();
  return {
    add(problem: Problem) {
      const count = (counts.get(problem.code) ?? 0) + 1;
      counts.set(problem.code, count);
      if (count < most) problems.add(problem);
      else if (count === most)
        problems.add({ ...problem, message: `${problem.message}; further faults of this kind are not told of one by one` });
    },
  };
}
