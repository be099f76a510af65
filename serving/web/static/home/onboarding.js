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

/**
 * Open the sign-up; `joined` is called with the new member.
 * @param {(member: string) => void} joined
 * @param {(why: string) => void} askForKey
 */
export function signUp(joined, askForKey) {
  /** @type {Set<string>} */
  const picked = new Set();
  const [language, country] = here();
  const id = h("input", { id: "new-id", required: true, maxLength: 128, pattern: "[^\\/]+", autocomplete: "off", spellcheck: false, value: `guest-${Math.random().toString(36).slice(2, 8)}` });
  const inCountry = choice("new-country", COUNTRIES, country, "region");
  const inLanguage = choice("new-language", LANGUAGES, language, "language");
  const titles = h("ul", { className: "picks", role: "list", "aria-label": "Titles to pick" });
  const count = h("p", { className: "pick-count", role: "status" });
  const trouble = h("p", { className: "notice notice-warn", role: "alert", hidden: true });
  const join = h("button", { className: "button button-main", type: "submit" }, "Create member");
  const tellCount = () => {
    const missing = ENOUGH - picked.size;
    count.textContent = picked.size === 0 ? "Pick three or more, or none: then the page begins with what is popular."
      : missing > 0 ? `${picked.size} picked; ${missing} more say a lot` : `${picked.size} picked: good`;
  };
  const offer = () => void offerTitles(titles, picked, tellCount, inCountry.value, inLanguage.value, (error) => complain(error));
  inCountry.addEventListener("change", offer);
  inLanguage.addEventListener("change", offer);
  const dialog = closable("New member", [
    h("form", { className: "sign-up", onsubmit: submit },
      h("div", { className: "fields" },
        h("div", {}, h("label", { for: "new-id" }, "Member id"), id),
        h("div", {}, h("label", { for: "new-country" }, "Country"), inCountry),
        h("div", {}, h("label", { for: "new-language" }, "Language"), inLanguage)),
      h("h3", {}, "What would you watch?"), count, titles, trouble,
      h("div", { className: "actions actions-stay" }, join)),
  ], "wide");
  tellCount();
  offer();

  /** @param {unknown} error */
  function complain(error) {
    const detail = error instanceof Error ? error.message : String(error);
    trouble.replaceChildren(detail);
    if (error instanceof ApiError && error.needsKey) trouble.append(" ", h("button", { className: "link", type: "button", onclick: () => { dialog.close(); askForKey(detail); } }, "Enter a key"));
    trouble.hidden = false;
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    join.disabled = true;
    trouble.hidden = true;
    const member = id.value.trim();
    try {
      await post("/v1/members", { user_id: member, country: inCountry.value, language: inLanguage.value, selected_title_ids: [...picked] });
      dialog.close();
      joined(member);
    } catch (error) {
      complain(error);
    } finally {
      join.disabled = false;
    }
  }
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
