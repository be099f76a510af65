/**
 * Arrow keys walk over rows of tiles as a remote control does: left and right in a row, up and down between
 * rows, Home and End to the ends of a row. Each row is one stop of the Tab key.
 */

/**
 * @param {HTMLElement} page  holds `.row` elements with `.tile-button` elements
 */
export function walkable(page) {
  page.addEventListener("keydown", (event) => {
    const from = /** @type {HTMLElement} */ (event.target).closest(".tile-button");
    if (!from || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = next(page, /** @type {HTMLElement} */ (from), event.key);
    if (to === undefined) return;
    event.preventDefault();
    if (to) focusTile(to);
  });
  page.addEventListener("focusin", (event) => {
    const tile = /** @type {HTMLElement} */ (event.target).closest(".tile-button");
    if (tile) makeStop(/** @type {HTMLElement} */ (tile));
  });
}

/**
 * Make a row's first tile its stop.
 * @param {Element} page
 */
export function placeStops(page) {
  for (const row of page.querySelectorAll(".row")) {
    tilesOf(row).forEach((tile, place) => (tile.tabIndex = place === 0 ? 0 : -1));
  }
}

/** @param {HTMLElement} tile */
export function focusTile(tile) {
  makeStop(tile);
  tile.focus({ preventScroll: true });
  // At once: the next key asks what stands above or below, which a row still on its way cannot say.
  tile.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
}

/** @param {HTMLElement} tile */
function makeStop(tile) {
  const row = tile.closest(".row");
  if (row) for (const other of tilesOf(row)) other.tabIndex = other === tile ? 0 : -1;
}

/** @param {Element} row @returns {HTMLElement[]} */
const tilesOf = (row) => [...row.querySelectorAll(".tile-button")].map((tile) => /** @type {HTMLElement} */ (tile));

/**
 * @param {HTMLElement} page
 * @param {HTMLElement} from
 * @param {string} key
 * @returns {HTMLElement|null|undefined} null at an edge, undefined for a key that does not walk
 */
function next(page, from, key) {
  const row = from.closest(".row");
  if (!row) return undefined;
  const tiles = tilesOf(row);
  const place = tiles.indexOf(from);
  if (key === "ArrowRight") return tiles[place + 1] ?? null;
  if (key === "ArrowLeft") return tiles[place - 1] ?? null;
  if (key === "Home") return tiles[0];
  if (key === "End") return tiles[tiles.length - 1];
  if (key !== "ArrowDown" && key !== "ArrowUp") return undefined;
  const rows = [...page.querySelectorAll(".row")];
  const other = rows[rows.indexOf(row) + (key === "ArrowDown" ? 1 : -1)];
  return other ? nearest(other, from) : null;
}

/**
 * @param {Element} row
 * @param {HTMLElement} from
 * @returns {HTMLElement|null} the tile of a row that stands most nearly above or below
 */
function nearest(row, from) {
  const middle = centre(from);
  const tiles = tilesOf(row);
  return tiles.reduce((best, tile) => (Math.abs(centre(tile) - middle) < Math.abs(centre(best) - middle) ? tile : best), tiles[0]) ?? null;
}

/** @param {HTMLElement} element */
function centre(element) {
  const place = element.getBoundingClientRect();
  return place.left + place.width / 2;
}
