/**
 * @file Text that people are shown, with nothing in it that they cannot see. Pure.
 *
 * Marks of direction let a line show other than it reads; marks without a width hide in names that look the same. What
 * `pv` shows in a terminal is treated alike.
 */

/* Control characters but tab and newline, and a return that belongs to one; marks of direction, of no width, of lines. */
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\r(?!\n)/g;

/**
 * Returns a text with a picture or a replacement mark in the place of each character that is not seen. Each stands for
 * one: places in the text stay true.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}
