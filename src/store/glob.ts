/** Patterns of names as a shell has them: `*`, `?`, `[a-z]`, `[!a-z]`, `\` before what stands for itself. Never a regular expression. */

export interface Glob {
  /** For LIKE with `\` as its escape; a class is any character in it. */
  readonly like: string;
  /** For custodia_glob (migrations/0006-search.ts); null when LIKE says it all. */
  readonly tokens: readonly string[] | null;
}

/** Of a class, with its ranges written out. */
const mostCharacters = 1000;

/** Null for a class that is too large, or a range that runs backwards. */
export function readGlob(pattern: string): Glob | null {
  const characters = [...pattern];
  const tokens: string[] = [];
  for (let at = 0; at < characters.length; ) {
    const character = characters[at]!;
    const closing = character === '[' ? closingOf(characters, at) : -1;
    if (closing > 0) {
      const token = readClass(characters.slice(at + 1, closing));
      if (token === null) return null;
      tokens.push(token);
      at = closing + 1;
    } else if (character === '\\' && at + 1 < characters.length) {
      tokens.push(`c${characters[at + 1]}`);
      at += 2;
    } else {
      const isWild = character === '*' || character === '?';
      if (character !== '*' || tokens.at(-1) !== '*') tokens.push(isWild ? character : `c${character}`);
      at += 1;
    }
  }
  const hasClass = tokens.some((token) => token.startsWith('[') || token.startsWith('!'));
  return { like: tokens.map(likeOf).join(''), tokens: hasClass ? tokens : null };
}

/** A `]` right at the beginning of a class stands for itself. Without an end the bracket does. */
function closingOf(characters: readonly string[], opening: number): number {
  const first = opening + 1 + (isNegation(characters[opening + 1]) ? 1 : 0);
  return characters.indexOf(']', first + 1);
}

const isNegation = (character: string | undefined): boolean => character === '!' || character === '^';

function readClass(inside: readonly string[]): string | null {
  const negated = isNegation(inside[0]);
  const members = negated ? inside.slice(1) : inside;
  const all: string[] = [];
  for (let at = 0; at < members.length; ) {
    const from = members[at]!;
    const to = members[at + 1] === '-' ? members[at + 2] : undefined;
    const first = from.codePointAt(0)!;
    const last = (to ?? from).codePointAt(0)!;
    if (last < first || last - first + all.length >= mostCharacters) return null;
    for (let point = first; point <= last; point++) if (point < 0xd800 || point > 0xdfff) all.push(String.fromCodePoint(point));
    at += to === undefined ? 1 : 3;
  }
  return `${negated ? '!' : '['}${all.join('')}`;
}

function likeOf(token: string): string {
  if (token === '*') return '%';
  if (!token.startsWith('c')) return '_';
  const character = token.slice(1);
  return character === '%' || character === '_' || character === '\\' ? `\\${character}` : character;
}

/** Letters that are one character in either case. */
export const isPlain = (token: string): boolean => /^[^\x80-\u{10ffff}]*$/u.test(token);

export interface PlacedClass {
  /** Characters from the beginning of the name; negative: from its end. */
  readonly at: number;
  readonly members: string;
  readonly isNegated: boolean;
}

/** Where the classes stand, for a pattern with one star at most; null for others. What else it says, LIKE has compared. */
export function placedClasses(tokens: readonly string[]): PlacedClass[] | null {
  const star = tokens.indexOf('*');
  if (star !== tokens.lastIndexOf('*')) return null;
  return tokens.flatMap((token, index) => {
    const [kind] = token;
    if (kind !== '[' && kind !== '!') return [];
    const at = star < 0 || index < star ? index : index - tokens.length;
    return [{ at, members: token.slice(1), isNegated: kind === '!' }];
  });
}
