"""kill -9 at every point of a batch, again and again: nothing is lost, nothing counts twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import LogRecord
from feature_repo.stream.event_record import Event
from feature_repo.stream.live_plays import LivePlays
from feature_repo.stream.processor import GROUP
from feature_repo.stream.state_store import DEAD_LETTERS, StateStore
from tests.feature_repo.stream.streamed_service import (
    START,
    Service,
    append,
    as_of,
    delivered,
    encoded,
    events,
    online,
)

ROOT = Path(__file__).resolve().parents[3]
POINTS = (
    ("gateway.write_online:before", 2),  # between the snapshots and the sessions of a batch
    ("gateway.write_online:after", 2),  # online, not committed
    ("store.commit:before", 3),
    ("store.commit:after", 3),  # committed, the log does not know yet
    ("log.commit:after", 5),
    ("outbox._cut:before", 1),  # in the lake, and still in the outbox
    ("outbox._cut:after", 2),
    ("store.commit:after", 1),
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_kill_loses_or_doubles_anything(
    settings: Settings, gateway: FeatureGateway, tmp_path: Path
) -> None:
    service = Service.open(settings, gateway)
    made = events(900, 6, seed=21)
    arriving = delivered(made, seed=22)
    shares = np.array_split(np.arange(len(arriving)), len(POINTS))
    for (point, times), share in zip(POINTS, shares, strict=True):
        append(service.log, [arriving[i] for i in share])
        service.log.append([LogRecord("u0", f"no event, {point}".encode())])
        assert run(settings, point, times) == -signal.SIGKILL, f"{point} was not reached"
    assert run(settings, "none", 0) == 0

    assert service.lake_events() == Counter(e.event_id for e in arriving)
    client = StateStore.open(service.gateway.online_url).client
    assert len(client.xrange(DEAD_LETTERS)) == len(POINTS)
    assert all(service.log.lag(GROUP, partition).events == 0 for partition in range(4))
    assert_plays_count_once(service, made)
    end = made[-1].event_timestamp
    hour = end.replace(minute=0, second=0, microsecond=0)
    history = service.from_history(made, tmp_path / "history")
    instants = [(e.user_id, e.event_timestamp) for e in made[::11] if e.event_timestamp <= hour]
    instants += [(f"u{n}", START + (hour - START) / 7 * n) for n in range(6)]
    assert as_of(service.gateway, instants) == as_of(history, instants)
    for user in (f"u{n}" for n in range(6)):
        (row,) = as_of(history, [(user, end + timedelta(seconds=1))])
        wanted, found = encoded(row), online(service.gateway, user, end)
        names = [name for name in wanted if name.startswith("session_")]
        assert {n: found[n] for n in names} == {n: wanted[n] for n in names}


def run(settings: Settings, point: str, times: int) -> int:
    environment = {
        **os.environ, "MARQUEE_HOME": str(settings.home), "REDIS_URL": str(settings.redis_url),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.feature_repo.stream.killed_processor", point, str(times)]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False, timeout=120).returncode


def assert_plays_count_once(service: Service, made: list[Event]) -> None:
    plays = [e for e in made if e.event_type == "play"]
    hours = sorted({int(e.event_timestamp.timestamp()) // 3600 * 3_600_000_000 for e in plays})
    counted = LivePlays(StateStore.open(service.gateway.online_url).client).hours("", hours)
    weights = [np.exp((e.event_timestamp.timestamp() % 3600) / 172_800) for e in plays]
    assert sum(sum(of_hour.values()) for of_hour in counted) == pytest.approx(sum(weights), rel=1e-9)
