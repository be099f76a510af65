"""A store that has lost everything, as a Redis does that is started anew without its file: filled again.

Features come from the lake, by a materialization in a process of its own and of low priority, so that pages,
which go on from what their servers remember, do not wait for it. Then the members' states are made anew. One
processor does it, whichever is first; the others wait for the lock, and then find it done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import pyarrow.compute as pc
import structlog
from redis.exceptions import LockError

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import PROFILE_VARIABLE, Settings
from feature_repo.store import FeatureGateway

_LOOKED_AT: Final = 1_000
_POLL_SECONDS: Final = 0.5
_AGAIN_SECONDS: Final = 30.0
_NICENESS: Final = 10

_log = structlog.get_logger(__name__)


class StatesLostError(RuntimeError):
    """The stream's states are gone from the store, and with them what processors remember of it."""


def is_cold(gateway: FeatureGateway, lake: Lake) -> bool:
    """Say whether the online store knows less than half of the titles that the lake has features of.

    Up to 1,000 titles are asked for. Without features in the lake there is nothing to know.
    """
    if not lake.exists(s.TITLE_METADATA):
        return False
    ids = pc.unique(lake.read(s.TITLE_METADATA, columns=[s.TITLE_ID])[s.TITLE_ID]).to_pylist()
    asked = sorted(ids)[:_LOOKED_AT]
    known = int((gateway.online_column(s.TITLE_METADATA, s.NAME, asked) != "").sum())
    return 2 * known < len(asked)


def refill(settings: Settings, url: str, stop: threading.Event, alive: Callable[[], None]) -> None:
    """Bring the lake's features online again, and try until that has worked or ``stop`` is set.

    ``alive`` is called at least every few seconds meanwhile.
    """
    environment = {
        **os.environ, "MARQUEE_HOME": str(settings.home), "MARQUEE_LAKE": settings.lake, "REDIS_URL": url,
        PROFILE_VARIABLE: settings.profile or "",
    }  # fmt: skip
    command = ["nice", "-n", str(_NICENESS), sys.executable, "-m", "feature_repo", "materialize"]
    while not stop.is_set():
        _log.warning("the online store has lost its features; they are brought online from the lake")
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as work:
            status = _wait(work, stop, alive)
        if status == 0:
            _log.warning("the online store is filled again")
            return
        if not stop.is_set():
            _log.error("filling the online store failed; it is tried again", status=status)
            _pause(stop, alive)


def _wait(work: subprocess.Popen[bytes], stop: threading.Event, alive: Callable[[], None]) -> int:
    while True:
        try:
            return work.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            alive()
        if stop.is_set():
            work.terminate()


def _pause(stop: threading.Event, alive: Callable[[], None]) -> None:
    for _ in range(round(_AGAIN_SECONDS / _POLL_SECONDS)):
        if stop.wait(_POLL_SECONDS):
            return
        alive()


def keep(lock: Any) -> None:
    """Hold a lock for as long again; one that was lost is no matter: the work may be repeated."""
    try:
        lock.reacquire()
    except LockError:
        return
