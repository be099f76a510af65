/** The panel that tells what moved after something was watched, and how soon. */

import { changesBetween, inWords } from "./changes.js";
import { h, icon } from "./dom.js";
import { capital, milliseconds } from "./words.js";

/** @typedef {import("./changes.js").Change} Change */

const LISTED = 14;
const SPOKEN = 3;

/**
 * Show what moved between two pages, and say it to who does not see it.
 * @param {HTMLElement} panel
 * @param {HTMLElement} told  a live region
 * @param {object} happened
 * @param {import("./changes.js").Page} happened.before
 * @param {import("./changes.js").Page} happened.after
 * @param {number} happened.madeMs  what the page took to make
 * @param {number} happened.sinceMs  from the deed to the page that shows it
 * @param {boolean} happened.seen  whether it shows
 * @param {boolean} happened.expected  whether it had to
 * @param {string} happened.deed  what the member did, such as "your watch"
 * @param {string} happened.titleId  with which title; what became of that is told first
 */
export function tellChanges(panel, told, { before, after, madeMs, sinceMs, seen, expected, deed, titleId }) {
  const all = changesBetween(before, after);
  const changes = [...all.filter((change) => change.titleId === titleId), ...all.filter((change) => change.titleId !== titleId)];
  const freshness = seen
    ? `Page made in ${milliseconds(madeMs)}, ${milliseconds(sinceMs)} after ${deed}`
    : expected ? `The page does not show ${deed} yet: the stream may be behind` : `${capital(deed)} is noted; the page stays as it was`;
  panel.replaceChildren(
    h("header", {}, h("h2", {}, "What changed"), h("button", { className: "round", type: "button", "aria-label": "Close what changed", onclick: () => (panel.hidden = true) }, icon("close"))),
    h("p", { className: "freshness" }, freshness),
    h("ul", { className: "change-list", role: "list", tabIndex: 0, "aria-label": "Changes" }, ...listed(changes)),
  );
  panel.hidden = false;
  const spoken = changes.slice(0, SPOKEN).map(inWords);
  const rest = changes.length - spoken.length;
  told.textContent = `${freshness}. ${spoken.join(". ") || "Nothing moved"}.${rest > 0 ? ` And ${rest} more changes.` : ""}`;
}

/** @param {Change[]} changes */
function listed(changes) {
  const items = changes.slice(0, LISTED).map((change) => h("li", { className: `is-${change.kind}` }, h("span", {}, inWords(change))));
  const rest = changes.length - items.length;
  if (rest > 0) items.push(h("li", { className: "is-more" }, h("span", {}, `and ${rest} more`)));
  if (!items.length) items.push(h("li", { className: "is-none" }, h("span", {}, "Nothing moved but what is drawn by chance.")));
  return items;
}

/**
 * What to write on the tiles that moved.
 * @param {import("./changes.js").Page} before
 * @param {import("./changes.js").Page} after
 * @returns {Map<string, string>} by title
 */
export function marksOf(before, after) {
  const marks = new Map();
  for (const change of changesBetween(before, after)) {
    if (!change.titleId) continue;
    const { from = 0, to = 0 } = change;
    if (change.kind === "entered") marks.set(change.titleId, "New here");
    if (change.kind === "crossed") marks.set(change.titleId, "Came here");
    if (change.kind === "moved") marks.set(change.titleId, to < from ? `↑ ${from - to}` : `↓ ${to - from}`);
  }
  return marks;
}
