"""Pages over HTTP: one client alone, then as many as keep every thread of the server busy.

The clients run on the server's machine and each asks again as soon as it is answered, so that the load
is what the machine can carry, and waiting in the server's queue counts as latency.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from time import perf_counter
from typing import Final

import click

from tests.benchmarks.pages import NAIVE_PAGE, homepage_path
from tests.benchmarks.results import Measurement
from tests.benchmarks.server import HOST, running_server
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, Timing, summarise

ALONE: Final = "homepage over HTTP, alone"
AT_LOAD: Final = "homepage over HTTP, at load"
PACE_AT_LOAD: Final = "homepage over HTTP, milliseconds per page at load"
CLIENTS: Final = 8
_MOST_WORKERS: Final = 4
_PAGES_PER_SECOND: Final = 150.0


def measure_http(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Start the server, ask it alone and under load, stop it."""
    paths = [homepage_path(request) for request in subject.requests]
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    with running_server(subject.environment, workers) as port:
        ask(port, paths, WARM_UP_CALLS * workers)
        yield Measurement(
            ALONE, summarise(ask(port, paths, effort.calls)), NAIVE_PAGE, budget_ms=8.0,
            note="budget p99 25 ms; the naive page is not even sent",
        )  # fmt: skip
        milliseconds, seconds = ask_at_once(port, paths, effort.calls)
    pages = len(milliseconds)
    yield Measurement(
        AT_LOAD, summarise(milliseconds), note=f"{CLIENTS} clients, {workers} workers; budget p99 100 ms"
    )
    pace = 1e3 * seconds / pages
    yield Measurement(
        PACE_AT_LOAD, Timing(pace, pace, pages), budget_ms=1e3 / _PAGES_PER_SECOND,
        note=f"{pages / seconds:.0f} pages a second, clients included",
    )  # fmt: skip


def ask(port: int, paths: Sequence[str], pages: int) -> list[float]:
    """Ask for pages one after the other on one connection; return the milliseconds of each."""
    connection = HTTPConnection(HOST, port, timeout=30)
    milliseconds = []
    try:
        for page in range(pages):
            path = paths[page % len(paths)]
            begin = perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            milliseconds.append((perf_counter() - begin) * 1e3)
            if answer.status != 200:
                raise click.ClickException(f"{path}: status {answer.status}, {body[:300]!r}")
    finally:
        connection.close()
    return milliseconds


def ask_at_once(port: int, paths: Sequence[str], pages_per_client: int) -> tuple[list[float], float]:
    """Ask from CLIENTS connections at once; return the milliseconds of each page and seconds in all."""
    shares = [[*paths[client:], *paths[:client]] for client in range(CLIENTS)]
    begin = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda share: ask(port, share, pages_per_client), shares))
    return [one for answer in answers for one in answer], perf_counter() - begin
