/** The homepage as members see it. */

import { instantOf, queryOf, readView } from "./address.js";
import { makeBar } from "./bar.js";
import { marksOf, tellChanges } from "./changed.js";
import { showTitle } from "./details.js";
import { h } from "./dom.js";
import { glide, placesOnScreen } from "./motion.js";
import { focusTile, placeStops, walkable } from "./roving.js";
import { heroOf, rowsOf, skeleton } from "./tiles.js";
import { detailsOf, factsOf } from "./titles.js";
import { trouble } from "./trouble.js";
import { followed, mustShow, pageOf, tell } from "./watching.js";
import { milliseconds } from "./words.js";

/**
 * @typedef {import("./changes.js").Page} Page
 * @typedef {import("./watching.js").Made} Made
 */

const byId = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const [main, compare, changed, told, footer] = ["page", "compare", "changed", "told", "made"].map(byId);
const bar = makeBar(go, () => void load());

let view = readView();
/** @type {Page|null} */
let shown = null;
/** How far the service's clock is from this browser's, in milliseconds. */
let clockAhead = 0;
let latest = 0;

const now = () => new Date(Date.now() + clockAhead);
const at = () => instantOf(view.hour, now());
const ask = () => pageOf(view.member, view.device, at());

/** @param {Partial<import("./address.js").View>} change */
function go(change) {
  view = { ...view, ...change };
  history.pushState(null, "", `/${queryOf(view)}`);
  void load();
}

function tellView() {
  bar.tell(view);
  compare.href = `/compare${queryOf(view)}`;
  document.title = view.member ? `${view.member} · Marquee` : "Marquee";
}

/** Show the page of the address. */
async function load() {
  const turn = ++latest;
  tellView();
  changed.hidden = true;
  shown = null;
  if (!view.member) return welcome();
  main.replaceChildren(skeleton());
  main.setAttribute("aria-busy", "true");
  footer.replaceChildren();
  try {
    if (view.hour !== null && !clockAhead) setClock((await pageOf(view.member, view.device, null)).page);
    const made = await ask();
    await factsOf(titlesOf(made.page)).catch(() => null); // tiles are drawn without facts, too
    if (turn === latest) show(made);
  } catch (error) {
    if (turn === latest) main.replaceChildren(h("h1", { className: "unseen" }, "Marquee"), trouble(error, () => void load(), bar.key));
  }
  if (turn === latest) main.removeAttribute("aria-busy");
}

/** @param {Page} page */
const titlesOf = (page) => page.rows.flatMap((row) => row.tiles.map((tile) => tile.title_id));

/** @param {Page} page */
function setClock(page) {
  clockAhead = Date.parse(page.generated_at) - Date.now();
}

/**
 * @param {Made} made
 * @param {Map<string, string>} [marks]
 */
function show(made, marks) {
  const { page } = made;
  if (view.hour === null) setClock(page);
  shown = page;
  const hero = heroOf(page, open);
  main.replaceChildren(h("h1", { className: "unseen" }, `Homepage of ${view.member}`), ...(hero ? [hero] : []), h("div", { className: "rows" }, ...rowsOf(page, open, marks)));
  placeStops(main);
  tellMade(made);
  const first = page.rows[0]?.tiles[0];
  if (hero && first) void detailsOf(first.title_id).then((title) => { hero.querySelector(".hero-synopsis").textContent = title.synopsis ?? ""; }).catch(() => null);
}

/** @param {Made} made */
function tellMade({ page, madeMs }) {
  const arms = Object.entries(page.experiments);
  footer.replaceChildren(
    h("span", {}, "Made in ", h("strong", {}, milliseconds(madeMs))),
    h("span", {}, "for ", h("strong", {}, new Date(page.generated_at).toUTCString().replace(":00 GMT", " UTC").replace("GMT", "UTC"))),
    h("span", {}, "by bundle ", h("strong", {}, page.bundle)),
    arms.length ? h("span", {}, "under ", h("strong", {}, arms.map(([layer, arm]) => `${layer}: ${arm}`).join(", "))) : "",
    page.relaxed.length ? h("span", {}, `Rules that gave way: ${page.relaxed.join(", ")}`) : "",
    page.degraded.length ? h("span", { className: "degraded" }, `Degraded: ${page.degraded.join(", ")}`) : "",
  );
}

/**
 * @param {import("./changes.js").Tile} tile
 * @param {import("./changes.js").Row} _row
 * @param {"watch"|"why"} [section]
 */
function open(tile, _row, section) {
  if (!shown) return;
  showTitle({ member: view.member, device: view.device, at: at(), page: shown, done, askForKey: bar.key }, tile.title_id, tile.name, section);
}

/**
 * Tell the service what the member did, and show the page as soon as it knows.
 * @param {import("./watching.js").Watch|import("./watching.js").Thumb} deed
 */
async function done(deed) {
  const before = shown;
  if (!before) return;
  const begin = performance.now();
  await tell(view.member, view.device, now(), deed);
  const after = await followed(ask, before, deed);
  const sinceMs = performance.now() - begin;
  await factsOf(titlesOf(after.page)).catch(() => null);
  const places = placesOnScreen(main);
  const scrolled = new Map([...main.querySelectorAll(".row")].map((row) => [row.dataset.rowKey, row.querySelector(".tiles").scrollLeft]));
  show(after, marksOf(before, after.page));
  for (const row of main.querySelectorAll(".row")) row.querySelector(".tiles").scrollLeft = scrolled.get(row.dataset.rowKey) ?? 0;
  glide(main, places);
  const what = deed.kind === "watch" ? "your watch" : "your thumb";
  tellChanges(changed, told, { before, after: after.page, madeMs: after.madeMs, sinceMs, seen: after.seen, expected: mustShow(deed), deed: what, titleId: deed.titleId });
  const tile = main.querySelector(`[data-title-id="${CSS.escape(deed.titleId)}"] .tile-button`) ?? main.querySelector(".tile-button");
  // After the dialog has closed and given focus back to what is gone by now.
  setTimeout(() => { if (tile) focusTile(tile); });
}

function welcome() {
  main.removeAttribute("aria-busy");
  footer.replaceChildren();
  main.replaceChildren(h("section", { className: "welcome" },
    h("h1", { className: "unseen" }, "Marquee"),
    h("h2", {}, "Who is watching?"),
    h("p", {}, "Each member has a page of their own. Watch something, and it changes at once."),
    bar.choice()));
}

window.addEventListener("popstate", () => { view = readView(); void load(); });
walkable(main);
void load();
