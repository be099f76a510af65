// Experiments that run, with what is known of them: the latest decision's analysis, or one made now.

import { h } from "../home/dom.js";
import * as api from "./api.js";
import { interval } from "./drawings.js";
import { badge, show, table } from "./elements.js";
import { count, instant, share, signedShare } from "./formats.js";

const by = (id) => document.getElementById(id);
const COLUMNS = [
  { label: "Experiment", row: true }, { label: "Arm" }, { label: "Lift", number: true }, { label: "" },
  { label: "Interval" }, { label: "Sample ratio" }, { label: "Members", number: true }, { label: "As of" }, { label: "" },
];
const DETAILS_EVERY_MS = 60_000;

export class Experiments {
  #analyses = new Map(); // name to {found} or {problem}: analysed from this page
  #decided = new Map(); // name to the analysis of its latest decision, or null
  #askedAt = 0;
  #list = null;
  #working = new Set();

  async refresh() {
    try {
      this.#list = await api.experiments();
    } catch (error) {
      if (error.status !== 503) throw error;
      this.#list = null;
      by("experiments-hint").textContent = error.message;
      show(by("experiments"), null, () => []);
      return;
    }
    if (Date.now() - this.#askedAt > DETAILS_EVERY_MS || this.#running.some((one) => !this.#decided.has(one.definition.name))) {
      this.#askedAt = Date.now();
      await Promise.all(this.#running.map((one) => this.#askDecisions(one.definition.name)));
    }
    this.#draw();
  }

  get #running() {
    return this.#list.experiments.filter((one) => one.status === "running");
  }

  async #askDecisions(name) {
    const { decisions } = await api.experiment(name);
    const latest = decisions.filter((one) => one.evidence.analysis).sort((a, b) => (a.decided_at < b.decided_at ? -1 : 1)).at(-1);
    this.#decided.set(name, latest ? { ...latest.evidence.analysis, lastLooks: latest.evidence.last_looks } : null);
  }

  async #analyse(name) {
    this.#working.add(name);
    this.#draw();
    try {
      this.#analyses.set(name, { found: await api.analysis(name) });
    } catch (error) {
      this.#analyses.set(name, { problem: error.message });
    }
    this.#working.delete(name);
    this.#draw();
  }

  #draw() {
    const running = this.#running;
    const others = this.#list.experiments.length - running.length;
    by("experiments-hint").textContent = `${share(this.#list.holdout / 1000)} of the members see no experiment. ` +
      `${count(others)} more are drafts, paused or ended. Intervals hold however often they are looked at, unless said otherwise.`;
    const rows = running.flatMap((one) => this.#rows(one));
    show(by("experiments"), rows, () => h("div", {
      className: "scroll", tabIndex: 0, role: "group", "aria-labelledby": "experiments-heading",
    }, table("Experiments running", COLUMNS, rows.map((row) => this.#cells(row)), "No experiment is running.")));
  }

  /** One row for each arm but control, as plain values. */
  #rows({ definition, started_at }) {
    const { name, layer, arms } = definition;
    const { found = this.#decided.get(name), problem } = this.#analyses.get(name) ?? {};
    return arms.slice(1).map((arm, place) => ({
      name, layer, arm: arm.name, share: arm.share / 1000, started_at, problem, first: place === 0, working: this.#working.has(name),
      as_of: found?.as_of, members: found?.arms.find((one) => one.name === arm.name)?.members, ratio: found?.sample_ratio,
      ...liftOf(found, arm.name),
    }));
  }

  #cells(row) {
    const known = row.lift !== undefined;
    const reach = known ? Math.max(Math.abs(row.low), Math.abs(row.high), 0.05) : 1;
    return [
      row.first ? h("span", {}, h("code", { textContent: row.name }), h("span", {
        className: "note", textContent: `${row.layer}, since ${instant(row.started_at)}`,
      })) : h("span", { className: "hidden-heading", textContent: row.name }),
      h("span", {}, h("code", { textContent: row.arm }), h("span", { className: "note", textContent: share(row.share) })),
      known ? signedShare(row.lift) : "–",
      known ? interval(row.low, row.lift, row.high, reach) : "",
      known ? h("span", {}, `${signedShare(row.low)} to ${signedShare(row.high)}`, verdict(row),
        row.oneLook ? h("span", { className: "note", textContent: "valid for one look" }) : null) : "–",
      ratioOf(row.ratio),
      count(row.members),
      row.problem ? h("span", { className: "problem", textContent: row.problem }) : row.as_of ? instant(row.as_of) : "not analysed yet",
      row.first ? h("button", {
        type: "button", className: "small", "data-focus": `analyse ${row.name}`, disabled: row.working,
        "aria-label": `Analyse ${row.name} now`, textContent: row.working ? "Analysing…" : "Analyse now", onclick: () => this.#analyse(row.name),
      }) : "",
    ];
  }
}

/** The lift of an arm: with the always-valid interval where there is one, else with that of one look. */
function liftOf(found, arm) {
  const one = found?.comparisons.find((each) => each.arm === arm);
  if (!one?.effect) return {};
  const look = one.looks?.at(-1) ?? found.lastLooks?.[arm];
  if (one.corrected && look) return { lift: look.lift, low: one.corrected.low, high: one.corrected.high };
  if (look) return { lift: look.lift, low: look.low, high: look.high };
  return { lift: one.effect.lift, low: one.effect.lift_low, high: one.effect.lift_high, oneLook: true };
}

function verdict({ low, high }) {
  if (low > 0) return badge("good", "better");
  if (high < 0) return badge("bad", "worse");
  return badge("plain", "undecided");
}

function ratioOf(ratio) {
  if (!ratio) return "–";
  return ratio.broken ? badge("bad", "broken") : badge("good", "sound");
}
