"""Prometheus metrics. Under several workers each writes to files that ``/metrics`` adds up.

prometheus-client decides at its import, by ``PROMETHEUS_MULTIPROC_DIR``, whether values live in memory or
in files; ``python -m serving run`` sets it for the server it starts. (Feast sets it too, but late.)
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.01
Read = TypeVar("Read")
_SECONDS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)
_SECONDS_TO_VISIBLE: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 2.0, 5.0, 30.0)
_SHARES: Final = (-0.5, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """What the server counts. Also the observer of the page's stages."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        r = self._registry
        self._stages = Histogram(
            "marquee_stage_seconds", "Time per stage of a page.", ["stage"], registry=r, buckets=_SECONDS
        )
        self._failures = Counter(
            "marquee_stage_failures", "Stages answered by a fallback.", ["stage"], registry=r
        )
        self._over_budget = Counter(
            "marquee_stage_over_budget", "Stages slower than their budget.", ["stage"], registry=r
        )
        self._requests = Histogram(
            "marquee_request_seconds", "Time per request.", ["route", "status"], registry=r, buckets=_SECONDS
        )
        self._client_requests = Counter(
            "marquee_client_requests", "Requests by client.", ["client", "status"], registry=r
        )
        self._swaps = Counter("marquee_bundle_swaps", "Bundles put in place.", registry=r)
        self._refusals = Counter("marquee_bundle_refusals", "Bundles refused.", ["reason"], registry=r)
        self._refreshes = Counter(
            "marquee_snapshot_refreshes", "Attempts to refresh the titles.", ["outcome"], registry=r
        )
        self._changed_titles = Counter(
            "marquee_changed_titles", "Titles taken in while serving, new or changed.", registry=r
        )
        self._refused_titles = Counter(
            "marquee_refused_titles", "New or changed titles that were refused.", registry=r
        )
        self._visible = Histogram(
            "marquee_title_visible_seconds", "From a title's change announced to this worker showing it.",
            registry=r, buckets=_SECONDS_TO_VISIBLE,
        )  # fmt: skip
        self._accepted_events = Counter("marquee_events_accepted", "Events that the log keeps.", registry=r)
        self._rejected_events = Counter(
            "marquee_events_rejected", "Events that were refused for what they hold.", registry=r
        )
        self._experiment_pages = Counter(
            "marquee_experiment_pages", "Pages answered, by the arms they bear.", ["experiment", "arm"],
            registry=r,
        )  # fmt: skip
        self._held_out_pages = Counter(
            "marquee_held_out_pages", "Pages answered to members whom no experiment gets.", registry=r
        )
        self._paused_experiments = Counter(
            "marquee_experiments_paused", "Experiments that this server paused, with an alert.", registry=r
        )
        self._experiment_changes = Counter(
            "marquee_experiment_changes", "Times that a worker came to serve other experiments.", registry=r
        )
        self._store_failures = Counter(
            "marquee_experiment_store_failures", "Looks at the experiments that failed.", registry=r
        )
        self._written_impressions = Counter(
            "marquee_impressions_written", "Tiles shown that the lake has.", registry=r
        )
        self._dropped_impressions = Counter(
            "marquee_impressions_dropped", "Tiles shown that no log has: the writer was behind.", registry=r
        )
        self._queued_impressions = Gauge(
            "marquee_impressions_queued", "Tiles shown that wait to be written.",
            registry=r, multiprocess_mode="livesum",
        )  # fmt: skip
        self._shadow_pages = Counter(
            "marquee_shadow_pages", "Pages to be made from the challenger, too, by what became of them.",
            ["outcome"], registry=r,
        )  # fmt: skip
        self._shadow_seconds = Histogram(
            "marquee_shadow_seconds", "Time per page of the challenger.", registry=r, buckets=_SECONDS
        )
        self._shadow_agreement = Histogram(
            "marquee_shadow_agreement", "Agreement of challenger and champion on a page.", ["measure"],
            registry=r, buckets=_SHARES,
        )  # fmt: skip
        self._pages = Counter(
            "marquee_pages", "Pages by how they came out: full, degraded, static or refused.", ["outcome"],
            registry=r,
        )  # fmt: skip
        self._fallbacks = Counter(
            "marquee_page_fallbacks", "What stood in on pages, as `degraded` names it.", ["rung"], registry=r
        )
        self._store_up = Gauge(
            "marquee_feature_store_up", "1 where the feature store answers every worker, else 0.",
            registry=r, multiprocess_mode="livemin",
        )  # fmt: skip
        self._breakers = Gauge(
            "marquee_breakers_open", "Workers that leave something alone since it does not answer.", ["of"],
            registry=r, multiprocess_mode="livesum",
        )  # fmt: skip
        self._trained_at = Gauge(
            "marquee_bundle_trained_timestamp_seconds", "When the oldest bundle in service was made.",
            registry=r, multiprocess_mode="livemin",
        )  # fmt: skip
        self._features_at = Gauge(
            "marquee_features_newest_timestamp_seconds", "Of when the newest of the titles' features are.",
            registry=r, multiprocess_mode="livemin",
        )  # fmt: skip
        self._member_reads = Counter(
            "marquee_member_reads", "Reads of a member's features for a page, by what became of them.",
            ["outcome"], registry=r,
        )  # fmt: skip
        self._vectors = Counter(
            "marquee_member_vectors", "Pages by where their member's ALS vector came from.",
            ["source"], registry=r,
        )  # fmt: skip
        self._views_at = Gauge(
            "marquee_feature_view_newest_timestamp_seconds",
            "Of when the newest rows of a feature view are online; 0 where the store lost them.",
            ["view"], registry=r, multiprocess_mode="livemax",
        )  # fmt: skip
        self._views: set[str] = set()
        # Looking a child up takes longer than counting; every page counts some dozens of times.
        self._stage, self._slow_stage = cache(self._stages.labels), cache(self._over_budget.labels)
        self._vector, self._read = cache(self._vectors.labels), cache(self._member_reads.labels)

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:
        """Count one stage's time."""
        self._stage(name).observe(seconds)
        if seconds * 1e3 > budget_ms:
            self._slow_stage(name).inc()

    def stage_failed(self, name: str) -> None:
        """Count one failure."""
        self._failures.labels(name).inc()

    def fell_back(self, rung: str) -> None:
        """Count what a page names in ``degraded``."""
        self._fallbacks.labels(rung).inc()

    def vector_used(self, source: str) -> None:
        """Count where a page's vector came from; see :func:`serving.taste.vector_source`."""
        self._vector(source).inc()

    def page_made(self, outcome: str) -> None:
        """Count one page: ``full``, ``degraded``, ``static`` or ``refused``."""
        self._pages.labels(outcome).inc()

    def feature_store_answers(self, answers: bool) -> None:
        """Tell whether the feature store answers."""
        self._store_up.set(answers)

    def breaker_changed(self, of: str, is_open: bool) -> None:
        """Tell that a breaker has opened or closed."""
        self._breakers.labels(of).set(is_open)

    def serving_as_of(self, trained_at: float, features_at: float) -> None:
        """Tell how fresh what serves is, both in seconds since 1970 UTC; NaN is not told."""
        self._trained_at.set(trained_at)
        if features_at == features_at:  # noqa: PLR0124  (NaN)
            self._features_at.set(features_at)

    def member_read(self, outcome: str) -> None:
        """Count a read of a member's features; see :data:`serving.steady_reader.OUTCOMES`."""
        self._read(outcome).inc()

    def views_as_of(self, newest: Mapping[str, datetime]) -> None:
        """Tell of when the newest rows of each feature view are; those told of before and gone now are 0."""
        for lost in self._views - newest.keys():
            self._views_at.labels(lost).set(0)
        self._views |= newest.keys()
        for view, at in newest.items():
            self._views_at.labels(view).set(at.timestamp())

    def request_finished(self, route: str, status: int, seconds: float) -> None:
        """Count one request; ``route`` is the rule, not the path, to keep the number of series small."""
        self._requests.labels(route, str(status)).observe(seconds)

    def client_served(self, client: str, status: int) -> None:
        """Count one request of a client, by its name."""
        self._client_requests.labels(client, str(status)).inc()

    def titles_changed(self, titles: int, seconds: float) -> None:
        """Count titles that were taken in while serving, the first announced ``seconds`` ago."""
        self._changed_titles.inc(titles)
        self._visible.observe(seconds)

    def titles_refused(self, titles: int) -> None:
        """Count titles that were refused."""
        self._refused_titles.inc(titles)

    def events_taken_in(self, accepted: int, rejected: int) -> None:
        """Count the events of one request."""
        self._accepted_events.inc(accepted)
        self._rejected_events.inc(rejected)

    def page_answered(self, arms: Iterable[str], held_out: bool) -> None:
        """Count one page for each of its arms, ``experiment/arm``."""
        for arm in arms:
            self._experiment_pages.labels(*arm.split("/")).inc()
        if held_out:
            self._held_out_pages.inc()

    def experiments_paused(self, experiments: int) -> None:
        """Count experiments that were paused."""
        self._paused_experiments.inc(experiments)

    def experiments_changed(self) -> None:
        """Count a worker that serves other experiments, or other bundles for them, from now on."""
        self._experiment_changes.inc()

    def experiment_store_failed(self) -> None:
        """Count a look at the experiments that failed."""
        self._store_failures.inc()

    def impressions_written(self, tiles: int) -> None:
        """Count tiles that are in the lake."""
        self._written_impressions.inc(tiles)

    def impressions_dropped(self, tiles: int) -> None:
        """Count tiles that are lost."""
        self._dropped_impressions.inc(tiles)

    def impressions_queued(self, tiles: int) -> None:
        """Tell how many tiles wait to be written."""
        self._queued_impressions.set(tiles)

    def bundle_swapped(self) -> None:
        """Count a bundle put in place."""
        self._swaps.inc()

    def bundle_refused(self, reason: str) -> None:
        """Count a bundle refused by a check."""
        self._refusals.labels(reason).inc()

    def shadow_page(self, outcome: str) -> None:
        """Count a page that was drawn for the challenger: ``compared``, ``failed``, or why it was shed."""
        self._shadow_pages.labels(outcome).inc()

    def shadow_compared(self, seconds: float, overlap: float, correlation: float | None) -> None:
        """Tell how long the challenger's page took, and how far it agrees (1: in everything)."""
        self._shadow_seconds.observe(seconds)
        self._shadow_agreement.labels("overlap").observe(overlap)
        if correlation is not None:
            self._shadow_agreement.labels("rank_correlation").observe(correlation)

    def snapshot_refreshed(self, succeeded: bool) -> None:
        """Count an attempt to refresh the title snapshot."""
        self._refreshes.labels("succeeded" if succeeded else "failed").inc()

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format, over all workers where there are several."""
        text: bytes = read_again(lambda: generate_latest(self._of_all_workers()))
        return text

    def families(self) -> list[Metric]:
        """Return what :meth:`exposition` says, as values: one family of samples per metric."""
        return read_again(lambda: list(self._of_all_workers().collect()))

    def _of_all_workers(self) -> CollectorRegistry:
        if values.ValueClass is values.MutexValue:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return registry


def read_again(read: Callable[[], Read]) -> Read:
    """Return what ``read`` does; where it met a file that a worker was just making, it is called again.

    prometheus-client reads the workers' files without a lock, and fails on one without its first bytes.
    Raises what ``read`` does the fifth time.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except (struct.error, ValueError, RuntimeError, FileNotFoundError):
            time.sleep(_PAUSE_SECONDS)
    return read()


class Unobserved:
    """An observer for pages that nobody sees: a warm-up must not colour the metrics."""

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:
        """Ignore it."""

    def stage_failed(self, name: str) -> None:
        """Ignore it."""

    def fell_back(self, rung: str) -> None:
        """Ignore it."""

    def vector_used(self, source: str) -> None:
        """Ignore it."""
