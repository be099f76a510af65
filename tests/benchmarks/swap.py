"""Swapping bundles under load: what it costs the slowest pages, and whether any is lost.

The server runs with its clients on the same machine at a steady load below what it can carry, as a service
does: each client asks, waits until its next turn, and asks again. Meanwhile the champion's alias moves to
another bundle, to and fro, and what is measured ends when every worker has followed.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import click
import numpy as np

from tests.benchmarks.http_load import ask
from tests.benchmarks.pages import homepage_path
from tests.benchmarks.results import Measurement
from tests.benchmarks.server import HOST, bundles_in_place, exposition_of, running_server
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, summarise
from training.bundle import CHAMPION, BundleAliases, BundleContents, write_bundle

STEADY: Final = "homepage over HTTP, no swap"
SWAPPING: Final = "homepage over HTTP, while bundles are swapped"
_CLIENTS: Final = 4
_PAGES_A_SECOND: Final = float(os.environ.get("MARQUEE_BENCH_PAGES_A_SECOND", "30"))
_CALLS_A_ROUND: Final = 125
_FEWEST_ROUNDS: Final = 2
_FOLLOW_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Load:
    milliseconds: list[float]
    failed: int


def measure_swap(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Alternate phases with a swap and, as long, without, so that both see the same machine."""
    paths = [homepage_path(request) for request in subject.requests]
    workers = min(os.cpu_count() or 1, 4)
    aliases = BundleAliases(subject.settings.bundles)
    first = subject.bundle.manifest.version
    second = _another(subject)
    rounds = max(_FEWEST_ROUNDS, effort.calls // _CALLS_A_ROUND)
    steady, swapping, failed = [], [], 0
    try:
        with running_server(subject.environment, workers) as port:
            ask(port, paths, WARM_UP_CALLS * workers)
            for turn in range(rounds):
                done, begin = threading.Event(), time.monotonic()
                with ThreadPoolExecutor(1) as swap:
                    version = (second, first)[turn % 2]
                    made = swap.submit(_swap, aliases, version, port, workers, done)
                    busy = _loaded(port, paths, None, done)
                    made.result()
                quiet = _loaded(port, paths, time.monotonic() - begin, threading.Event())
                swapping += busy.milliseconds
                steady += quiet.milliseconds
                failed += quiet.failed + busy.failed
    finally:
        aliases.set(CHAMPION, first)
        shutil.rmtree(subject.settings.bundles / second)
    if failed:
        raise click.ClickException(f"{failed} requests failed while bundles were swapped")
    load = f"{_CLIENTS} clients, {_PAGES_A_SECOND:.0f} pages a second, {workers} workers"
    yield Measurement(STEADY, summarise(steady), note=load)
    ratio = summarise(swapping).p99_ms / summarise(steady).p99_ms
    yield Measurement(
        SWAPPING, summarise(swapping), STEADY,
        note=f"{rounds} swaps in each worker, none of {len(swapping):,} requests lost; p99 {ratio:.2f} × "
        "that without (at most 1.5)",
    )  # fmt: skip


def _another(subject: Subject) -> str:
    """Publish the bundle with vectors turned by a hair: another one with the same work to do."""
    contents: BundleContents = subject.bundle.contents
    turned = replace(contents, title_factors=contents.title_factors * np.float32(1.001))
    manifest = subject.bundle.manifest
    root: Path = subject.settings.bundles
    return write_bundle(
        root, turned, created_at=datetime.now(UTC), seed=manifest.seed, parent=manifest.version,
        data_window=(manifest.data_window.start, manifest.data_window.end),
        schema_hash=manifest.schema_hash, metrics={},
    )  # fmt: skip


def _swap(aliases: BundleAliases, version: str, port: int, workers: int, done: threading.Event) -> None:
    """Make a version champion and wait until every worker serves it."""
    try:
        before = bundles_in_place(exposition_of(port))
        aliases.set(CHAMPION, version)
        deadline = time.monotonic() + _FOLLOW_SECONDS
        while bundles_in_place(exposition_of(port)) < before + workers:
            if time.monotonic() > deadline:
                raise click.ClickException(f"a swap was not made in {_FOLLOW_SECONDS:.0f} s")
            time.sleep(0.5)
    finally:
        done.set()


def _loaded(port: int, paths: Sequence[str], seconds: float | None, done: threading.Event) -> _Load:
    """Ask at a steady pace for so long, or until ``done``."""
    end = None if seconds is None else time.monotonic() + seconds
    with ThreadPoolExecutor(_CLIENTS) as clients:
        shares = [[*paths[client:], *paths[:client]] for client in range(_CLIENTS)]
        loads = list(clients.map(lambda share: _paced(port, share, end, done), shares))
    return _Load([one for load in loads for one in load.milliseconds], sum(load.failed for load in loads))


def _paced(port: int, paths: Sequence[str], end: float | None, done: threading.Event) -> _Load:
    """Ask on one connection; a page is as old as the turn it was to be asked at, so that waiting counts."""
    connection = HTTPConnection(HOST, port, timeout=30)
    milliseconds: list[float] = []
    failed, page, turn = 0, 0, time.monotonic()
    while not done.is_set() and (end is None or turn < end):
        time.sleep(max(0.0, turn - time.monotonic()))
        try:
            connection.request("GET", paths[page % len(paths)])
            answer = connection.getresponse()
            answer.read()
            failed += answer.status != 200
        except (HTTPException, OSError):
            failed += 1
            connection.close()
        milliseconds.append((time.monotonic() - turn) * 1e3)
        page, turn = page + 1, turn + _CLIENTS / _PAGES_A_SECOND
    connection.close()
    return _Load(milliseconds, failed)
