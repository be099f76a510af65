// Which bundle serves, which served before, and how to change it.

import { h } from "../home/dom.js";
import * as api from "./api.js";
import { confirmed } from "./confirming.js";
import { badge, show, table } from "./elements.js";
import { day, instant } from "./formats.js";

const by = (id) => document.getElementById(id);
const COLUMNS = [
  { label: "Version", row: true }, { label: "State" }, { label: "Made" }, { label: "Data until" },
  { label: "Measured" }, { label: "Change" },
];
const HISTORY = [{ label: "When", row: true }, { label: "Alias" }, { label: "From" }, { label: "To" }, { label: "How" }];

export class Bundles {
  #changed;
  #list = null;

  /** `changed` is called after a change, to show it. */
  constructor(changed) {
    this.#changed = changed;
    by("roll-back").addEventListener("click", () => this.#rollBack());
  }

  async refresh(report) {
    try {
      this.#list = await api.bundles();
    } catch (error) {
      if (error.status !== 409) throw error;
      by("bundles-hint").textContent = error.message;
      return;
    }
    const inService = report.bundles.in_service;
    const champion = this.#champion;
    by("roll-back").disabled = !this.#list.roll_back_to;
    by("bundles-hint").textContent = champion && inService !== champion.version
      ? `${inService ?? "Nothing"} serves; the servers are to follow to ${champion.version} within seconds.`
      : `${inService ?? "Nothing"} serves.`;
    show(by("bundles"), [this.#list, inService], () => this.#table(inService));
    show(by("history"), this.#list.changes, () => table("Changes of the aliases", HISTORY, this.#list.changes.map((one) => [
      instant(one.at), one.alias, code(one.before ?? "–"), code(one.version), one.rollback ? "rolled back" : "activated",
    ]), "No alias was ever changed."));
  }

  get #champion() {
    return this.#list.bundles.find((one) => one.aliases.includes("champion"));
  }

  #table(inService) {
    return table("Bundles", COLUMNS, this.#list.bundles.map((one) => [
      code(one.version), statesOf(one, inService), instant(one.created_at), day(one.data_end), measured(one), this.#buttons(one),
    ]), "No bundle is published yet: python -m training pipeline makes one.");
  }

  #buttons(one) {
    const button = (alias, text) => h("button", {
      type: "button", className: "small", "data-focus": `${one.version} ${alias}`, disabled: one.aliases.includes(alias),
      "aria-label": `${text} of ${one.version}`, textContent: text, onclick: () => this.#activate(one, alias),
    });
    return h("span", { className: "buttons" }, button("champion", "Make champion"), button("challenger", "Make challenger"));
  }

  #activate(one, alias) {
    const before = this.#list.bundles.find((other) => other.aliases.includes(alias))?.version;
    const sentences = alias === "champion"
      ? [`All pages will be made from ${one.version}${before ? ` in place of ${before}` : ""}.`,
        "Each server loads it beside the one that serves, tries it and swaps it in within seconds, without dropping a page; one that must not serve is refused.",
        ...(before ? ["“Roll back” undoes it."] : [])]
      : [`${one.version} becomes the challenger${before ? ` in place of ${before}` : ""}: servers make a share of the pages from it as well, which nobody sees.`];
    confirmed({
      heading: `Make ${one.version} the ${alias}?`, sentences, verb: `Make ${alias}`,
      work: () => this.#tell(api.activate(one.version, alias)),
    });
  }

  #rollBack() {
    const to = this.#list.roll_back_to;
    confirmed({
      heading: `Roll back to ${to}?`,
      sentences: [`All pages will be made from ${to} again, in place of ${this.#champion?.version ?? "nothing"}.`,
        "Servers follow within seconds, without dropping a page."],
      verb: "Roll back", work: () => this.#tell(api.rollBack()),
    });
  }

  async #tell(changing) {
    const change = await changing;
    this.#changed();
    return `Done: the ${change.alias} is ${change.version} now (before: ${change.before ?? "none"}).`;
  }
}

const code = (text) => h("code", { textContent: text });

function statesOf(one, inService) {
  const states = one.aliases.map((alias) => badge(alias === "champion" ? "good" : "plain", alias));
  if (one.version === inService && !one.aliases.includes("champion")) states.push(badge("plain", "still serves"));
  if (one.refused) states.push(badge("bad", `refused: ${one.refused.kind}`), h("span", { className: "note", textContent: one.refused.reason }));
  if (one.damaged) states.push(badge("bad", "damaged"), h("span", { className: "note", textContent: one.damaged }));
  return h("span", { className: "states" }, states.length ? states : "–");
}

function measured(one) {
  const models = Object.entries(one.headline)[0];
  if (!models) return "–";
  const [model, metrics] = models;
  const [metric, value] = Object.entries(metrics)[0];
  return `${metric} ${value.toFixed(3)} (${model})`;
}
