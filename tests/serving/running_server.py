"""The server as it runs for real, in processes of its own, for tests to ask and to end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from feature_repo.settings import REPOSITORY_ROOT

STOP_SECONDS = 60
PATIENT = {"limits": {"read_ms": 20_000, "stage_ms": 60_000, "page_ms": 60_000}}
"""Settings of a server whose pages are whole however busy the machine is."""


@dataclass(frozen=True)
class Server:
    """A server that has announced itself."""

    process: subprocess.Popen[str]
    address: str

    def get(self, path: str) -> tuple[int, Any, str]:
        """Return status, JSON or text, and Server-Timing."""
        try:
            answer = urllib.request.urlopen(self.address + path, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read().decode()
            is_json = "json" in answer.headers["Content-Type"]
            return answer.status, json.loads(body) if is_json else body, answer.headers["Server-Timing"]

    def send(self, method: str, path: str, body: Any, token: str = "") -> tuple[int, Any]:
        """Return status and JSON of a call with a body."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), headers, method=method
        )
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, json.loads(answer.read())

    def rows(self, user_id: str) -> Any:
        """Return the titles of a page's rows, made for an instant of its own so that any two can be compared.

        What was explored is left out: it differs from page to page.
        """
        status, page, _ = self.get(f"/v1/members/{user_id}/homepage?device=tv&at=2026-03-01T20:00:00Z")
        assert (status, page["degraded"]) == (200, [])
        return [
            [tile["title_id"] for tile in row["tiles"] if tile["propensity"] == 1.0] for row in page["rows"]
        ]

    def family(self) -> list[psutil.Process]:
        """Return gunicorn, its workers and Redis."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found


@contextmanager
def running(home: Path, **variables: str) -> Iterator[Server]:
    """Run the server until the block ends, with more environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "MARQUEE_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    environment = {k: v for k, v in environment.items() if k not in ("REDIS_URL", "MARQUEE_LAKE")} | variables
    patient = home / "patient.json"
    patient.write_text(json.dumps(PATIENT))
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "run", "--port", str(port), "--workers", "2", "--threads", "2",
         "--settings", str(patient)],
        cwd=REPOSITORY_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        # It announces itself once /readyz answers; its output ends early only if it ends.
        assert any(line.startswith("Marquee serves on") for line in process.stdout)
        yield Server(process, f"http://127.0.0.1:{port}")
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)


def kill(server: Server) -> None:
    """End every process of a server at once, without a chance to finish anything."""
    family = [psutil.Process(server.process.pid), *server.family()]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=STOP_SECONDS)
