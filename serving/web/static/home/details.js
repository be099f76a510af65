/** A title in a dialog: what it is, why it is there, and what the member may do with it. */

import { ApiError, get, inPath } from "./api.js";
import { closable } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { backdrop, poster } from "./poster.js";
import { detailsOf, factsOf, factsOr } from "./titles.js";
import { whyOf } from "./why.js";
import { metaOf, nameOf, percent } from "./words.js";

/**
 * @typedef {import("./changes.js").Tile} Tile
 * @typedef {import("./changes.js").Row} Row
 * @typedef {import("./watching.js").Watch|import("./watching.js").Thumb} Deed
 *
 * @typedef {object} Context
 * @property {string} member
 * @property {string} device
 * @property {string|null} at
 * @property {import("./changes.js").Page} page
 * @property {(deed: Deed, name: string) => Promise<void>} done  tells the service, and shows what follows
 * @property {(why: string, then?: () => void) => void} askForKey
 */

const SIMILAR = 8;

/**
 * @param {Context} context
 * @param {string} titleId
 * @param {string} name
 * @param {"watch"|"why"} [section]  what is looked at first
 */
export function showTitle(context, titleId, name, section) {
  const facts = factsOr(titleId, name);
  const [tile, row] = onPage(context.page, titleId);
  const story = h("div", { className: "story" }, h("p", { className: "synopsis", "aria-busy": "true" }, "…"));
  const similar = h("div", { className: "similar" });
  const why = whyOf(context, tile, row, titleId);
  const dialog = closable(name, [
    h("div", { className: "details-art", "aria-hidden": "true" }, backdrop(facts)),
    h("div", { className: "details" },
      h("div", { className: "details-poster", "aria-hidden": "true" }, poster(facts)),
      h("div", { className: "details-text" },
        h("p", { className: "meta" }, ...[...metaOf(facts), nameOf("language", facts.original_language)].filter(Boolean).map((part) => h("span", {}, part))),
        h("ul", { className: "chips", "aria-label": "Genres" }, ...facts.genres.map((genre) => h("li", {}, genre))),
        story,
        controls(context, facts, tile, () => dialog.close()))),
    why,
    similar,
  ], "title-dialog");
  if (section === "watch") dialog.querySelector("input")?.focus();
  if (section === "why") why.querySelector("h3")?.focus();
  void tellStory(titleId, story);
  void showSimilar(titleId, similar, (id, other) => {
    dialog.close();
    showTitle(context, id, other);
  });
}

/**
 * @param {import("./changes.js").Page} page
 * @param {string} titleId
 * @returns {[Tile|null, Row|null]}
 */
function onPage(page, titleId) {
  for (const row of page.rows) {
    for (const tile of row.tiles) if (tile.title_id === titleId) return [tile, row];
  }
  return [null, null];
}

/**
 * @param {string} titleId
 * @param {HTMLElement} place
 */
async function tellStory(titleId, place) {
  try {
    const { synopsis, cast } = await detailsOf(titleId);
    place.replaceChildren(
      h("p", { className: "synopsis" }, synopsis ?? "Nothing is written about this title."),
      cast.length ? h("p", { className: "cast" }, h("span", {}, "With "), cast.slice(0, 5).join(", ")) : "",
    );
  } catch (error) {
    place.replaceChildren(h("p", { className: "notice" }, error instanceof ApiError ? error.message : String(error)));
  }
}

/**
 * @param {Context} context
 * @param {import("./titles.js").Facts} facts
 * @param {Tile|null} tile
 * @param {() => void} close
 */
function controls(context, facts, tile, close) {
  const begun = tile?.watch_fraction ?? 0;
  const start = begun > 0 && begun < 0.8 ? Math.min(1, begun + 0.2) : 0.4;
  const shown = h("output", { for: "fraction" }, percent(start));
  const slider = h("input", {
    id: "fraction", type: "range", min: "0", max: "100", step: "1", value: String(Math.round(start * 100)),
    oninput: () => { shown.textContent = percent(Number(slider.value) / 100); fill(); },
  });
  const fill = () => slider.style.setProperty("--done", `${slider.value}%`);
  fill();
  const trouble = h("p", { className: "notice notice-warn", role: "alert", hidden: true });
  const deed = async (/** @type {Deed} */ what) => {
    for (const button of box.querySelectorAll("button")) button.disabled = true;
    try {
      await context.done(what, facts.name);
      close();
    } catch (error) {
      const needsKey = error instanceof ApiError && error.needsKey;
      trouble.replaceChildren(error instanceof Error ? error.message : String(error));
      if (needsKey) trouble.append(" ", h("button", { className: "link", type: "button", onclick: () => { close(); context.askForKey(error.message); } }, "Enter a key"));
      trouble.hidden = false;
      for (const button of box.querySelectorAll("button")) button.disabled = false;
    }
  };
  const box = h(
    "div", { className: "controls" },
    h("div", { className: "watch-line" },
      h("label", { for: "fraction" }, "Watch to"), slider, shown),
    h("div", { className: "actions" },
      h("button", {
        className: "button button-main", type: "button",
        onclick: () => deed({ kind: "watch", titleId: facts.title_id, fraction: Number(slider.value) / 100, begun: begun > 0, minutes: facts.runtime_minutes }),
      }, icon("play"), "Watch"),
      h("button", { className: "round", type: "button", "aria-label": "Thumbs up", title: "More like this", onclick: () => deed({ kind: "thumbs_up", titleId: facts.title_id }) }, icon("like")),
      h("button", { className: "round", type: "button", "aria-label": "Thumbs down", title: "Not for me: hides it", onclick: () => deed({ kind: "thumbs_down", titleId: facts.title_id }) }, icon("dislike"))),
    trouble,
  );
  return box;
}

/**
 * @param {string} titleId
 * @param {HTMLElement} place
 * @param {(titleId: string, name: string) => void} choose
 */
async function showSimilar(titleId, place, choose) {
  try {
    const { body } = await get(`/v1/titles/${inPath(titleId)}/similar`, { k: SIMILAR });
    const facts = await factsOf(body.titles.map((/** @type {any} */ one) => one.title_id));
    const how = body.similarity === "collaborative" ? "The same members watch them" : "They are about the same";
    place.replaceChildren(
      h("h3", {}, "More like this"), h("p", { className: "help" }, how),
      h("ul", { className: "similar-tiles", role: "list" }, ...body.titles.map((/** @type {any} */ one) =>
        h("li", {}, h("button", { className: "tile-button", type: "button", "aria-label": `${one.name}, ${percent(Math.max(0, one.score))} alike`, onclick: () => choose(one.title_id, one.name) },
          poster(facts.get(one.title_id) ?? factsOr(one.title_id, one.name)))))),
    );
  } catch (error) {
    place.replaceChildren(h("p", { className: "notice" }, error instanceof Error ? error.message : String(error)));
  }
}
