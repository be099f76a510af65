"""The real server as a process of its own, started and stopped."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import click

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.3
_SWAPS: Final = re.compile(r"^marquee_bundle_swaps_total(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


_LOOKS: Final = re.compile(r"^marquee_title_visible_seconds_count(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@contextmanager
def running_server(environment: Mapping[str, str], workers: int) -> Iterator[int]:
    """Yield the port of a server whose ``workers`` are all warm; stopped on leaving."""
    port = _free_port()
    command = [
        sys.executable, "-m", "serving", "run", "--host", HOST, "--port", str(port), "--workers", str(workers)
    ]  # fmt: skip
    server = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        _await_workers(server, port, workers)
        yield port
    finally:
        _stop(server)


def bundles_in_place(exposition: str) -> int:
    """Return how often, over all workers, a bundle was put in place, from Prometheus's text."""
    return int(sum(float(count) for count in _SWAPS.findall(exposition)))


def _await_workers(server: subprocess.Popen[bytes], port: int, workers: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while _warm_workers(port) < workers:
        if server.poll() is not None:
            raise click.ClickException(
                f"the server ended with status {server.returncode}; run `python -m serving run` to see why"
            )
        if time.monotonic() > deadline:
            raise click.ClickException(f"not all of {workers} workers served after {_START_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def looks_at_titles(exposition: str) -> int:
    """Return how often, over all workers, changed titles were taken in, from Prometheus's text."""
    return int(sum(float(count) for count in _LOOKS.findall(exposition)))


def _warm_workers(port: int) -> int:
    try:
        return bundles_in_place(exposition_of(port))
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return 0


def exposition_of(port: int) -> str:
    """Return Prometheus's text of the server on ``port``."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
