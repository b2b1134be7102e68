/** A number as people give it to an option. */
import { InvalidArgumentError } from 'commander';

/** Of threads and the like. Throws InvalidArgumentError, which Commander turns into a message. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 256) throw new InvalidArgumentError('expected a whole number from 1 to 256');
  return value;
}

export function portNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65535) throw new InvalidArgumentError('expected a number from 0 to 65535 (0: any free port)');
  return value;
}
