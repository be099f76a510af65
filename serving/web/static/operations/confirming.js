// Nothing is changed without saying what will happen, and nothing was changed without saying what did.

import { h } from "../home/dom.js";

const by = (id) => document.getElementById(id);
let going = null;

by("confirm-cancel").addEventListener("click", () => by("confirm").close());
by("confirm-go").addEventListener("click", () => going?.());

/**
 * Ask, do, and tell. `sentences` say what will happen; `work` does it and returns what happened, or throws an Error
 * whose message says why not.
 */
export function confirmed({ heading, sentences, verb, work }) {
  by("confirm-heading").textContent = heading;
  by("confirm-body").replaceChildren(...sentences.map((text) => h("p", { textContent: text })));
  by("confirm-result").textContent = "";
  by("confirm-result").className = "";
  by("confirm-cancel").textContent = "Cancel";
  by("confirm-go").textContent = verb;
  by("confirm-go").hidden = false;
  by("confirm-go").disabled = false;
  going = async () => {
    by("confirm-go").disabled = true;
    by("confirm-result").textContent = "Working…";
    try {
      tell("good", await work());
    } catch (error) {
      tell("bad", `Nothing was changed. ${error.message}`);
    }
  };
  by("confirm").showModal();
  by("confirm-cancel").focus();
}

function tell(kind, text) {
  by("confirm-result").className = kind;
  by("confirm-result").textContent = text;
  by("confirm-go").hidden = true;
  by("confirm-cancel").textContent = "Close";
  by("confirm-cancel").focus();
}
