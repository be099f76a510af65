"""A processor that kills itself (SIGKILL) at a chosen point: ``python -m ... POINT TIMES``.

``POINT`` is ``<part>.<method>:<before|after>``; the process dies at the TIMES-th call. With ``none`` it lives
until the log is empty, and leaves.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from typing import Any

from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.processor import ProcessorSettings
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.stream.running import StreamRunner, StreamSettings

LEASE = timedelta(seconds=2)


def main(point: str, times: int) -> None:
    settings = Settings.from_environment()
    gateway = FeatureGateway.open(settings)
    assert settings.redis_url is not None
    log = RedisEventLog.open(settings.redis_url, partitions=4)
    stream = StreamSettings(ProcessorSettings(batch=60), lease=LEASE, flush_every=timedelta(0))
    runner = StreamRunner(settings, gateway, log, stream)
    parts: dict[str, Any] = {
        "gateway": gateway, "store": runner._parts.store, "log": log, "outbox": runner._outbox,
        "runner": runner,
    }  # fmt: skip
    if point != "none":
        place, _, when = point.partition(":")
        die_at(parts[place.split(".")[0]], place.split(".")[1], when == "before", times)
    runner.seed_if_new()
    idle_since = time.monotonic()
    # As long as nothing can be done the leases of the dead run out.
    while time.monotonic() - idle_since < 4 * LEASE.total_seconds():
        if runner.work():
            idle_since = time.monotonic()
    runner.leave()


def die_at(part: Any, method: str, before: bool, times: int) -> None:
    real, calls = getattr(part, method), [0]

    def dying(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if before and calls[0] == times:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if calls[0] == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(part, method, dying)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
