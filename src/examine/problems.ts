/** The problem log of one task: gives every problem its locator and bounds how many of one code are listed. */
import { safeText } from '../bytes/text.ts';
import { type Locator } from '../evidence/locator.ts';
import { type Problem, type ProblemLog } from '../evidence/problem.ts';
import { type LocatedProblem } from '../evidence/task.ts';

/** Codes wait for their entry's record: of at most so many places. */
const rememberedLocators = 10_000;

/** What damaged fields claim may be no byte of anything: the message has it all the same, and a database would refuse it. */
const isPlace = (at: number | undefined): at is number => Number.isSafeInteger(at) && at! >= 0;

/** `locate` is asked at the moment a problem is added. */
export class LocatedProblems implements ProblemLog {
  /** Turns a problem's `address` into a locator; without an address it gives the place being worked on. */
  locate: (address?: string) => Locator;
  readonly #limit: number;
  readonly #emit: (problem: LocatedProblem) => void;
  readonly #counts = new Map<string, { count: number; hidden: number }>();
  readonly #codes = new Map<Locator, Set<string>>();
  total = 0;
  /** While true, what is added is dropped: for opening again what another task has already told about. */
  muted = false;

  constructor(limit: number, emit: (problem: LocatedProblem) => void, locate: (address?: string) => Locator) {
    this.#limit = limit;
    this.#emit = emit;
    this.locate = locate;
  }

  add(problem: Problem): void {
    if (this.muted) return;
    const known = this.#counts.get(problem.code) ?? { count: 0, hidden: 0 };
    this.#counts.set(problem.code, known);
    known.count++;
    const locator = this.locate(problem.address);
    this.#remember(locator, problem.code);
    if (known.count > this.#limit) {
      if (problem.hidesEvidence === true) known.hidden++;
      return;
    }
    this.total++;
    this.#emit({
      locator,
      code: problem.code,
      message: safeText(problem.message).slice(0, 2000).toWellFormed(),
      ...(isPlace(problem.at) ? { at: problem.at } : {}),
      hidesEvidence: problem.hidesEvidence === true,
    });
  }

  /** The codes told of this locator so far, sorted: they stand in the entry's record. */
  takeCodes(locator: Locator): string[] {
    const codes = [...(this.#codes.get(locator) ?? [])].sort();
    this.#codes.delete(locator);
    return codes;
  }

  /** Says how many problems were counted only. Call once, at the end of the task. */
  close(): void {
    for (const [code, { count, hidden }] of [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (count <= this.#limit) continue;
      this.total++;
      this.#emit({
        locator: this.locate(),
        code: 'problems.more',
        message: `${code}: ${count - this.#limit} more than the ${this.#limit} listed singly`,
        hidesEvidence: hidden > 0,
      });
    }
  }

  #remember(locator: Locator, code: string): void {
    const codes = this.#codes.get(locator);
    if (codes !== undefined) codes.add(code);
    else this.#codes.set(locator, new Set([code]));
    if (this.#codes.size > rememberedLocators) this.#codes.delete(this.#codes.keys().next().value as Locator);
  }
}
