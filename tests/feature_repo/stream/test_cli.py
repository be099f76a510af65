from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType

import pytest
from click.testing import CliRunner

from feature_repo.cli import main
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.seeding import forget, seeded
from feature_repo.stream.state_store import StateStore
from tests.feature_repo.stream.streamed_service import Service, append, events


def test_help_teaches() -> None:
    shown = CliRunner().invoke(main, ["stream", "--help"]).output
    assert "python -m feature_repo stream --log kafka://" in shown
    assert "--reseed" in shown


def test_without_titles_the_remedy_is_named(settings: Settings, gateway: FeatureGateway) -> None:
    answer = CliRunner().invoke(main, ["stream"], env=environment(settings))
    assert answer.exit_code == 1
    assert "import or simulate data first" in answer.output


def test_a_run_in_a_process_of_ours_leaves_its_signals_as_they_were(
    settings: Settings, gateway: FeatureGateway
) -> None:
    def ours(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail("nobody sends a signal")

    before = {number: signal.signal(number, ours) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert CliRunner().invoke(main, ["stream"], env=environment(settings)).exit_code == 1
        assert [signal.getsignal(number) for number in before] == [ours, ours]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_another_number_of_partitions_is_refused(settings: Settings, gateway: FeatureGateway) -> None:
    Service.open(settings, gateway)
    answer = CliRunner().invoke(main, ["stream", "--partitions", "5"], env=environment(settings))
    assert answer.exit_code == 1
    assert "partitions = 5: the event log marquee:events has 4" in answer.output


def test_ctrl_c_flushes_and_leaves(settings: Settings, gateway: FeatureGateway) -> None:
    service = Service.open(settings, gateway)
    made = events(30, 2, seed=1)
    append(service.log, made)
    command = [sys.executable, "-m", "feature_repo", "stream", "--partitions", "4"]
    with subprocess.Popen(
        command, env={**os.environ, **environment(settings)}, stdout=subprocess.PIPE, text=True
    ) as stream:
        assert stream.stdout is not None
        assert "states of 0 members made from history" in stream.stdout.readline()
        assert "running" in stream.stdout.readline()
        stream.send_signal(signal.SIGINT)
        assert stream.wait(60) == 0
    # Whatever it had processed by then is in the lake; the rest is still in the log.
    assert set(service.lake_events()) <= {e.event_id for e in made}


def test_what_is_forgotten_is_made_anew(settings: Settings, gateway: FeatureGateway) -> None:
    service = Service.open(settings, gateway, history=events(30, 2, seed=1))
    command = [sys.executable, "-m", "feature_repo", "stream", "--partitions", "4"]
    with subprocess.Popen(
        command, env={**os.environ, **environment(settings)}, stdout=subprocess.PIPE, text=True
    ) as stream:
        assert stream.stdout is not None
        assert "states of 2 members made from history" in stream.stdout.readline()
        stream.send_signal(signal.SIGINT)
        stream.wait(60)
    store = StateStore.open(service.gateway.online_url)
    assert seeded(store)
    forget(service.gateway.online_url)
    assert not seeded(store)
    assert store.client.keys("marquee:stream:member:*") == []


def environment(settings: Settings) -> dict[str, str]:
    return {"MARQUEE_HOME": str(settings.home), "REDIS_URL": str(settings.redis_url)}
