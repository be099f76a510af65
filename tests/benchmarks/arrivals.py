"""From a title's metadata to members' eyes, on the running server.

The server is one of a copy of the service, as titles that come in stay for good.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from serving.api.access import ADMIN_TOKEN
from tests.benchmarks.http_load import ask
from tests.benchmarks.pages import homepage_path
from tests.benchmarks.results import Measurement
from tests.benchmarks.server import HOST, exposition_of, looks_at_titles, running_server
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, summarise

VISIBLE: Final = "new title, similar titles on all workers"
IMPRESSION: Final = "new title, first impression"
_WORKERS: Final = 2
_MOST_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.005
_CONNECTIONS: Final = 10
"""New connections that all have to know a title: either worker may answer each."""
_BUDGET_MS: Final = 1_000.0


def measure_arrivals(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Send titles one after the other; measure until every worker and until a page shows each."""
    paths = [homepage_path(request) for request in subject.requests]
    token = secrets.token_hex()
    visible, shown = [], []
    with copied_service(subject, token) as environment, running_server(environment, _WORKERS) as port:
        ask(port, paths, WARM_UP_CALLS)
        for number in range(effort.slow_calls):
            known, seen = _arrive(port, f"arrival-{number}", token, paths)
            visible.append(known * 1e3)
            shown.append(seen * 1e3)
    note = f"from PUT on, {_WORKERS} workers"
    yield Measurement(VISIBLE, summarise(visible), budget_ms=_BUDGET_MS, note=note)
    yield Measurement(IMPRESSION, summarise(shown), note=f"{note}; on the homepage of some member")


def _arrive(port: int, title_id: str, token: str, paths: Sequence[str]) -> tuple[float, float]:
    """Send a title; return the seconds until all workers know it, and until a homepage shows it."""
    looks = looks_at_titles(exposition_of(port))
    began = time.perf_counter()
    _put(port, title_id, token)
    seen: float | None = None
    known: float | None = None
    for path in cycle(paths):
        now = time.perf_counter() - began
        if known is None and looks_at_titles(exposition_of(port)) >= looks + _WORKERS:
            known = time.perf_counter() - began
        if seen is None and title_id in _tiles(port, path):
            seen = time.perf_counter() - began
        if known is not None and seen is not None:
            break
        if now > _MOST_SECONDS:
            raise click.ClickException(f"{title_id}: not on all workers and a page after {now:.0f} s")
        time.sleep(_PAUSE_SECONDS)
    for _ in range(_CONNECTIONS):
        _read(port, f"/v1/titles/{title_id}/similar?k=5")
    assert known is not None
    assert seen is not None
    return known, seen


def _put(port: int, title_id: str, token: str) -> None:
    record = {
        "name": f"Name of {title_id}", "genres": ["Drama"], "synopsis": "a ship at sea", "maturity_level": 0,
    }  # fmt: skip
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v1/titles/{title_id}", json.dumps(record).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}, method="PUT",
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30):
        return


def _tiles(port: int, path: str) -> set[str]:
    page = _read(port, path)
    return {tile["title_id"] for row in page["rows"] for tile in row["tiles"]}


def _read(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=30) as answer:
        return json.loads(answer.read())


@contextmanager
def copied_service(subject: Subject, token: str) -> Iterator[Mapping[str, str]]:
    """Yield the environment of a copy: its lake, its bundles, and a feature store filled from them.

    Admin calls need ``token``.
    """
    source = subject.settings
    if not Path(source.lake).is_dir():
        raise click.ClickException(
            f"{source.lake}: only a lake in a folder can be copied for this measurement"
        )
    with TemporaryDirectory(prefix="marquee-arrivals-") as folder:
        home = Path(folder)
        shutil.copytree(source.lake, home / "lake")
        shutil.copytree(source.bundles, home / "bundles")
        copy = Settings(home, str(home / "lake"), None)
        with running_redis(copy) as url:
            gateway = FeatureGateway.open(copy, url)
            gateway.apply()
            gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), subject.bundle.manifest.data_window.end)
            places = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": copy.lake, "REDIS_URL": url}
            yield {**subject.environment, **places, ADMIN_TOKEN: token}
