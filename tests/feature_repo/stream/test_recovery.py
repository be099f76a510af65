"""A store that loses everything while the stream runs, and has it again without anybody's help."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.recovery import StatesLostError, is_cold, refill
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.stream.running import StreamRunner
from feature_repo.stream.seeding import seeded
from feature_repo.stream.state_store import StateStore
from tests.feature_repo.stream.streamed_service import Service, append, events, online

LOOKS = 3_000


def wait_until(so: Callable[[], bool], what: str) -> None:
    between = threading.Event()
    for _ in range(LOOKS):
        if so():
            return
        between.wait(0.1)
    pytest.fail(f"never: {what}")


@contextmanager
def stream(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "feature_repo", "stream", "--partitions", "4", "--flush-seconds", "0"]
    environment = {"MARQUEE_HOME": str(settings.home), "REDIS_URL": str(settings.redis_url)}
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert any("running" in line for line in process.stdout)
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_a_store_is_cold_where_it_knows_few_of_the_lakes_titles(
    settings: Settings, gateway: FeatureGateway, lake: Lake
) -> None:
    assert not is_cold(gateway, lake)  # there is nothing to know
    Service.open(settings, gateway)
    assert not is_cold(gateway, lake)
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        client.flushall()
    assert is_cold(gateway, lake)


def test_a_runner_whose_states_are_gone_says_so_and_processes_nothing(
    settings: Settings, gateway: FeatureGateway
) -> None:
    service = Service.open(settings, gateway)
    runner = StreamRunner(settings, gateway, service.log)
    runner.seed_if_new()
    assert runner.work() == 0
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        client.flushall()
    append(service.log, events(20, 2, seed=1))
    runner._kept_house_at = float("-inf")
    with pytest.raises(StatesLostError):
        runner.work()
    assert StateStore.open(str(settings.redis_url)).client.keys("marquee:stream:member:*") == []


def test_filling_is_given_up_when_it_is_to_stop_and_tells_that_it_lives(
    settings: Settings, gateway: FeatureGateway
) -> None:
    Service.open(settings, gateway)
    stop, lives = threading.Event(), threading.Event()

    def alive() -> None:
        lives.set()
        stop.set()

    refill(settings, str(settings.redis_url), stop, alive)
    assert lives.is_set()


@pytest.mark.slow
def test_what_a_flushed_store_lost_is_made_anew_from_the_lake_and_the_stream_goes_on(
    settings: Settings, gateway: FeatureGateway
) -> None:
    made = events(60, 2, seed=1)
    service = Service.open(settings, gateway, history=made[:30])
    end = made[-1].event_timestamp + timedelta(seconds=1)
    url = str(settings.redis_url)
    with stream(settings), redis.Redis.from_url(url) as client:
        append(service.log, made[30:50])
        wait_until(lambda: len(service.lake_events()) == 50, "the lake has what came")
        before = {user: online(gateway, user, end) for user in ("u0", "u1")}
        client.flushall()
        wait_until(lambda: seeded(StateStore.open(url)), "the states are made anew")
        assert not is_cold(gateway, service.lake)
        profile = gateway.online_column(s.USER_PROFILE, s.COUNTRY, ["u0", "u1"]).tolist()
        assert profile == ["KR", "DK"]
        append(RedisEventLog.open(url, partitions=4), made[50:])
        wait_until(lambda: len(service.lake_events()) == 60, "the stream goes on")
        wait_until(
            lambda: all(online(gateway, user, end) != before[user] for user in before), "pages would see it"
        )
    for user in before:
        watched = {e.title_id for e in made if e.user_id == user and e.event_type in s.WATCH_EVENT_TYPES}
        assert set(online(gateway, user, end)[s.SESSION_TITLE_IDS][0]) == watched
