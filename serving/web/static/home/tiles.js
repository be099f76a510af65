/** Tiles, rows and the picture at the top of a page. */

import { rowKey, isExplored } from "./changes.js";
import { h, icon } from "./dom.js";
import { backdrop, poster } from "./poster.js";
import { factsOr } from "./titles.js";
import { metaOf, ROW_NOTES } from "./words.js";

/**
 * @typedef {import("./changes.js").Page} Page
 * @typedef {import("./changes.js").Row} Row
 * @typedef {import("./changes.js").Tile} Tile
 * @typedef {(tile: Tile, row: Row, section?: "watch"|"why") => void} Open
 */

const NEW_FOR_MS = 30 * 24 * 3600 * 1000;

/**
 * @param {Page} page
 * @param {Open} open  called when a tile is chosen
 * @param {Map<string, string>} [marks]  what a tile's mark says, by title
 * @returns {HTMLElement[]}
 */
export function rowsOf(page, open, marks = new Map()) {
  return page.rows.map((row, number) => rowOf(row, number, page, open, marks));
}

/**
 * @param {Row} row
 * @param {number} number
 * @param {Page} page
 * @param {Open} open
 * @param {Map<string, string>} marks
 */
function rowOf(row, number, page, open, marks) {
  const id = `row-${number}`;
  const now = Date.parse(page.generated_at);
  const tiles = h("ul", { className: "tiles", role: "list" }, ...row.tiles.map((tile) => tileOf(tile, row, now, open, marks.get(tile.title_id))));
  /** @param {number} by */
  const scroll = (by) => tiles.scrollBy({ left: by * tiles.clientWidth * 0.85, behavior: "smooth" });
  const side = (/** @type {"left"|"right"} */ to, /** @type {number} */ by) =>
    h("button", { className: `slide slide-${to}`, type: "button", tabIndex: -1, "aria-hidden": "true", onclick: () => scroll(by) }, icon(to));
  const section = h(
    "section", { className: "row", "aria-labelledby": id },
    h("header", { className: "row-head" },
      h("h2", { id }, row.title),
      h("p", { className: "row-note" }, /** @type {any} */ (ROW_NOTES)[row.row_type] ?? "")),
    h("div", { className: "strip" }, side("left", -1), tiles, side("right", 1)),
  );
  section.dataset.rowKey = rowKey(row);
  section.dataset.rowType = row.row_type;
  return section;
}

/**
 * @param {Tile} tile
 * @param {Row} row
 * @param {number} now  milliseconds since 1970
 * @param {Open} open
 * @param {string} [mark]
 */
function tileOf(tile, row, now, open, mark) {
  const facts = factsOr(tile.title_id, tile.name);
  const meta = metaOf(facts);
  const badge = badgeOf(tile, row, facts, now);
  const watched = tile.watch_fraction !== null && row.row_type === "continue_watching" ? tile.watch_fraction : null;
  const label = [
    tile.name, mark, badge?.spoken, facts.genres.join(", "), meta.join(", "),
    watched === null ? "" : `${Math.round(watched * 100)} % watched`, tile.reason,
  ].filter(Boolean).join(". ");
  const button = h(
    "button", { className: "tile-button", type: "button", tabIndex: -1, "aria-label": label, onclick: () => open(tile, row) },
    poster(facts),
    badge && h("span", { className: `badge badge-${badge.kind}`, "aria-hidden": "true" }, badge.text),
    mark && h("span", { className: "mark", "aria-hidden": "true" }, mark),
    h("span", { className: "tile-meta", "aria-hidden": "true" },
      h("span", { className: "tile-genres" }, facts.genres.slice(0, 2).join(" · ") || tile.name),
      h("span", {}, meta.slice(1).join(" · "))),
    watched !== null && progress(watched),
  );
  const item = h(
    "li", { className: mark ? "tile tile-marked" : "tile" }, button,
    h("p", { className: isExplored(tile) ? "reason reason-explored" : "reason", "aria-hidden": "true" }, watched === null ? tile.reason : `${Math.round(watched * 100)} % watched`),
  );
  item.dataset.titleId = tile.title_id;
  return item;
}

/**
 * @param {Tile} tile
 * @param {Row} row
 * @param {import("./titles.js").Facts} facts
 * @param {number} now
 */
function badgeOf(tile, row, facts, now) {
  if (row.row_type === "trending_now") return { kind: "rank", text: String(tile.position), spoken: `Number ${tile.position} of what is trending` };
  const since = facts.available_since === null ? NaN : Date.parse(facts.available_since);
  if (now - since < NEW_FOR_MS) return { kind: "new", text: "New", spoken: "New on the service" };
  return null;
}

/** @param {number} watched 0 to 1 */
function progress(watched) {
  const bar = h("span", { className: "progress", "aria-hidden": "true" }, h("span", { className: "progress-done" }));
  bar.style.setProperty("--watched", String(watched));
  return bar;
}

/**
 * The first tile of the page, large.
 * @param {Page} page
 * @param {Open} open
 * @returns {HTMLElement|null}
 */
export function heroOf(page, open) {
  const row = page.rows[0];
  const tile = row?.tiles[0];
  if (!tile) return null;
  const facts = factsOr(tile.title_id, tile.name);
  const begun = row.row_type === "continue_watching";
  return h(
    "section", { className: "hero", "aria-labelledby": "hero-title" },
    h("div", { className: "hero-art" }, backdrop(facts)),
    h("div", { className: "hero-text" },
      h("p", { className: "hero-row" }, row.title),
      h("h2", { id: "hero-title", className: "hero-title" }, tile.name),
      h("p", { className: "meta" }, ...[...metaOf(facts), ...facts.genres].map((part) => h("span", {}, part))),
      h("p", { className: "hero-synopsis" }),
      h("div", { className: "actions" },
        h("button", { className: "button button-main", type: "button", onclick: () => open(tile, row, "watch") }, icon("play"), begun ? "Resume" : "Watch"),
        h("button", { className: "button", type: "button", onclick: () => open(tile, row, "why") }, icon("info"), "Why this title"))),
  );
}

/**
 * Grey shapes where rows will be.
 * @returns {HTMLElement}
 */
export function skeleton() {
  const tile = () => h("div", { className: "skeleton-tile" });
  const row = () => h("div", { className: "skeleton-row" }, h("div", { className: "skeleton-head" }), h("div", { className: "skeleton-tiles" }, ...Array.from({ length: 9 }, tile)));
  return h("div", { className: "skeleton", "aria-hidden": "true" }, h("div", { className: "skeleton-hero" }), row(), row(), row());
}
