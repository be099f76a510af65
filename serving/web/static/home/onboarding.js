/** Signing up: who, where, and titles to begin with. */

import { ApiError, get, post } from "./api.js";
import { closable } from "./dialogs.js";
import { h } from "./dom.js";
import { poster } from "./poster.js";
import { remember } from "./titles.js";
import { nameOf } from "./words.js";

const ENOUGH = 3;
const OFFERED = 30;
const COUNTRIES = ["AR", "AU", "BR", "CA", "CL", "CO", "DE", "ES", "FR", "GB", "ID", "IN", "IT", "JP", "KR", "MX", "NG", "NL", "PL", "SE", "TR", "US", "ZA"];
const LANGUAGES = ["de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "sv", "tr"];

/** @typedef {ReturnType<typeof makeParts>} Parts */

/**
 * Open the sign-up; `joined` is called with the new member.
 * @param {(member: string) => void} joined
 * @param {(why: string) => void} askForKey
 */
export function signUp(joined, askForKey) {
  /** @type {Set<string>} */
  const picked = new Set();
  const parts = makeParts();
  const tellCount = () => { parts.count.textContent = countOf(picked); };
  const complain = (/** @type {unknown} */ error) => tellTrouble(parts, error, (why) => { dialog.close(); askForKey(why); });
  const offer = () => void offerTitles(parts.titles, picked, tellCount, parts.country.value, parts.language.value, complain);
  parts.country.addEventListener("change", offer);
  parts.language.addEventListener("change", offer);
  const dialog = closable("New member", [makeForm(parts, submit)], "wide");
  tellCount();
  offer();

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    parts.join.disabled = true;
    parts.trouble.hidden = true;
    const member = parts.id.value.trim();
    try {
      await post("/v1/members", { user_id: member, country: parts.country.value, language: parts.language.value, selected_title_ids: [...picked] });
      dialog.close();
      joined(member);
    } catch (error) {
      complain(error);
    } finally {
      parts.join.disabled = false;
    }
  }
}

/** What is filled in, and what is told. */
function makeParts() {
  const [language, country] = here();
  return {
    id: h("input", { id: "new-id", required: true, maxLength: 128, pattern: "[^\\/]+", autocomplete: "off", spellcheck: false, value: `guest-${Math.random().toString(36).slice(2, 8)}` }),
    country: choice("new-country", COUNTRIES, country, "region"),
    language: choice("new-language", LANGUAGES, language, "language"),
    titles: h("ul", { className: "picks", role: "list", "aria-label": "Titles to pick" }),
    count: h("p", { className: "pick-count", role: "status" }),
    trouble: h("p", { className: "notice notice-warn", role: "alert", hidden: true }),
    join: h("button", { className: "button button-main", type: "submit" }, "Create member"),
  };
}

/**
 * @param {Parts} parts
 * @param {(event: SubmitEvent) => void} submit
 */
function makeForm({ id, country, language, titles, count, trouble, join }, submit) {
  return h("form", { className: "sign-up", onsubmit: submit },
    h("div", { className: "fields" },
      h("div", {}, h("label", { for: "new-id" }, "Member id"), id),
      h("div", {}, h("label", { for: "new-country" }, "Country"), country),
      h("div", {}, h("label", { for: "new-language" }, "Language"), language)),
    h("h3", {}, "What would you watch?"), count, titles, trouble,
    h("div", { className: "actions actions-stay" }, join));
}

/** @param {Set<string>} picked */
function countOf(picked) {
  const missing = ENOUGH - picked.size;
  if (picked.size === 0) return "Pick three or more, or none: then the page begins with what is popular.";
  return missing > 0 ? `${picked.size} picked; ${missing} more say a lot` : `${picked.size} picked: good`;
}

/**
 * @param {Parts} parts
 * @param {unknown} error
 * @param {(why: string) => void} askForKey
 */
function tellTrouble({ trouble }, error, askForKey) {
  const detail = error instanceof Error ? error.message : String(error);
  trouble.replaceChildren(detail);
  if (error instanceof ApiError && error.needsKey) trouble.append(" ", h("button", { className: "link", type: "button", onclick: () => askForKey(detail) }, "Enter a key"));
  trouble.hidden = false;
}

/**
 * @param {HTMLElement} place
 * @param {Set<string>} picked
 * @param {() => void} changed
 * @param {string} country
 * @param {string} language
 * @param {(error: unknown) => void} failed
 */
async function offerTitles(place, picked, changed, country, language, failed) {
  picked.clear();
  changed();
  place.setAttribute("aria-busy", "true");
  try {
    const { body } = await get("/v1/picks", { country, language, limit: OFFERED });
    remember(body.titles);
    place.replaceChildren(...body.titles.map((/** @type {import("./titles.js").Facts} */ title) => pick(title, picked, changed)));
  } catch (error) {
    failed(error);
  }
  place.removeAttribute("aria-busy");
}

/**
 * @param {import("./titles.js").Facts} title
 * @param {Set<string>} picked
 * @param {() => void} changed
 */
function pick(title, picked, changed) {
  const button = h("button", {
    className: "tile-button pick", type: "button", "aria-pressed": "false", "aria-label": `${title.name}. ${title.genres.join(", ")}`,
    onclick: () => {
      const on = !picked.delete(title.title_id);
      if (on) picked.add(title.title_id);
      button.setAttribute("aria-pressed", String(on));
      changed();
    },
  }, poster(title));
  return h("li", {}, button);
}

/**
 * @param {string} id
 * @param {string[]} codes
 * @param {string} chosen
 * @param {"region"|"language"} type
 */
function choice(id, codes, chosen, type) {
  const named = codes.map((code) => /** @type {[string, string]} */ ([nameOf(type, code), code])).sort((a, b) => a[0].localeCompare(b[0]));
  return h("select", { id }, ...named.map(([name, code]) => h("option", { value: code, selected: code === chosen }, name)));
}

/** @returns {[string, string]} language and country that this browser says it is in */
function here() {
  const locale = new Intl.Locale(navigator.language || "en-US").maximize();
  const language = LANGUAGES.includes(locale.language) ? locale.language : "en";
  const country = COUNTRIES.includes(locale.region ?? "") ? /** @type {string} */ (locale.region) : "US";
  return [language, country];
}
