/** Findings as lines for people. */
import { type Comparison, type Result, type Spread } from './compare.ts';
import { type Findings } from './scenarios.ts';

const seconds = ({ min, median, max }: Spread): string => `${median.toFixed(2)} s (${min.toFixed(2)} to ${max.toFixed(2)})`;
const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** `judged`: images are large enough to hold the figures against the targets. */
export const linesOf = ({ comparisons = [], times = [], memory }: Findings, judged: boolean): string[] => [
  ...comparisons.flatMap((comparison) => comparisonLines(comparison, judged)),
  ...times.flatMap(({ title, seconds: spread }) => [title, `  ${seconds(spread)}`]),
  ...(memory === undefined ? [] : memoryLines(memory)),
];

function comparisonLines({ title, target, peer, ours, ratio }: Comparison, judged: boolean): string[] {
  const aim = target === null || !judged ? '' : `, target ${target.toFixed(1)} x: ${ratio.median >= target ? 'reached' : 'MISSED'}`;
  const times = `${ratio.median.toFixed(2)} x as fast (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`;
  return [title, ...[peer, ours].map(resultLine), `  ${times}${aim}`];
}

const resultLine = ({ name, seconds: spread, peakRss }: Result): string =>
  `  ${name.padEnd(40)} ${seconds(spread).padEnd(28)} peak RSS ${megabytes(peakRss)}`;

function memoryLines({ title, entries, run, limit }: NonNullable<Findings['memory']>): string[] {
  const { pss, rss, processes } = run.peak;
  const verdict = `limit ${megabytes(limit)}: ${(pss ?? rss) < limit ? 'kept' : 'EXCEEDED'}`;
  return [
    title,
    `  ${entries} entries in ${run.seconds.toFixed(1)} s; all processes together (at most ${processes}):`,
    `  peak PSS ${megabytes(pss ?? 0)}, ${verdict}; sum of RSS ${megabytes(rss)} (counts shared pages once for each process)`,
  ];
}
