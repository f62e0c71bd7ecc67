/**
 * @file Replacing invisible characters by visible ones in text that is shown. Pure.
 *
 * Bidirectional controls make a line look different from what it says, and zero-width characters make different names
 * look the same. `pv` treats what it prints in a terminal alike.
 */

/* Control characters except tab, newline and CRLF; bidirectional controls, zero-width characters, line separators. */
// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\r(?!\n)/g;

/**
 * Returns a text with a control picture or a replacement character for each invisible one. Each replaces one, so offsets
 * in the text stay valid.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(INVISIBLE, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}
