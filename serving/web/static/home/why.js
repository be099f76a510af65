/** Why a title is on a page, or is not: in plain words first, then the numbers. */

import { ApiError, currentKey } from "./api.js";
import { isExplored } from "./changes.js";
import { h } from "./dom.js";
import { factsOf, factsOr } from "./titles.js";
import { pageOf } from "./watching.js";
import { displacedInWords, filtersInWords, percent, sourceInWords } from "./words.js";

/**
 * @typedef {import("./changes.js").Tile} Tile
 * @typedef {import("./changes.js").Row} Row
 * @typedef {import("./details.js").Context} Context
 */

/**
 * @param {Context} context
 * @param {Tile|null} tile  null: it is not on the page
 * @param {Row|null} row
 * @param {string} titleId
 * @returns {HTMLElement}
 */
export function whyOf(context, tile, row, titleId) {
  const more = h("div", { className: "why-more" });
  const section = h(
    "section", { className: "why", "aria-labelledby": "why-head" },
    h("h3", { id: "why-head", tabIndex: -1 }, tile ? "Why this title" : "Why it is not on the page"),
    tile && row ? inShort(tile, row) : null,
    more,
  );
  if (currentKey()) void explain(context, titleId, more);
  else {
    more.replaceChildren(h("p", { className: "help" },
      tile ? "Each generator's own ranks and scores are shown with an operator's key. " : "An operator's key tells the way of every title through the page. ",
      h("button", { className: "link", type: "button", onclick: () => context.askForKey("", () => void explain(context, titleId, more)) }, "Enter a key")));
  }
  return section;
}

/**
 * @param {Tile} tile
 * @param {Row} row
 */
function inShort(tile, row) {
  const sentence = isExplored(tile)
    ? `It was drawn by chance from titles just outside what the member is known to like, with a probability of ${percent(tile.propensity)}: so the service learns.`
    : `${tile.reason}. It stands at place ${tile.position} of the row ${row.title}.`;
  return h("div", {},
    h("p", {}, sentence),
    h("ul", { className: "chips chips-sources", "aria-label": "Found by" }, ...tile.sources.map((source) => h("li", {}, sourceInWords(source)))),
    h("dl", { className: "numbers" },
      ...number("Retrieval", tile.retrieval_score.toFixed(3), "How high the generators put it together, 0 to 1", tile.retrieval_score),
      ...number("Ranker", tile.ranking_score === null ? "none" : tile.ranking_score.toFixed(3), tile.ranking_score === null ? "It did not decide here" : "What the ranker gave it; higher is better", null),
      ...number("Chance", percent(tile.propensity), "Probability with which it was shown here", tile.propensity)));
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} help
 * @param {number|null} share  0 to 1, for a bar
 */
function number(name, value, help, share) {
  const bar = share === null ? null : h("span", { className: "bar", "aria-hidden": "true" }, h("span", {}));
  bar?.style.setProperty("--share", String(Math.max(0, Math.min(1, share ?? 0))));
  return [h("dt", {}, name), h("dd", {}, h("strong", {}, value), bar, h("span", { className: "help" }, help))];
}

/**
 * Tell the way of a title, with an operator's key.
 * @param {Context} context
 * @param {string} titleId
 * @param {HTMLElement} place
 */
async function explain(context, titleId, place) {
  place.replaceChildren(h("p", { className: "help", "aria-busy": "true" }, "Asking for the numbers …"));
  try {
    const { page } = await pageOf(context.member, context.device, context.at, { explain: "true", title_id: titleId });
    await factsOf(mentioned(page.explanation)).catch(() => null);
    place.replaceChildren(...wayOf(page.explanation, titleId));
  } catch (error) {
    const detail = error instanceof ApiError ? error.message : String(error);
    place.replaceChildren(h("p", { className: "notice" }, `The numbers are for operators: ${detail} `,
      h("button", { className: "link", type: "button", onclick: () => context.askForKey(detail, () => void explain(context, titleId, place)) }, "Enter another key")));
  }
}

/**
 * @param {any} explanation
 * @param {string} titleId
 * @returns {Node[]}
 */
function wayOf(explanation, titleId) {
  const way = explanation.titles.find((/** @type {any} */ one) => one.title_id === titleId);
  if (!way) return [h("p", { className: "help" }, "Nothing is known of its way.")];
  const lines = [];
  if (way.filtered_by.length) lines.push(filtersInWords(way.filtered_by));
  else if (way.displaced) lines.push(displacedInWords(way.displaced.reason) + namesOf(way.displaced.by));
  if (way.rank !== null) lines.push(`The ranker put it at place ${way.rank} of ${explanation.candidates} candidates.`);
  const proposals = way.proposed_by.map((/** @type {any} */ one) => h("tr", {},
    h("th", { scope: "row" }, sourceInWords(one.generator), one.seed_title_id && h("span", { className: "help" }, ` ${factsOr(one.seed_title_id, one.seed_title_id).name}`)),
    h("td", {}, String(one.rank)), h("td", {}, one.score.toFixed(3))));
  return [
    ...lines.map((line) => h("p", {}, line)),
    proposals.length ? h("table", { className: "proposals" },
      h("caption", {}, "Who proposed it"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Generator"), h("th", { scope: "col" }, "Rank"), h("th", { scope: "col" }, "Score"))),
      h("tbody", {}, ...proposals)) : h("span", {}),
  ];
}

/** @param {any} explanation @returns {string[]} the titles that an explanation names */
function mentioned(explanation) {
  return explanation.titles.flatMap((/** @type {any} */ way) => [
    ...(way.displaced?.by ?? []).slice(0, 3),
    ...way.proposed_by.map((/** @type {any} */ one) => one.seed_title_id).filter(Boolean),
  ]);
}

/** @param {string[]} titleIds */
function namesOf(titleIds) {
  const names = titleIds.slice(0, 3).map((id) => factsOr(id, id).name);
  return names.length ? ` In its place: ${names.join(", ")}.` : "";
}
