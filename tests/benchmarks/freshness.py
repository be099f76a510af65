"""From an accepted event to the homepage that reflects it, while a thousand other events come in a second."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import click

from feature_repo import schema as s
from tests.benchmarks.arrivals import copied_service
from tests.benchmarks.results import Measurement
from tests.benchmarks.server import HOST, running_server
from tests.benchmarks.stream import watching
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, summarise

FRESH: Final = "event accepted to homepage"
_EVENTS_PER_SECOND: Final = 1_000
_BATCH: Final = 100
_BUDGET_MS: Final = 1_000.0
_WORKERS: Final = 2
_MOST_SECONDS: Final = 30.0
_MOST_START_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 0.005
_PROBES_PER_CALL: Final = 0.4


def measure_freshness(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Let members begin a title, and ask for their page until it stands in Continue Watching."""
    seen, late = [], 0
    with copied_service(subject, "unused") as environment, running_server(environment, _WORKERS) as port:
        clock = _service_clock(port, subject)
        _probe(port, subject, -1, clock(), _MOST_START_SECONDS)  # the stream first makes states from history
        with _load(port, subject, clock()) as sent:
            for number in range(max(5, int(effort.calls * _PROBES_PER_CALL))):
                seen.append(_probe(port, subject, number, clock()) * 1e3)
            late = sent.behind
    yield Measurement(
        FRESH, summarise(seen), budget_ms=_BUDGET_MS,
        note=f"{_EVENTS_PER_SECOND:,} other events a second ({late} batches late), {_WORKERS} workers",
    )  # fmt: skip


def _service_clock(port: int, subject: Subject) -> Any:
    """Return the server's own clock, which may replay the data's time."""
    page = _read(port, f"/v1/members/{subject.bundle.contents.user_ids[0]}/homepage")
    ahead = datetime.fromisoformat(page["generated_at"]) - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


def _probe(
    port: int, subject: Subject, number: int, now: datetime, most_seconds: float = _MOST_SECONDS
) -> float:
    """Return the seconds from the answer to an event until the member's homepage goes on with its title."""
    members = subject.bundle.contents.user_ids
    user = str(members[number % len(members)])
    title = _offered(port, user)
    later = now + timedelta(milliseconds=1)  # of one instant the ids would say which comes first
    _send(port, [_event(user, title, "play", now, None), _event(user, title, "progress", later, 0.4)])
    began = time.perf_counter()
    while title not in _continued(port, user):
        if time.perf_counter() - began > most_seconds:
            raise click.ClickException(f"{title} is not on the page of {user} after {most_seconds:.0f} s")
        time.sleep(_PAUSE_SECONDS)
    return time.perf_counter() - began


def _event(user: str, title: str, kind: str, at: datetime, fraction: float | None) -> dict[str, Any]:
    return {
        s.EVENT_ID: str(uuid4()), s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TYPE: kind,
        s.EVENT_TIMESTAMP: at.isoformat(), s.WATCH_FRACTION: fraction, s.DEVICE_TYPE: "tv",
    }  # fmt: skip


class _Sent:
    """How often the load fell behind its pace."""

    behind = 0


@contextmanager
def _load(port: int, subject: Subject, start: datetime) -> Iterator[_Sent]:
    """Send other members' events at an even pace until left."""
    stop, sent = threading.Event(), _Sent()

    def send() -> None:
        pace = _BATCH / _EVENTS_PER_SECOND
        due = time.perf_counter()
        for number in range(10**9):
            at = start + timedelta(seconds=number * pace)
            events = watching(subject, _BATCH, at - timedelta(milliseconds=_BATCH), seed=number)
            _send(port, [_as_sent(event) for event in events])
            due += pace
            pause = due - time.perf_counter()
            if pause < 0:
                sent.behind += 1
            if stop.wait(max(0.0, pause)):
                return

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def _as_sent(event: Any) -> dict[str, Any]:
    values = {c.name: getattr(event, c.name) for c in s.EVENTS.columns}
    return {**values, s.EVENT_TIMESTAMP: event.event_timestamp.isoformat()}


def _continued(port: int, user: str) -> set[str]:
    page = _read(port, f"/v1/members/{user}/homepage?device=tv")
    rows = [row for row in page["rows"] if row["row_type"] == "continue_watching"]
    return {tile["title_id"] for row in rows for tile in row["tiles"]}


def _offered(port: int, user: str) -> str:
    """Return a title that the member may see and has not begun."""
    page = _read(port, f"/v1/members/{user}/homepage?device=tv")
    rows = [row for row in page["rows"] if row["row_type"] != "continue_watching"]
    return str(rows[-1]["tiles"][0]["title_id"])


def _send(port: int, events: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v1/events", json.dumps({"events": events}).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        rejected = json.loads(answer.read())["rejected"]
    if rejected:
        raise click.ClickException(f"the server rejected an event: {rejected[0]['reason']}")


def _read(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=30) as answer:
        return json.loads(answer.read())
