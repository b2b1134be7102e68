/** Numbers from 0 to below 1 that are the same on every run. */
import { randomNumbers } from './mutants.ts';

export function random(seed: number): () => number {
  const draw = randomNumbers(seed * 2_654_435_761); // seeds apart from each other: near ones begin alike
  return () => draw(2 ** 30) / 2 ** 30;
}
