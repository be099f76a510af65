/** Where a key is entered: kept for this tab, sent with each call, never part of an address. */

import { currentKey, keepKey } from "./api.js";
import { h } from "./dom.js";
import { closable } from "./dialogs.js";

/**
 * Ask for a key; `changed` is called when one was entered or forgotten.
 * @param {() => void} changed
 * @param {string} [why]  what was refused
 */
export function askForKey(changed, why = "") {
  const field = h("input", { id: "key-entry", type: "password", autocomplete: "off", spellcheck: false, value: currentKey(), "aria-describedby": "key-help" });
  const dialog = closable("Key", [
    why && h("p", { className: "notice notice-warn", role: "alert" }, why),
    h("form", { onsubmit: (/** @type {SubmitEvent} */ event) => { event.preventDefault(); done(field.value.trim()); } },
      h("label", { for: "key-entry" }, "API key or operator's token"),
      field,
      h("p", { id: "key-help", className: "help" },
        "A server with keys asks for one with the scope homepage to show pages, events to watch something, ",
        "members to list members. Scores behind a page, and comparing, need the scope admin. ",
        "The key is kept in this tab until you close it, and is sent to this server alone."),
      h("div", { className: "actions" },
        h("button", { className: "button button-main", type: "submit" }, "Use this key"),
        currentKey() && h("button", { className: "button", type: "button", onclick: () => done("") }, "Forget the key"))),
  ], "narrow");
  /** @param {string} key */
  function done(key) {
    keepKey(key);
    dialog.close();
    changed();
  }
  field.focus();
}
