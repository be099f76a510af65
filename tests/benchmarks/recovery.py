"""A feature store that loses everything under load: how long until pages are whole, and what that costs.

The server runs with its stream processor on a Redis of its own, which begins with what the service's holds;
the service's own is left alone. Clients ask at a steady pace for the pages of the sampled members. Then Redis
is emptied, and in a second round started anew without its file, and nobody does anything about it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
import redis

from tests.benchmarks.http_load import ask
from tests.benchmarks.pages import homepage_path
from tests.benchmarks.results import Measurement
from tests.benchmarks.server import HOST, exposition_of, running_server
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, Timing, summarise
from tests.faults.own_redis import OwnRedis

WARM: Final = "homepage over HTTP, feature store warm"
FILLING: Final = "homepage over HTTP, feature store {what}, until it is filled again"
HEALING: Final = "feature store {what}: until pages are whole again"
_CLIENTS: Final = 4
_PAGES_A_SECOND: Final = float(os.environ.get("MARQUEE_BENCH_PAGES_A_SECOND", "30"))
_WARM_SECONDS: Final = 20.0
_AFTER_SECONDS: Final = 10.0
"""How long after the last page that lacked its member's features the load goes on: then all come at once."""
_LONGEST_SECONDS: Final = 900.0
_SAMPLE_SECONDS: Final = 1.0
_READS: Final = re.compile(r'^marquee_member_reads_total\{outcome="(\w+)"\} (\S+)$', re.MULTILINE)
_OF_THE_STORE: Final = ("found", "unknown", "failed")


@dataclass(frozen=True, slots=True)
class _Page:
    """When a page was asked for, by a clock that cannot jump, how long it took, and what was wrong."""

    asked_at: float
    milliseconds: float
    lacking: bool
    failed: bool


@dataclass(slots=True)
class _Watched:
    """Pages, and the store's reads so far at moments a second apart."""

    pages: list[_Page] = field(default_factory=list)
    reads: list[tuple[float, float]] = field(default_factory=list)

    def between(self, begin: float, end: float) -> list[_Page]:
        return [page for page in self.pages if begin <= page.asked_at < end]

    def reads_a_second(self, begin: float, end: float) -> float:
        """Return the mean over the samples in a span; 0 where there are fewer than two."""
        found = [(at, count) for at, count in self.reads if begin <= at <= end]
        if len(found) < 2:
            return 0.0
        return (found[-1][1] - found[0][1]) / (found[-1][0] - found[0][0])

    def most_reads_a_second(self, begin: float, end: float) -> float:
        """Return the highest between two samples of a span."""
        found = [(at, count) for at, count in self.reads if begin <= at <= end]
        pairs = pairwise(found)
        return max(((more - less) / (to - since) for (since, less), (to, more) in pairs), default=0.0)


def measure_recovery(subject: Subject, _: Effort) -> Iterator[Measurement]:
    """Empty the store under load, then start it anew empty; measure until it has healed by itself."""
    paths = [homepage_path(request) for request in subject.requests]
    workers = min(os.cpu_count() or 1, 4)
    with TemporaryDirectory(prefix="marquee-recovery-") as folder:
        server = OwnRedis(Path(folder), _snapshot(subject, Path(folder) / "snapshot.rdb"))
        server.start()
        try:
            for what, lose in (("emptied", _empty(server)), ("restarted empty", _restart(server))):
                yield from _round(subject, server, paths, workers, what, lose)
        finally:
            server.kill()


def _round(
    subject: Subject,
    server: OwnRedis,
    paths: Sequence[str],
    workers: int,
    what: str,
    lose: Callable[[], None],
) -> Iterator[Measurement]:
    environment = {**subject.environment, "REDIS_URL": server.url}
    with running_server(environment, workers) as port:
        ask(port, paths, max(WARM_UP_CALLS, 4 * len(paths)) * workers)  # every worker knows every member
        watched, done = _Watched(), threading.Event()
        with ThreadPoolExecutor(_CLIENTS + 1) as threads:
            begin = time.monotonic()
            busy = [threads.submit(_client, port, paths, n, watched, done) for n in range(_CLIENTS)]
            busy.append(threads.submit(_sample, port, watched, done))
            try:
                done.wait(_WARM_SECONDS)
                lost_at = time.monotonic()
                lose()
                healed_at = _await_healing(watched, lost_at)
            finally:
                done.set()
            for one in busy:
                one.result()
    yield from _reported(watched, what, (begin, lost_at, healed_at), workers)


def _reported(
    watched: _Watched, what: str, instants: tuple[float, float, float], workers: int
) -> Iterator[Measurement]:
    begin, lost_at, healed_at = instants
    warm, filling = watched.between(begin, lost_at), watched.between(lost_at, healed_at)
    failed = sum(page.failed for page in watched.pages)
    usual = watched.reads_a_second(begin, lost_at)
    meanwhile = watched.reads_a_second(lost_at, healed_at)
    most = watched.most_reads_a_second(lost_at, healed_at + _AFTER_SECONDS)
    load = f"{_CLIENTS} clients, {_PAGES_A_SECOND:.0f} pages a second, {workers} workers"
    warm_timing = summarise([page.milliseconds for page in warm])
    yield Measurement(f"{WARM} ({what} later)", warm_timing, note=f"{load}; {usual:.1f} reads a second")
    lacking = sum(page.lacking for page in filling)
    yield Measurement(
        FILLING.format(what=what), summarise([page.milliseconds for page in filling]),
        f"{WARM} ({what} later)",
        note=f"{lacking} of {len(filling)} pages from features kept, or without any; {failed} failed; "
        f"{meanwhile:.1f} reads a second ({meanwhile / usual:.2f} × the usual), at most {most:.1f} in one "
        f"({most / usual:.2f} ×)",
    )  # fmt: skip
    took = 1e3 * (healed_at - lost_at)
    yield Measurement(HEALING.format(what=what), Timing(took, took, 1), note="by itself")


def _await_healing(watched: _Watched, lost_at: float) -> float:
    """Return when the last page was asked for that lacked features, once none has for a while."""
    while time.monotonic() < lost_at + _LONGEST_SECONDS:
        time.sleep(_SAMPLE_SECONDS)
        lacking = [page.asked_at for page in watched.between(lost_at, time.monotonic()) if page.lacking]
        if lacking and time.monotonic() - max(lacking) > _AFTER_SECONDS:
            return max(lacking)
    raise click.ClickException(f"the feature store was not filled within {_LONGEST_SECONDS:.0f} s")


def _client(port: int, paths: Sequence[str], first: int, watched: _Watched, done: threading.Event) -> None:
    """Ask on one connection; a page is as old as the turn it was to be asked at, so that waiting counts."""
    connection = HTTPConnection(HOST, port, timeout=30)
    page, turn = first, time.monotonic()
    while not done.wait(max(0.0, turn - time.monotonic())):
        lacking, failed = False, False
        try:
            connection.request("GET", paths[page % len(paths)])
            answer = connection.getresponse()
            body = answer.read()
            failed = answer.status != 200
            lacking = not failed and any(
                name.partition(":")[0] == "features" for name in json.loads(body)["degraded"]
            )
        except (HTTPException, OSError):
            failed = True
            connection.close()
        watched.pages.append(_Page(turn, (time.monotonic() - turn) * 1e3, lacking, failed))
        page, turn = page + _CLIENTS, turn + _CLIENTS / _PAGES_A_SECOND
    connection.close()


def _sample(port: int, watched: _Watched, done: threading.Event) -> None:
    while not done.wait(_SAMPLE_SECONDS):
        counts = dict(_READS.findall(exposition_of(port)))
        watched.reads.append((time.monotonic(), sum(float(counts.get(name, 0)) for name in _OF_THE_STORE)))


def _snapshot(subject: Subject, file: Path) -> Path:
    """Copy what the service's Redis holds; it must be on this machine."""
    with redis.Redis.from_url(subject.gateway.online_url) as client:
        client.save()
        place = Path(client.config_get("dir")["dir"]) / client.config_get("dbfilename")["dbfilename"]
    if not place.exists():
        raise click.ClickException(
            f"the snapshot {place} of the feature store's Redis is not on this machine"
        )
    return Path(shutil.copy(place, file))


def _empty(server: OwnRedis) -> Callable[[], None]:
    def empty() -> None:
        with server.client() as client:
            client.flushall()

    return empty


def _restart(server: OwnRedis) -> Callable[[], None]:
    def restart() -> None:
        server.kill()
        server.start(empty=True)

    return restart
