/** JSON of a folder that nobody vouches for. */

const deepest = 64;
const most = 5_000_000;

/**
 * Looked through before it is parsed: a hundred million brackets take gigabytes and end the process, and no check can tell of that.
 * Throws Error for what is nested deeper or made of more values than any report; SyntaxError for what is no JSON.
 */
export function parsePlainJson(text: string): unknown {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at);
        break;
      case openBracket:
      case openBrace:
        if (++depth > deepest) throw new Error(`is nested deeper than ${deepest} levels at character ${at}`);
        values++;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        break;
      case comma:
        values++;
        break;
    }
    if (values > most) throw new Error(`holds more than ${most} values`);
  }
  return JSON.parse(text);
}

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Index of the quote that ends the string; of the text's end where there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}
