// The operators' page: asks for a report every five seconds and shows it.

import * as api from "./api.js";
import { Bundles } from "./bundles.js";
import { Experiments } from "./experiments.js";
import { showReadings } from "./overview.js";
import { Readings } from "./readings.js";
import { showStages } from "./stages.js";

const EVERY_MS = 5000;
const by = (id) => document.getElementById(id);

const readings = new Readings();
const bundles = new Bundles(() => refresh());
const experiments = new Experiments();
let timer = null;
let paused = false;
let asking = false;

function askForKey(problem = "") {
  clearTimeout(timer);
  by("view").hidden = true;
  by("actions").hidden = true;
  by("gate").hidden = false;
  by("refreshed").textContent = "";
  by("gate-problem").textContent = problem;
  by("key").focus();
}

function letIn() {
  by("gate").hidden = true;
  by("view").hidden = false;
  by("actions").hidden = false;
}

function span() {
  return document.querySelector('input[name="span"]:checked').value;
}

function draw() {
  showReadings(readings);
  showStages(readings, span());
}

/** Ask for everything once and show it; a refused key leads back to the gate. */
async function refresh() {
  if (asking) return;
  asking = true;
  try {
    readings.add(await api.report());
    letIn();
    draw();
    await Promise.all([bundles.refresh(readings.latest), experiments.refresh()]);
    by("refreshed").textContent = `As of ${new Date(readings.latest.at).toLocaleTimeString()}`;
    by("refreshed").classList.remove("late");
  } catch (error) {
    if (!(error instanceof api.Refused)) throw error;
    if (error.status === 401 || error.status === 403) {
      api.forgetKey();
      askForKey(`This key is not let in: ${error.message}`);
    } else if (by("gate").hidden === false) {
      by("gate-problem").textContent = error.message;
    } else {
      by("refreshed").textContent = `Not refreshed: ${error.message}`;
      by("refreshed").classList.add("late");
    }
  } finally {
    asking = false;
  }
}

async function keepRefreshing() {
  clearTimeout(timer);
  await refresh();
  clearTimeout(timer);
  if (!paused && api.savedKey()) timer = setTimeout(keepRefreshing, EVERY_MS);
}

by("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  by("gate-problem").textContent = "";
  api.saveKey(by("key").value.trim());
  by("key").value = "";
  keepRefreshing();
});
by("forget").addEventListener("click", () => {
  api.forgetKey();
  askForKey();
});
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", String(paused));
  by("pause").textContent = paused ? "Resume" : "Pause";
  if (paused) clearTimeout(timer);
  else keepRefreshing();
});
for (const choice of document.querySelectorAll('input[name="span"]')) {
  choice.addEventListener("change", () => showStages(readings, span()));
}
document.addEventListener("visibilitychange", () => {
  if (paused || !api.savedKey()) return;
  if (document.hidden) clearTimeout(timer);
  else keepRefreshing();
});

if (api.savedKey()) keepRefreshing();
else askForKey();
