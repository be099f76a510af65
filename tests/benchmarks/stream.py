"""Events a second from the log into the online store, beside one Feast push an event.

Two processors of their own, as many as there are cores, on the machine that Redis runs on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import click
import numpy as np
import pyarrow as pa

from feature_repo import schema as s
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import EventLog, LogRecord
from feature_repo.stream.event_record import Event, encode_event
from feature_repo.stream.opening import open_event_log
from feature_repo.stream.processor import GROUP
from feature_repo.transforms.user_session import just_after
from tests.benchmarks.arrivals import copied_service
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, Timing, time_calls

STREAM: Final = "events from the log online, milliseconds per event"
PUSH: Final = "one Feast push an event"
PROCESSORS: Final = 2
_EVENTS_PER_CALL: Final = 400
_APPENDED_AT_ONCE: Final = 1_000
_TARGET: Final = 10_000.0
_MEASURED: Final = 60_000
"""The last events of the log: by then all processors have started, and the log counts them exactly."""
_MOST_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.02


def measure_stream(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Fill the log, start the processors, and time them from their first commit to the last event."""
    with copied_service(subject, token="unused") as environment:
        settings = Settings.from_environment(environment)
        assert settings.redis_url is not None
        gateway = FeatureGateway.open(settings)
        yield Measurement(PUSH, _push_one_by_one(gateway, subject, effort))
        log = open_event_log(settings.redis_url)
        count = effort.calls * _EVENTS_PER_CALL
        start = datetime.now(UTC) - timedelta(milliseconds=count)  # none lies in the future
        records = [encode_event(event) for event in watching(subject, count, start)]
        rate, measured = _processed(log, records, environment)
    pace = 1e3 / rate
    yield Measurement(
        STREAM, Timing(pace, pace, measured), PUSH, budget_ms=1e3 / _TARGET,
        note=f"{rate:,.0f} events a second, {PROCESSORS} processors",
    )  # fmt: skip


def watching(subject: Subject, count: int, start: datetime, seed: int = 0) -> list[Event]:
    """Return events of all the bundle's members in turn, a millisecond apart."""
    rng = np.random.default_rng(seed)
    members, titles = subject.bundle.contents.user_ids, subject.bundle.contents.title_ids
    kinds = rng.choice(["play", "progress", "progress", "progress", "complete"], count)
    users, watched = rng.choice(members, count).tolist(), rng.choice(titles, count).tolist()
    fractions, ids = rng.random(count).tolist(), rng.bytes(16 * count)
    return [
        Event(
            str(UUID(bytes=ids[16 * n : 16 * n + 16])), users[n], watched[n], str(kinds[n]),
            start + timedelta(milliseconds=n), fractions[n], 1.0, s.DEVICES[n % len(s.DEVICES)],
        )
        for n in range(count)
    ]  # fmt: skip


def _processed(log: EventLog, records: list[LogRecord], environment: Mapping[str, str]) -> tuple[float, int]:
    """Return events a second, and of how many: those after the processors' first commits."""
    for begin in range(0, len(records), _APPENDED_AT_ONCE):
        log.append(records[begin : begin + _APPENDED_AT_ONCE])
    with ExitStack() as running:
        for _ in range(PROCESSORS):
            command = [sys.executable, "-m", "feature_repo", "stream"]
            process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.terminate)
        _await(log, lambda left: left < min(_MEASURED, len(records)))
        began, first = time.perf_counter(), sum(_lags(log))
        _await(log, lambda left: left == 0)
        seconds = time.perf_counter() - began
    return first / seconds, first


def _await(log: EventLog, reached: Callable[[int], bool]) -> int:
    deadline = time.monotonic() + _MOST_SECONDS
    while True:
        left = sum(_lags(log))
        if reached(left):
            return left
        if time.monotonic() > deadline:
            raise click.ClickException(f"{left:,} events left after {_MOST_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _lags(log: EventLog) -> list[int]:
    return [log.lag(GROUP, partition).events for partition in range(log.partitions)]


def _push_one_by_one(gateway: FeatureGateway, subject: Subject, effort: Effort) -> Timing:
    now = datetime.now(UTC)
    at = int(just_after(np.array([int(now.timestamp() * 1e6)]))[0])
    rows = [
        pa.table(
            {
                s.USER_ID: [user],
                s.EVENT_TIMESTAMP: pa.array([at], pa.int64()).cast(pa.timestamp("us", "UTC")),
                s.CREATED_TIMESTAMP: [now], s.SESSION_TITLE_IDS: [["t1"] * 8],
                s.SESSION_WATCH_FRACTIONS: pa.array([[0.5] * 8], pa.list_(pa.float32())),
                s.SESSION_COMPLETION: [0.5], s.SESSION_MINUTES: [20.0], s.SESSION_DEVICE: ["tv"],
                s.SESSION_WATCHED_AT: [at],
                s.SESSION_GENRES: pa.array([[0.0] * len(s.GENRES)], pa.list_(pa.float32())),
            },
        ).cast(s.USER_SESSION.arrow_schema)
        for user in subject.bundle.contents.user_ids[:50].tolist()
    ]  # fmt: skip
    frames = [row.to_pandas() for row in rows]
    return time_calls(lambda frame: gateway.feast_push(s.USER_SESSION, frame), frames, effort.calls)
