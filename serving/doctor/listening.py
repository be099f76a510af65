"""What listens on the port that a server would take."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final

from serving.doctor.findings import Finding, Patient, bad, ok, warn

_SECONDS: Final = 3.0


def port(patient: Patient) -> Iterator[Finding]:
    """Look whether the port is free, or who answers on it."""
    address = f"http://127.0.0.1:{patient.port}"
    if not _taken(patient.port):
        yield ok("port", f"{patient.port} is free: no server runs there")
        return
    status, answer = _ready(address)
    if status == 200 and "bundle" in answer:
        yield ok("port", f"a server answers on {address}, with bundle {answer['bundle']}")
        if not answer.get("feature_store", True):
            yield bad(
                "server",
                "its feature store does not answer: pages are degraded",
                "see the line of redis; the server reconnects by itself",
            )
    elif status == 503 and "detail" in answer:
        yield warn(
            "port", f"a server on {address} is not ready: {answer['detail']}", "see the line of bundles"
        )
    else:
        yield bad(
            "port",
            f"{patient.port} is taken by another program",
            f"python -m serving run --port {patient.port + 1}, or end what listens: ss -ltnp 'sport = "
            f":{patient.port}'",
        )


def _taken(number: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex(("127.0.0.1", number)) == 0


def _ready(address: str) -> tuple[int, dict[str, object]]:
    try:
        answer = urllib.request.urlopen(f"{address}/readyz", timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        answer = error
    except (OSError, ValueError):
        return 0, {}
    try:
        with answer:
            found = json.loads(answer.read())
    except (OSError, ValueError):
        return 0, {}
    return int(answer.status), found if isinstance(found, dict) else {}
