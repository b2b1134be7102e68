/** Measures contenders in turn, round by round, so that whatever else the machine does meets all of them. */
import { type Run } from './processes.ts';

export interface Contender {
  readonly name: string;
  run(round: number): Promise<Run>;
}

export interface Result {
  readonly name: string;
  readonly seconds: Spread;
  /** Bytes, the highest of all rounds. */
  readonly peakRss: number;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Comparison {
  readonly title: string;
  readonly target: number | null;
  readonly peer: Result;
  readonly ours: Result;
  /** Peer's time by ours, of each round: how many times faster we are. */
  readonly ratio: Spread;
}

/** Every contender once unmeasured (pages and programs come into the cache), then all in turn, `rounds` times. */
export async function inTurn(contenders: readonly Contender[], rounds: number): Promise<readonly (readonly Run[])[]> {
  for (const contender of contenders) await contender.run(-1);
  const runs = contenders.map((): Run[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) runs[index]!.push(await contender.run(round));
  }
  return runs;
}

/** The first contender is the peer; each of the others is compared with it. */
export async function compare(
  title: string,
  target: number | null,
  contenders: readonly Contender[],
  rounds: number,
): Promise<Comparison[]> {
  const runs = await inTurn(contenders, rounds);
  const results = contenders.map(({ name }, index) => resultOf(name, runs[index]!));
  return results.slice(1).map((ours, index) => ({
    title,
    target: index === 0 ? target : null,
    peer: results[0]!,
    ours,
    ratio: spreadOf(runs[0]!.map(({ seconds }, round) => seconds / runs[index + 1]![round]!.seconds)),
  }));
}

const resultOf = (name: string, runs: readonly Run[]): Result => ({
  name,
  seconds: spreadOf(runs.map(({ seconds }) => seconds)),
  peakRss: Math.max(...runs.map(({ peak }) => peak.rss)),
});

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}
