// Everything but stages, experiments and bundles: the state, the cards and the lists.

import { h } from "../home/dom.js";
import { bar, sparkline } from "./drawings.js";
import { badge, show, table, terms } from "./elements.js";
import { age, count, instant, milliseconds, rate, share, decimal } from "./formats.js";
import { noticesOf } from "./notices.js";
import { difference, Readings } from "./readings.js";

const by = (id) => document.getElementById(id);
const MARKS = { bad: "Broken", warn: "Look at this" };
const made = (report) => report.pages.full + report.pages.degraded + report.pages.static;
const lacking = (report) => report.pages.degraded + report.pages.static;
const counted = (list, name) => list.find((one) => one.name === name)?.count ?? 0;

export function showReadings(readings) {
  const report = readings.latest;
  const pages = readings.grown(made);
  showState(noticesOf(report, pages ? readings.grown(lacking) / pages : share0(report)));
  showCards(readings, report);
  showFallbacks(report);
  showCache(report);
  showFreshness(report);
  showLogs(report);
}

const share0 = (report) => (made(report) ? lacking(report) / made(report) : 0);

function showState(notices) {
  const worst = notices[0]?.kind ?? "good";
  by("state").className = `state ${worst}`;
  const few = notices.length === 1 ? "One thing needs a look" : `${notices.length} things need a look`;
  const heading = notices.length === 0 ? "All is well" : few;
  if (by("state-heading").textContent !== heading) by("state-heading").textContent = heading;
  show(by("notices"), notices, () => notices.map(({ kind, text, remedy }) => h("li", {},
    badge(kind, MARKS[kind]), h("span", {}, text, " ", h("span", { className: "remedy", textContent: remedy })))));
}

function showCards(readings, report) {
  const { freshness, pages } = report;
  const rates = readings.series((after, before, seconds) => (made(after) - made(before)) / seconds);
  const p95 = readings.series((after, before) => difference(after.pages.latency, before.pages.latency).p95_ms);
  const degraded = readings.series((after, before) => (lacking(after) - lacking(before)) / (made(after) - made(before)));
  const lag = readings.levels((one) => one.freshness.event_lag?.oldest_seconds);
  by("cards").replaceChildren(
    card("pages", "Pages a second", rates.length ? rate(rates.at(-1)) : "–", `${count(made(report))} since the start`, rates),
    card("time", "Page time, p95", milliseconds(pages.latency.p95_ms),
      `p50 ${milliseconds(pages.latency.p50_ms)} · p99 ${milliseconds(pages.latency.p99_ms)}`, p95),
    card("degraded", "Incomplete pages", made(report) ? share(share0(report)) : "–",
      `${count(pages.degraded)} degraded · ${count(pages.static)} static · ${count(pages.refused)} refused`, degraded),
    card("lag", "Events waiting", freshness.event_lag ? count(freshness.event_lag.events) : "–",
      freshness.event_lag ? `oldest: ${freshness.event_lag.events ? age(freshness.event_lag.oldest_seconds) : "none waits"}`
        : "the log does not answer", lag),
    card("models", "Age of the models", age(freshness.trained_age_seconds), instant(freshness.trained_at)),
    card("features", "Age of the features", age(freshness.features_age_seconds), instant(freshness.features_at)),
  );
}

function card(name, label, value, note, values) {
  return h("article", { className: "card", "data-card": name },
    h("h3", { textContent: label }), h("p", { className: "reading", textContent: value }),
    h("p", { className: "note", textContent: note }), values ? sparkline(values, Readings.drawn) : null);
}

function showFallbacks(report) {
  const pages = made(report);
  show(by("fallbacks"), [report.fallbacks, pages], () => table("Fallbacks",
    [{ label: "Stood in", row: true }, { label: "Pages", number: true }, { label: "Share of pages", number: true }, { label: "" }],
    report.fallbacks.map((one) => [h("code", { textContent: one.name }), count(one.count), share(one.count / pages), bar(one.count / pages)]),
    "Nothing had to stand in: every page was whole."));
}

function showCache(report) {
  const sum = (names) => names.reduce((total, name) => total + counted(report.member_reads, name), 0);
  const reads = sum(["found", "unknown", "failed", "cold", "joined"]);
  const of = (...names) => `${count(sum(names))}${reads ? ` (${share(sum(names) / reads)})` : ""}`;
  const shed = report.fallbacks.filter((one) => one.name.endsWith(":shed")).reduce((sum, one) => sum + one.count, 0);
  show(by("cache"), [report.member_reads, report.breakers, report.feature_store_up, shed, report.pages.refused], () => terms([
    ["Read from the store", of("found", "unknown")],
    ["Of members it does not know", of("unknown")],
    ["Shared with another page's read", of("joined")],
    ["Kept ones, the store being away", of("kept")],
    ["Feature store", storeOf(report.feature_store_up)],
    ["Left alone", breakersOf(report)],
    ["Load shed", `${count(shed)} stages, ${count(report.pages.refused)} pages`],
  ]));
}

function storeOf(up) {
  if (up === null) return "not looked at yet";
  return up ? badge("good", "answers every worker") : badge("bad", "does not answer");
}

function breakersOf(report) {
  const open = report.breakers.filter((one) => one.open_workers > 0);
  if (open.length === 0) return badge("good", "nothing");
  return h("span", {}, open.map((one) => badge("bad", `${one.of}, by ${one.open_workers} workers`)));
}

function showFreshness(report) {
  const { freshness } = report;
  const lag = freshness.event_lag;
  show(by("freshness"), [freshness, report.service_time.slice(0, 16)], () => terms([
    ["Models trained", age(freshness.trained_age_seconds), instant(freshness.trained_at)],
    ["Titles' features", age(freshness.features_age_seconds), instant(freshness.features_at)],
    ["All titles read", instant(freshness.titles_read_at)],
    ["Event log", lag ? `${count(lag.events)}${lag.capped ? " or more" : ""} wait` : badge("warn", "not known"),
      lag && lag.events ? `the oldest for ${age(lag.oldest_seconds)}` : null],
    ["The service's clock", instant(report.service_time),
      Math.abs(Date.parse(report.at) - Date.parse(report.service_time)) > 60_000 ? "it replays old data" : "the wall's"],
  ]));
}

function showLogs(report) {
  const { events, impressions, shadow } = report;
  const agreement = (measure) => shadow.agreement.find((one) => one.measure === measure);
  show(by("logs"), [events, impressions, shadow], () => terms([
    ["Events accepted", count(events.accepted), `${count(events.rejected)} rejected`],
    ["Tiles written", count(impressions.written), `${count(impressions.queued)} queued`],
    ["Tiles dropped", impressions.dropped ? badge("bad", count(impressions.dropped)) : "0"],
    ["Shadow pages compared", count(counted(shadow.pages, "compared")),
      shadow.pages.filter((one) => one.name !== "compared").map((one) => `${count(one.count)} ${one.name}`).join(", ") || null],
    ["Challenger's overlap", decimal(agreement("overlap")?.mean), "1: the same titles"],
    ["Challenger's rank correlation", decimal(agreement("rank_correlation")?.mean), "1: the same order"],
  ]));
}
