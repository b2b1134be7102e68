/** A problem log that keeps what it is given. */
import { type Problem, type ProblemLog } from '../../src/evidence/problem.ts';

export interface KeptProblems extends ProblemLog {
  readonly all: Problem[];
  readonly codes: () => string[];
}

export function keepProblems(): KeptProblems {
  const all: Problem[] = [];
  return { all, add: (problem) => void all.push(problem), codes: () => [...new Set(all.map(({ code }) => code))].sort() };
}
