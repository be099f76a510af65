// The reports that this page has seen: rates, and what the last minutes alone were like.

const KEPT_MS = 300_000;
const DRAWN = 60;

/** What both reports have counted is less in the later one: the servers were started anew in between. */
const restarted = (before, after) =>
  after.pages.latency.count < before.pages.latency.count || after.bundles.swaps < before.bundles.swaps;

export class Readings {
  #kept = [];

  static get drawn() {
    return DRAWN;
  }

  add(report) {
    const at = Date.parse(report.at);
    const last = this.latest;
    if (last && (restarted(last, report) || at <= Date.parse(last.at))) this.#kept = [];
    this.#kept.push(report);
    // One that is older than five minutes is kept: the last five minutes began there.
    while (this.#kept.length > 2 && at - Date.parse(this.#kept[1].at) >= KEPT_MS) this.#kept.shift();
  }

  get latest() {
    return this.#kept.at(-1);
  }

  /** How many seconds the last minutes are, as far as this page has seen them. */
  get span() {
    return this.#kept.length < 2 ? 0 : (Date.parse(this.latest.at) - Date.parse(this.#kept[0].at)) / 1000;
  }

  /** From reading to reading: `value(after, before, seconds)`, null before there are two. */
  series(value) {
    const kept = this.#kept.slice(-DRAWN - 1);
    return kept.slice(1).map((after, place) => {
      const before = kept[place];
      const found = value(after, before, (Date.parse(after.at) - Date.parse(before.at)) / 1000);
      return Number.isFinite(found) ? found : null;
    });
  }

  /** Of each reading. */
  levels(value) {
    return this.#kept.slice(-DRAWN).map((one) => value(one) ?? null);
  }

  /** A latency of the last minutes alone; `of` finds it in a report, or returns undefined. */
  recent(of) {
    return difference(of(this.latest), this.#kept.length > 1 ? of(this.#kept[0]) : of(this.latest));
  }

  /** How much a count has grown over the last minutes. */
  grown(of) {
    return of(this.latest) - of(this.#kept[0]);
  }
}

/** What a latency was timed like between two reports. */
export function difference(after, before) {
  const buckets = after.buckets.map(({ at_most_ms, count }, place) => ({
    at_most_ms, count: count - (before?.buckets[place]?.count ?? 0),
  }));
  const count = after.count - (before?.count ?? 0);
  const sum = (one) => (one?.mean_ms ?? 0) * (one?.count ?? 0);
  return {
    count, buckets, mean_ms: count ? (sum(after) - sum(before)) / count : null,
    p50_ms: quantile(buckets, 0.5), p95_ms: quantile(buckets, 0.95), p99_ms: quantile(buckets, 0.99),
  };
}

/** As serving/histogram_quantiles.py does: evenly spread within a bucket, never beyond the last finite bound. */
export function quantile(buckets, part) {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const rank = part * total;
  let low = 0;
  let below = 0;
  for (const { at_most_ms: bound, count } of buckets) {
    if (count >= rank && count > below) return bound === null ? low : low + ((bound - low) * (rank - below)) / (count - below);
    low = bound;
    below = count;
  }
  return low;
}
