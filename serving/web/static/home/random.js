/** Numbers that are the same for the same text, on every machine: a poster never changes. */

/**
 * A source of numbers in [0, 1) that begins with a text (FNV-1a to seed it, mulberry32 to go on).
 * @param {string} text
 * @returns {() => number}
 */
export function numbersOf(text) {
  let state = 0x811c9dc5;
  for (const character of text) {
    state ^= character.codePointAt(0) ?? 0;
    state = Math.imul(state, 0x01000193) >>> 0;
  }
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
