/** How much two pages have in common. */

import { isExplored } from "../home/changes.js";

/** @typedef {import("../home/changes.js").Page} Page */

/**
 * @param {Page} page
 * @returns {import("../home/changes.js").Tile[]} its tiles in reading order, without those drawn by chance
 */
export const tilesOf = (page) => page.rows.flatMap((row) => row.tiles).filter((tile) => !isExplored(tile));

/**
 * @param {Page} left
 * @param {Page} right
 * @param {number} most  how many of the first titles of each count
 * @returns {{both: Set<string>, onlyLeft: string[], onlyRight: string[], share: number}} names of what one side alone has
 */
export function overlap(left, right, most) {
  const [a, b] = [left, right].map((page) => tilesOf(page).slice(0, most));
  const [inA, inB] = [a, b].map((tiles) => new Set(tiles.map((tile) => tile.title_id)));
  const both = new Set([...inA].filter((titleId) => inB.has(titleId)));
  return {
    both,
    onlyLeft: a.filter((tile) => !inB.has(tile.title_id)).map((tile) => tile.name),
    onlyRight: b.filter((tile) => !inA.has(tile.title_id)).map((tile) => tile.name),
    share: both.size / Math.max(1, Math.min(most, Math.max(a.length, b.length))),
  };
}
