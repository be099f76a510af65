"""What retraining tells Prometheus: the record of its last run, read anew whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from training.bundle import CHALLENGER
from training.memory_plans import PLANS
from training.retrain_run import known_record
from training.retrain_state import RetrainRecord, Tally

_NONE: Final = Tally()


class RetrainMetrics(Collector):  # type: ignore[misc]
    """The metrics of one home. As all that they say is in the record, any process may tell them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def serve(self, port: int) -> None:
        """Answer ``/metrics`` on a port of the loopback, in a thread."""
        start_http_server(port, "127.0.0.1", registry=self.registry)

    def write(self, file: Path) -> None:
        """Write them as a text file, in one step, for the textfile collector of the node exporter."""
        write_to_textfile(str(file), self.registry)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the metrics; counters without a run are 0."""
        record = known_record(self._home)
        tally = _NONE if record is None else record.tally
        yield from _counters(tally)
        yield from _gauges(record, tally)


def _counters(tally: Tally) -> Iterator[CounterMetricFamily]:
    runs = CounterMetricFamily("marquee_retrain_runs", "Retrains by how they ended.", labels=["outcome"])
    for outcome in ("published", "failed", "interrupted"):
        runs.add_metric([outcome], tally.runs.get(outcome, 0))
    yield runs
    attempts = CounterMetricFamily(
        "marquee_retrain_failed_attempts", "Attempts at a retrain that failed, by memory plan and cause.",
        labels=["plan", "cause"],
    )  # fmt: skip
    for plan in (plan.name for plan in PLANS):
        for cause in ("error", "killed", "time limit"):
            attempts.add_metric([plan, cause], tally.failed_attempts.get(plan, {}).get(cause, 0))
    yield attempts


def _gauges(record: RetrainRecord | None, tally: Tally) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily(
        "marquee_retrain_failed_in_a_row", "Retrains that failed since the last that published.",
        value=tally.failed_in_a_row,
    )  # fmt: skip
    held = record is not None and record.alias == CHALLENGER
    yield GaugeMetricFamily(
        "marquee_retrain_held_back", "1 where the last retrain published a challenger, as people chose the "
        "champion or wanted no more, else 0.", value=held,
    )  # fmt: skip
    if record is not None:
        yield GaugeMetricFamily(
            "marquee_retrain_began_timestamp_seconds", "When the last retrain began.",
            value=record.began_at.timestamp(),
        )  # fmt: skip
    if tally.published_at is not None:
        yield GaugeMetricFamily(
            "marquee_retrain_published_timestamp_seconds", "When a retrain last published.",
            value=tally.published_at.timestamp(),
        )  # fmt: skip
    names = [plan.name for plan in PLANS]
    if tally.published_plan in names:
        yield GaugeMetricFamily(
            "marquee_retrain_published_plan", "How much less than everything it took on: 0 is nothing less.",
            value=names.index(tally.published_plan),
        )  # fmt: skip
