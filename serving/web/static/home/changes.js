/** What is different between two pages of a member, and how to say it. */

/**
 * @typedef {object} Tile
 * @property {string} title_id
 * @property {string} name
 * @property {number} position
 * @property {string[]} sources
 * @property {string} reason
 * @property {number} retrieval_score
 * @property {number|null} ranking_score
 * @property {number} propensity
 * @property {number|null} watch_fraction
 *
 * @typedef {{row_type: string, title: string, seed_title_id: string|null, tiles: Tile[]}} Row
 * @typedef {{rows: Row[], user_id: string, page_id: string, generated_at: string, bundle: string,
 *   experiments: Record<string, string>, degraded: string[], relaxed: string[], explanation?: any}} Page
 *
 * @typedef {object} Change
 * @property {"row_entered"|"row_left"|"row_moved"|"entered"|"crossed"|"left"|"moved"|"progressed"} kind
 * @property {string} row  the title of the row where it is, or was
 * @property {string} [titleId]
 * @property {string} [name]
 * @property {number} [from]  place before, from 1
 * @property {number} [to]  place now, from 1
 * @property {string} [fromRow]
 * @property {number} [fraction]
 */

/** @param {Row} row @returns {string} what makes it the same row on another page */
export const rowKey = (row) => `${row.row_type}:${row.seed_title_id ?? (row.row_type === "genre" ? row.title : "")}`;

/** @param {Tile} tile @returns {boolean} whether it was drawn by chance */
export const isExplored = (tile) => tile.propensity < 1;

/**
 * Return what moved, rows first. Tiles that are drawn by chance on every page do not count.
 * @param {Page} before
 * @param {Page} after
 * @returns {Change[]}
 */
export function changesBetween(before, after) {
  const was = placesOf(before);
  const is = placesOf(after);
  const rowsBefore = new Map(before.rows.map((row, n) => [rowKey(row), n + 1]));
  const rowsAfter = new Map(after.rows.map((row, n) => [rowKey(row), n + 1]));
  return [
    ...rowChanges(before, after, rowsBefore, rowsAfter),
    ...arrivals(after, was, rowsBefore),
    ...departures(before, is, rowsAfter),
    ...movesInRows(before, after),
  ];
}

/**
 * @param {Page} page
 * @returns {Map<string, {key: string, row: string, position: number}>}
 */
function placesOf(page) {
  const places = new Map();
  for (const row of page.rows) {
    for (const tile of row.tiles) {
      if (!isExplored(tile)) places.set(tile.title_id, { key: rowKey(row), row: row.title, position: tile.position });
    }
  }
  return places;
}

/**
 * @param {Page} before
 * @param {Page} after
 * @param {Map<string, number>} was
 * @param {Map<string, number>} is
 * @returns {Change[]}
 */
function rowChanges(before, after, was, is) {
  const common = after.rows.map(rowKey).filter((key) => was.has(key));
  const places = common.map((key) => was.get(key) ?? 0);
  const still = new Set(inOrder(places, common.map((key) => is.get(key) ?? 0)).map((n) => common[n]));
  return [
    ...after.rows.filter((row) => !was.has(rowKey(row))).map((row) => /** @type {Change} */ ({ kind: "row_entered", row: row.title, to: is.get(rowKey(row)) })),
    ...before.rows.filter((row) => !is.has(rowKey(row))).map((row) => /** @type {Change} */ ({ kind: "row_left", row: row.title })),
    ...after.rows.filter((row) => was.has(rowKey(row)) && !still.has(rowKey(row))).map((row) => /** @type {Change} */ ({
      kind: "row_moved", row: row.title, from: was.get(rowKey(row)), to: is.get(rowKey(row)),
    })),
  ];
}

/**
 * @param {Page} after
 * @param {ReturnType<typeof placesOf>} was
 * @param {Map<string, number>} rowsBefore
 * @returns {Change[]}
 */
function arrivals(after, was, rowsBefore) {
  /** @type {Change[]} */
  const found = [];
  for (const row of after.rows) {
    for (const tile of row.tiles.filter((one) => !isExplored(one))) {
      const old = was.get(tile.title_id);
      const here = { row: row.title, titleId: tile.title_id, name: tile.name, to: tile.position };
      if (old && old.key !== rowKey(row)) found.push({ kind: "crossed", fromRow: old.row, ...here });
      else if (!old && (rowsBefore.has(rowKey(row)) || row.row_type === "continue_watching")) found.push({ kind: "entered", ...here });
    }
  }
  return found;
}

/**
 * @param {Page} before
 * @param {ReturnType<typeof placesOf>} is
 * @param {Map<string, number>} rowsAfter
 * @returns {Change[]}
 */
function departures(before, is, rowsAfter) {
  /** @type {Change[]} */
  const found = [];
  for (const row of before.rows.filter((one) => rowsAfter.has(rowKey(one)))) {
    for (const tile of row.tiles) {
      if (!isExplored(tile) && !is.has(tile.title_id)) {
        found.push({ kind: "left", row: row.title, titleId: tile.title_id, name: tile.name, from: tile.position });
      }
    }
  }
  return found;
}

/**
 * Titles that changed places with others of their row; those that merely closed up do not count.
 * @param {Page} before
 * @param {Page} after
 * @returns {Change[]}
 */
function movesInRows(before, after) {
  /** @type {Change[]} */
  const found = [];
  const rows = new Map(before.rows.map((row) => [rowKey(row), row]));
  for (const row of after.rows) {
    const old = new Map((rows.get(rowKey(row))?.tiles ?? []).filter((tile) => !isExplored(tile)).map((tile) => [tile.title_id, tile]));
    const common = row.tiles.filter((tile) => !isExplored(tile) && old.has(tile.title_id));
    const places = common.map((tile) => old.get(tile.title_id)?.position ?? 0);
    const still = new Set(inOrder(places, common.map((tile) => tile.position)));
    common.forEach((tile, n) => {
      const place = { row: row.title, titleId: tile.title_id, name: tile.name };
      const was = /** @type {Tile} */ (old.get(tile.title_id));
      if (!still.has(n)) found.push({ kind: "moved", from: was.position, to: tile.position, ...place });
      if (row.row_type === "continue_watching" && Math.abs((tile.watch_fraction ?? 0) - (was.watch_fraction ?? 0)) > 0.004) {
        found.push({ kind: "progressed", fraction: tile.watch_fraction ?? 0, ...place });
      }
    });
  }
  return found;
}

/**
 * What kept its order: of the longest rising sequences the one of which most stand where they stood.
 * @param {number[]} numbers  places before
 * @param {number[]} now  places now, rising
 * @returns {number[]} indices
 */
export function inOrder(numbers, now) {
  const worth = numbers.map((place, n) => (place === now[n] ? 1.001 : 1)); // no row is a thousand long
  const length = [...worth];
  const previous = numbers.map(() => -1);
  let best = -1;
  for (let n = 0; n < numbers.length; n++) {
    for (let m = 0; m < n; m++) {
      if (numbers[m] < numbers[n] && length[m] + worth[n] > length[n]) {
        length[n] = length[m] + worth[n];
        previous[n] = m;
      }
    }
    if (best < 0 || length[n] > length[best]) best = n;
  }
  const places = [];
  for (let n = best; n >= 0; n = previous[n]) places.unshift(n);
  return places;
}

/** @param {Change} change @returns {string} */
export function inWords(change) {
  const { kind, row, name, from, to, fromRow } = change;
  switch (kind) {
    case "row_entered": return `The row ${row} is new, as number ${to}`;
    case "row_left": return `The row ${row} is gone`;
    case "row_moved": return `The row ${row} moved ${(to ?? 0) < (from ?? 0) ? "up" : "down"}, from ${from} to ${to}`;
    case "entered": return `${name} is new in ${row}, at place ${to}`;
    case "crossed": return `${name} came from ${fromRow} to ${row}, at place ${to}`;
    case "left": return `${name} left ${row}, where it stood at place ${from}`;
    case "progressed": return `${name} is now watched to ${Math.round((change.fraction ?? 0) * 100)} %`;
    default: return `${name} moved ${(to ?? 0) < (from ?? 0) ? "up" : "down"} in ${row}, from ${from} to ${to}`;
  }
}
