/** The only way HTML is made: a template tag that escapes everything put into it, and shows what cannot be seen. */

/** Text that is HTML already: made by `html` alone. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Fragment = Html | string | number | null | readonly Fragment[];

export function html(strings: TemplateStringsArray, ...values: readonly Fragment[]): Html {
  let text = strings[0]!;
  let inTag = opensTag(strings[0]!, false);
  values.forEach((value, index) => {
    text += render(value, inTag ? escapeAttribute : escapeHtml) + strings[index + 1]!;
    inTag = opensTag(strings[index + 1]!, inTag);
  });
  return new Html(text);
}

/** Whether what follows this literal stands between `<` and `>`: there nothing but text may be put. */
function opensTag(literal: string, before: boolean): boolean {
  const [opened, closed] = [literal.lastIndexOf('<'), literal.lastIndexOf('>')];
  return opened === closed ? before : opened > closed;
}

function render(value: Fragment, safe: (text: string) => string): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return safe(value);
  return value.map((part) => render(part, safe)).join('');
}

/** Control and format characters, surrogates, private and unassigned ones, line and paragraph separators. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

const codeOf = (character: string): string => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/** For places that hold text only (a page's title, a picture): what cannot be seen as its code. */
export const plainText = (text: string): string => text.replace(unprintable, codeOf);

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeMarkup = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

const escapeAttribute = (text: string): string => escapeMarkup(plainText(text));

const escapeHtml = (text: string): string =>
  escapeMarkup(text).replace(unprintable, (character) => `<span class="code">${codeOf(character)}</span>`);
