"""What the stream tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from feature_repo.stream.event_log import Lag

_SECONDS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0, 300.0)
_MOST_OBSERVED: Final = 100


class StreamMetrics:
    """Counters of one processor. Also the processor's observer."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.registry = CollectorRegistry()
        r, self._clock = self.registry, clock
        self._events = Counter("marquee_stream_events", "Events processed.", registry=r)
        self._duplicates = Counter("marquee_stream_duplicates", "Events that had counted before.", registry=r)
        self._late = Counter("marquee_stream_late", "Events too late to change a state at once.", registry=r)
        self._dead = Counter("marquee_stream_dead_letters", "Records that are no events.", registry=r)
        self._flushed = Counter("marquee_stream_lake_rows", "Rows written to the lake.", registry=r)
        self._turned = Counter("marquee_stream_snapshots", "Snapshots made as an hour ended.", registry=r)
        self._lost = Counter(
            "marquee_stream_lost_leases", "Batches given up to another processor.", registry=r
        )
        self._online = Histogram(
            "marquee_event_online_seconds", "From an event in the log to its features online.",
            registry=r, buckets=_SECONDS,
        )  # fmt: skip
        self._lag = Gauge("marquee_stream_lag_events", "Events not yet processed.", ["partition"], registry=r)
        self._lag_seconds = Gauge(
            "marquee_stream_lag_seconds", "Age of the oldest of them.", ["partition"], registry=r
        )
        self._shown: set[int] = set()
        self._held = Gauge("marquee_stream_partitions", "Partitions that this processor holds.", registry=r)

    def serve(self, port: int) -> None:
        """Answer ``/metrics`` on a port of the loopback, in a thread."""
        start_http_server(port, "127.0.0.1", registry=self.registry)

    def batch_done(self, events: int, duplicates: int, late: int, dead: int) -> None:
        """Count a batch."""
        self._events.inc(events)
        self._duplicates.inc(duplicates)
        self._late.inc(late)
        self._dead.inc(dead)

    def online(self, appended_at_ms: list[int]) -> None:
        """Take note that events appended at these instants (milliseconds since 1970 UTC) are online now.

        Of a large batch a sample is observed: each takes as long as a tenth of an event's processing.
        """
        now = self._clock().timestamp()
        for at in appended_at_ms[:: -(-len(appended_at_ms) // _MOST_OBSERVED) or 1]:
            self._online.observe(max(0.0, now - at / 1e3))

    def flushed(self, rows: int) -> None:
        """Count rows written to the lake."""
        self._flushed.inc(rows)

    def turned(self, members: int) -> None:
        """Count snapshots made as an hour ended."""
        self._turned.inc(members)

    def lease_lost(self) -> None:
        """Count a batch given up."""
        self._lost.inc()

    def standing(self, lags: dict[int, Lag]) -> None:
        """Show how far behind each partition held is."""
        self._held.set(len(lags))
        given_up = dict.fromkeys(self._shown - lags.keys(), Lag(0, 0.0))
        self._shown |= lags.keys()
        for partition, lag in (given_up | lags).items():
            self._lag.labels(str(partition)).set(lag.events)
            self._lag_seconds.labels(str(partition)).set(lag.seconds)
