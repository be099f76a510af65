/** Two pages of one member, at one instant on one device, side by side. */

import { instantOf, queryOf, readView } from "../home/address.js";
import { makeBar } from "../home/bar.js";
import { isExplored } from "../home/changes.js";
import { h } from "../home/dom.js";
import { poster } from "../home/poster.js";
import { factsOf, factsOr } from "../home/titles.js";
import { trouble } from "../home/trouble.js";
import { pageOf } from "../home/watching.js";
import { percent } from "../home/words.js";
import { choicesOf, OWN, parametersOf } from "./choices.js";
import { overlap, tilesOf } from "./overlap.js";

/** @typedef {import("../home/changes.js").Page} Page */

const DEPTHS = [10, 20, 40];
const SIDES = /** @type {const} */ (["left", "right"]);
const byId = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const [sums, sides, back] = ["sums", "sides", "compare"].map(byId);

let view = readView();
let chosen = readSides();
/** @type {import("./choices.js").Choice[]} */
let choices = [OWN];
let latest = 0;
const bar = makeBar((change) => go({ ...view, ...change }, chosen), () => void begin());

function readSides() {
  const query = new URLSearchParams(location.search);
  return { left: query.get("left") ?? "", right: query.get("right") ?? "" };
}

/**
 * @param {import("../home/address.js").View} nextView
 * @param {{left: string, right: string}} nextSides
 */
function go(nextView, nextSides) {
  [view, chosen] = [nextView, nextSides];
  history.pushState(null, "", `/compare${queryOf(view, chosen)}`);
  void load();
}

/** Ask what there is to compare, then compare. */
async function begin() {
  try {
    choices = await choicesOf();
  } catch (error) {
    bar.tell(view);
    sums.replaceChildren();
    return sides.replaceChildren(trouble(error, () => void begin(), bar.key));
  }
  return load();
}

async function load() {
  const turn = ++latest;
  bar.tell(view);
  back.href = `/${queryOf(view)}`;
  sums.replaceChildren();
  if (!view.member) return sides.replaceChildren(h("section", { className: "welcome" }, h("h2", {}, "Whose page?"), bar.choice()));
  fillIn();
  sides.replaceChildren(...SIDES.map((side) => column(side, [h("div", { className: "waiting", "aria-hidden": "true" })])));
  sides.setAttribute("aria-busy", "true");
  const made = await Promise.allSettled(await asked());
  const pages = made.map((one) => (one.status === "fulfilled" ? one.value.page : null));
  await factsOf(pages.flatMap((page) => (page ? page.rows.flatMap((row) => row.tiles.map((tile) => tile.title_id)) : []))).catch(() => null);
  if (turn !== latest) return undefined;
  sides.removeAttribute("aria-busy");
  sides.replaceChildren(...SIDES.map((side, n) => column(side, contentOf(made[n], pages[n], pages[1 - n]))));
  if (pages[0] && pages[1]) tellSums(pages[0], pages[1]);
  return undefined;
}

/** Both pages are asked for one instant, so that the clock makes no difference between them. */
async function asked() {
  const present = await pageOf(view.member, view.device, null).then((made) => made.page.generated_at, () => null);
  const at = present === null ? null : instantOf(view.hour, new Date(present)) ?? present;
  return SIDES.map((side) => pageOf(view.member, view.device, at, parametersOf(chosen[side])));
}

/** Choose for who has not: the member's own page, and what differs from it most likely. */
function fillIn() {
  const others = choices.filter((choice) => choice !== OWN);
  const challenger = others.find((choice) => choice.name.startsWith("challenger"));
  const arm = others.find((choice) => choice.value.startsWith("arm:") && !choice.value.endsWith("/control"));
  chosen = { left: chosen.left || OWN.value, right: chosen.right || (challenger ?? arm ?? others[0] ?? OWN).value };
}

/**
 * @param {"left"|"right"} side
 * @param {Node[]} content
 */
function column(side, content) {
  const groups = [...new Set(choices.map((choice) => choice.group))];
  const known = choices.some((choice) => choice.value === chosen[side]);
  const select = h("select", { id: `by-${side}`, onchange: () => go(view, { ...chosen, [side]: select.value }) },
    !known && h("option", { value: chosen[side] }, chosen[side]),
    ...groups.map((group) => {
      const options = h("optgroup", { label: group });
      options.append(...choices.filter((choice) => choice.group === group).map((choice) => h("option", { value: choice.value }, choice.name)));
      return options;
    }));
  select.value = chosen[side];
  return h("section", { className: `side side-${side}`, "aria-label": side === "left" ? "Left page" : "Right page" },
    h("div", { className: "side-head" }, h("label", { for: `by-${side}` }, side === "left" ? "Left: made by" : "Right: made by"), select), ...content);
}

/**
 * @param {PromiseSettledResult<any>} made
 * @param {Page|null} page
 * @param {Page|null} other
 * @returns {Node[]}
 */
function contentOf(made, page, other) {
  if (made.status === "rejected") return [trouble(made.reason, () => void load(), bar.key)];
  if (!page) return [];
  const there = new Set(other ? tilesOf(other).map((tile) => tile.title_id) : []);
  const arms = Object.values(page.experiments).join(", ");
  return [
    h("p", { className: "help side-made" }, `Bundle ${page.bundle}${arms ? ` · ${arms}` : ""}${page.degraded.length ? ` · degraded: ${page.degraded.join(", ")}` : ""}`),
    ...page.rows.map((row) => h("section", { className: "mini-row", "aria-label": row.title },
      h("h2", {}, row.title),
      h("ul", { className: "minis", role: "list" }, ...row.tiles.map((tile) => mini(tile, other ? there.has(tile.title_id) : true))))),
  ];
}

/**
 * @param {import("../home/changes.js").Tile} tile
 * @param {boolean} inBoth
 */
function mini(tile, inBoth) {
  const kind = isExplored(tile) ? "explored" : inBoth ? "both" : "alone";
  const spoken = { explored: "drawn by chance", both: "on both pages", alone: "on this page only" }[kind];
  const button = h("button", {
    className: `mini mini-${kind}`, type: "button", "aria-label": `${tile.name}, place ${tile.position}, ${spoken}`, title: `${tile.name}: ${spoken}`,
    onmouseenter: () => link(tile.title_id), onmouseleave: () => link(""), onfocus: () => link(tile.title_id), onblur: () => link(""),
  }, poster(factsOr(tile.title_id, tile.name)));
  button.dataset.titleId = tile.title_id;
  return h("li", {}, button);
}

/** Light a title up wherever it stands. @param {string} titleId */
function link(titleId) {
  for (const tile of sides.querySelectorAll(".mini")) tile.classList.toggle("linked", tile.dataset.titleId === titleId);
  sides.classList.toggle("linking", titleId !== "");
}

/**
 * @param {Page} left
 * @param {Page} right
 */
function tellSums(left, right) {
  const whole = overlap(left, right, Infinity);
  const bars = DEPTHS.map((depth) => {
    const { share } = overlap(left, right, depth);
    const gauge = h("span", { className: "gauge", "aria-hidden": "true" }, h("span", {}));
    gauge.style.setProperty("--share", String(share));
    return h("div", { className: "sum" }, h("dt", {}, `Overlap@${depth}`), h("dd", {}, h("strong", {}, percent(share)), gauge));
  });
  sums.replaceChildren(
    h("dl", { className: "sum-list" }, ...bars, h("div", { className: "sum" }, h("dt", {}, "Titles on both"), h("dd", {}, h("strong", {}, String(whole.both.size))))),
    alone("Only left", whole.onlyLeft), alone("Only right", whole.onlyRight),
  );
}

/**
 * @param {string} title
 * @param {string[]} names
 */
function alone(title, names) {
  return h("details", { className: "alone" }, h("summary", {}, `${title}: ${names.length}`), h("p", {}, names.join(", ") || "nothing"));
}

window.addEventListener("popstate", () => { [view, chosen] = [readView(), readSides()]; void load(); });
void begin();
