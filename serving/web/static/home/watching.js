/** Telling the service what a member did, and following the page until it shows. */

import { get, inPath, post } from "./api.js";
import { isExplored } from "./changes.js";

/**
 * @typedef {import("./changes.js").Page} Page
 * @typedef {{page: Page, madeMs: number}} Made
 * @typedef {{titleId: string, kind: "watch", fraction: number, begun: boolean, minutes: number|null}} Watch
 * @typedef {{titleId: string, kind: "thumbs_up"|"thumbs_down"}} Thumb
 */

const PAUSES_MS = [0, 30, 50, 80, 120, 180, 250, 350, 500, 700, 900, 900, 900];
/** How many of them to wait for what need not show at all. */
const UNSURE = 8;
const BEGUN = 0.05;
const COMPLETED = 0.8;

/**
 * Ask for a member's page as they would see it; nothing is remembered of it as shown.
 * @param {string} member
 * @param {string} device
 * @param {string|null} at
 * @param {Record<string, string>} [more]
 * @returns {Promise<Made>}
 */
export async function pageOf(member, device, at, more = {}) {
  const answer = await get(`/v1/members/${inPath(member)}/homepage`, { device, at, preview: true, ...more });
  return { page: answer.body, madeMs: answer.madeMs };
}

/**
 * Send what a member did.
 * @param {string} member
 * @param {string} device
 * @param {Date} now  the service's present
 * @param {Watch|Thumb} deed
 */
export async function tell(member, device, now, deed) {
  const common = { user_id: member, title_id: deed.titleId, device_type: device };
  const event = (/** @type {string} */ type, /** @type {number} */ msAgo, more = {}) => ({
    ...common, event_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, event_type: type,
    event_timestamp: new Date(now.getTime() - msAgo).toISOString(), ...more,
  });
  const events = deed.kind === "watch" ? watched(deed, event) : [event(deed.kind, 0)];
  const { body } = await post("/v1/events", { events });
  if (body.rejected.length) throw new Error(body.rejected[0].reason);
}

/**
 * @param {Watch} deed
 * @param {(type: string, msAgo: number, more?: object) => object} event
 */
function watched(deed, event) {
  const { fraction, minutes } = deed;
  const duration = minutes === null ? null : Math.round(fraction * minutes * 10) / 10;
  const events = deed.begun ? [] : [event("play", 2)];
  if (fraction > 0) events.push(event(fraction === 1 ? "complete" : "progress", 0, { watch_fraction: fraction, duration_minutes: duration }));
  return events;
}

/**
 * @param {Watch|Thumb} deed
 * @returns {boolean} whether a page must look different after it
 */
export const mustShow = (deed) => deed.kind === "thumbs_down" || (deed.kind === "watch" && deed.fraction >= BEGUN);

/**
 * Ask for the page again and again until it shows what was done, some seconds at most.
 * @param {() => Promise<Made>} ask
 * @param {Page} before
 * @param {Watch|Thumb} deed
 * @returns {Promise<Made & {seen: boolean}>}
 */
export async function followed(ask, before, deed) {
  let made = await ask();
  for (const pause of mustShow(deed) ? PAUSES_MS : PAUSES_MS.slice(0, UNSURE)) {
    if (shows(made.page, before, deed)) return { ...made, seen: true };
    await new Promise((resume) => setTimeout(resume, pause));
    made = await ask();
  }
  return { ...made, seen: shows(made.page, before, deed) };
}

/**
 * @param {Page} page
 * @param {Page} before
 * @param {Watch|Thumb} deed
 * @returns {boolean} whether the page shows what was done
 */
function shows(page, before, deed) {
  const begun = page.rows.find((row) => row.row_type === "continue_watching")?.tiles ?? [];
  const there = page.rows.some((row) => row.tiles.some((tile) => tile.title_id === deed.titleId));
  if (deed.kind === "thumbs_down") return !there;
  if (deed.kind === "thumbs_up" || deed.fraction < BEGUN) return fingerprint(page) !== fingerprint(before);
  if (deed.fraction >= COMPLETED) return !there;
  return begun.some((tile) => tile.title_id === deed.titleId && Math.abs((tile.watch_fraction ?? 0) - deed.fraction) < 0.004);
}

/** @param {Page} page @returns {string} all of a page that is not drawn by chance */
function fingerprint(page) {
  return JSON.stringify(page.rows.map((row) => row.tiles.filter((tile) => !isExplored(tile)).map((tile) => tile.title_id)));
}
