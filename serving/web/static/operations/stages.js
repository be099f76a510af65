// How long each stage of a page takes.

import { h } from "../home/dom.js";
import { bar } from "./drawings.js";
import { show, table } from "./elements.js";
import { age, count, milliseconds } from "./formats.js";

const by = (id) => document.getElementById(id);
const COLUMNS = [
  { label: "Stage", row: true }, { label: "Median" }, { label: "p50", number: true }, { label: "p95", number: true },
  { label: "p99", number: true }, { label: "Runs", number: true }, { label: "Over budget", number: true },
  { label: "Failed", number: true },
];

/** `span`: "start", all since the servers started, or "recent", the last minutes that this page has seen. */
export function showStages(readings, span) {
  const report = readings.latest;
  if (!report) return;
  const recent = span === "recent";
  const rows = report.stages.map(({ stage }) => rowOf(readings, stage, recent));
  by("stages-hint").textContent = recent
    ? `The last ${age(readings.span)}, as far as this page has been open.` : "All pages of all workers since the servers started.";
  const longest = Math.max(...rows.map((row) => row.latency.p50_ms ?? 0), 0.001);
  show(by("stages"), [rows, recent], () => table("Stages of a page", COLUMNS, rows.map((row) => [
    h("code", { textContent: row.stage }), bar((row.latency.p50_ms ?? 0) / longest), milliseconds(row.latency.p50_ms),
    milliseconds(row.latency.p95_ms), milliseconds(row.latency.p99_ms), count(row.latency.count), count(row.overBudget),
    count(row.failures),
  ]), "No page has been made yet."));
}

function rowOf(readings, stage, recent) {
  const find = (report) => report.stages.find((one) => one.stage === stage);
  const now = find(readings.latest);
  if (!recent) return { stage, latency: now.latency, overBudget: now.over_budget, failures: now.failures };
  return {
    stage,
    latency: readings.recent((report) => find(report)?.latency),
    overBudget: readings.grown((report) => find(report)?.over_budget ?? 0),
    failures: readings.grown((report) => find(report)?.failures ?? 0),
  };
}
