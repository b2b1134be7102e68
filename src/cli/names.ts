/** Names that people give: they stand in every report and every event of the ledger, so they must be what they seem. */
import { CommandError, exitCodes } from './exit-codes.ts';
import { visible } from './terminal.ts';

const longest = 500;
/** Control characters, halves of surrogates, line separators, and characters that turn the reading direction. */
const deceptive = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

export interface GivenNames {
  readonly case: string;
  readonly exhibit: string;
  readonly examiner: string;
}

/** Throws CommandError. */
export function refuseDeceptiveNames(names: GivenNames): void {
  for (const what of ['case', 'exhibit', 'examiner'] as const) {
    const given = names[what];
    const refuse = (found: string, expected: string) => {
      throw new CommandError(exitCodes.refused, `name.${what}`, `${what}: found ${found}, expected ${expected}`);
    };
    if (given.trim() === '') refuse('nothing to read', 'a name');
    if (given.length > longest) refuse(`${given.length} characters`, `at most ${longest}`);
    const at = given.search(deceptive);
    if (at >= 0)
      refuse(`${visible(String.fromCodePoint(given.codePointAt(at)!))} as character ${at + 1}`, 'characters that can be seen, in one line');
  }
}
