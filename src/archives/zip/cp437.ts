/** Code page 437, the encoding of names in ZIP files that do not say otherwise (APPNOTE appendix D). */

const upper =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

export const cp437 = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte >= 0x80 ? upper[byte - 0x80]! : byte === 0 ? '\u2400' : String.fromCharCode(byte))).join('');
