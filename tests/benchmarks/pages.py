"""A whole page in this process, and its stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

import click
from flask.testing import FlaskClient

from serving.app import create_app
from serving.candidates.query import PageRequest
from tests.benchmarks.naive import naive_page
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, summarise, time_calls

PAGE: Final = "homepage in process"
NAIVE_PAGE: Final = "homepage in process, naive"
STAGE: Final = "stage: "
_BUDGETS_MS: Final = {"features": 1.5, "als": 0.5, "ranking_features": 0.5, "ranker": 3.0, "page": 1.5}


def homepage_path(request: PageRequest, at: datetime | None = None) -> str:
    """Return path and query of a page; without ``at``, the page of the service's present."""
    query = {"device": request.device} | ({} if at is None else {"at": at.isoformat()})
    return f"/v1/members/{quote(request.user_id, safe='')}/homepage?{urlencode(query)}"


def measure_pages(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure pages through Flask without a network, each stage as the server itself reports it."""
    client = create_app(subject.service).test_client()
    paths = [homepage_path(request) for request in subject.requests]
    stages: dict[str, list[float]] = defaultdict(list)

    def page(path: str) -> None:
        for stage, milliseconds in _timings(client, path).items():
            stages[stage].append(milliseconds)

    timing = time_calls(page, paths, effort.calls)
    yield Measurement(PAGE, timing, NAIVE_PAGE, note="features to JSON, Flask's test client included")
    for stage, milliseconds in stages.items():
        name = f"{STAGE}diversity and rows" if stage == "page" else f"{STAGE}{stage}"
        measured = summarise(milliseconds[WARM_UP_CALLS:])
        yield Measurement(name, measured, budget_ms=_BUDGETS_MS.get(stage), note="of a homepage in process")
    naive = time_calls(
        lambda asked: naive_page(subject, asked), subject.candidates, effort.slow_calls, warm_up=1
    )
    yield Measurement(NAIVE_PAGE, naive, note="one online call, predict, sort; no rows, no JSON")


def _timings(client: FlaskClient, path: str) -> dict[str, float]:
    """Ask for a page; return the milliseconds of its stages and raise where it was not a whole one."""
    answer = client.get(path)
    if answer.status_code != 200 or answer.get_json()["degraded"]:
        raise click.ClickException(
            f"{path}: status {answer.status_code}, {answer.get_data(as_text=True)[:300]}"
        )
    return parse_server_timing(answer.headers["Server-Timing"])


def parse_server_timing(header: str) -> dict[str, float]:
    """Return the milliseconds of each entry of a ``Server-Timing`` header, as this service writes it."""
    entries = (entry.strip().split(";dur=") for entry in header.split(","))
    return {name: float(milliseconds) for name, milliseconds in entries}
