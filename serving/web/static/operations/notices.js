// What an operator should look at, from one report; the thresholds are those of operations/alerts.yml.

import { age, count } from "./formats.js";

const HOUR = 3600;

/** Return [{kind: "bad" | "warn", text, remedy}], the worst first. */
export function noticesOf(report, recentDegraded) {
  const found = [];
  const say = (when, kind, text, remedy) => when && found.push({ kind, text, remedy });
  const { freshness, breakers, impressions, pages, bundles, experiments } = report;
  say(!bundles.in_service, "bad", "No bundle is in service: no page can be made.",
    "Publish one: python -m training pipeline");
  say(report.feature_store_up === false, "bad", "The feature store does not answer every worker.",
    "Start its Redis again; the servers reconnect by themselves.");
  for (const one of breakers.filter((each) => each.open_workers > 0)) {
    say(true, "bad", `${count(one.open_workers)} workers leave the ${one.of} alone, as it did not answer.`,
      "It is tried again every second.");
  }
  const lag = freshness.event_lag;
  say(lag && lag.oldest_seconds > HOUR, "bad", `Events wait for ${age(lag?.oldest_seconds)} until pages know of them.`,
    "Read the stream processors' logs.");
  say(lag && lag.oldest_seconds > 60 && lag.oldest_seconds <= HOUR, "warn",
    `Events wait for ${age(lag?.oldest_seconds)} until pages know of them.`,
    "Start more processors: python -m feature_repo stream");
  say(!lag, "warn", "How far the stream is behind is not known: the event log does not answer.",
    "python -m serving doctor");
  say(pages.refused > 0, "warn", `${count(pages.refused)} pages were refused: more were wanted than can be made.`,
    "Add workers or machines.");
  say(recentDegraded > 0.05, "warn", "More than one page in twenty lacks something.",
    "The fallbacks below say what.");
  say(impressions.dropped > 0, "warn", `${count(impressions.dropped)} tiles shown are lost to the impression log.`,
    "See that the lake can be written: python -m serving doctor");
  for (const one of bundles.refusals) {
    say(one.count > 0, "warn", `A bundle was refused by the check “${one.name}”; the one before it serves.`,
      "The list of bundles below says why.");
  }
  say(experiments.paused > 0, "warn", `${count(experiments.paused)} experiments were paused by servers, with an alert.`,
    "python -m experiments status");
  say(experiments.store_failures > 0, "warn", "Looks at the experiments have failed; the last known ones are served.",
    "python -m serving doctor");
  say(freshness.trained_age_seconds > 12 * HOUR, "warn",
    `The models are ${age(freshness.trained_age_seconds)} old.`, "python -m training retrain");
  say(freshness.features_age_seconds > 8 * HOUR, "warn",
    `The titles' features are ${age(freshness.features_age_seconds)} old.`,
    "python -m feature_repo build-features, then materialize");
  return found.sort((one, other) => (one.kind === other.kind ? 0 : one.kind === "bad" ? -1 : 1));
}
