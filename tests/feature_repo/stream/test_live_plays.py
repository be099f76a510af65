from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import redis

from feature_repo.settings import Settings
from feature_repo.stream.live_plays import LivePlays, add_plays, weigh_plays
from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR

HOUR = 1_772_398_800_000_000  # a full hour of 2026
HALF = HOUR + MICROSECONDS_PER_HOUR // 2


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    assert settings.redis_url is not None
    with redis.Redis.from_url(settings.redis_url) as opened:
        yield opened


def add(client: Any, *plays: tuple[str, str, int]) -> None:
    with client.pipeline() as pipeline:
        add_plays(pipeline, weigh_plays(plays))
        pipeline.execute()


def test_a_play_counts_in_its_country_and_everywhere(client: Any) -> None:
    add(client, ("KR", "t1", HOUR), ("", "t2", HOUR))
    plays = LivePlays(client)
    assert plays.hours("KR", [HOUR]) == [{"t1": 1.0}]
    assert plays.hours("", [HOUR]) == [{"t1": 1.0, "t2": 1.0}]


def test_a_play_in_the_middle_of_an_hour_weighs_what_fades_by_then(client: Any) -> None:
    add(client, ("", "t1", HALF))
    (hour,) = LivePlays(client).hours("", [HOUR])
    assert hour["t1"] == pytest.approx(np.exp(0.5 / 48))


def test_hours_are_kept_apart(client: Any) -> None:
    add(client, ("", "t1", HOUR), ("", "t1", HOUR + MICROSECONDS_PER_HOUR))
    assert LivePlays(client).hours("", [HOUR, HOUR + MICROSECONDS_PER_HOUR, 0]) == [{"t1": 1}, {"t1": 1}, {}]


def test_the_order_of_plays_and_batches_changes_nothing(client: Any) -> None:
    plays = [("KR", "t1", HALF), ("", "t1", HOUR + 7), ("KR", "t2", HOUR)]
    found = []
    for order in permutations(plays):
        client.flushall()
        for play in order:
            add(client, play)
        found.append(LivePlays(client).hours("", [HOUR])[0])
    assert all(one == pytest.approx(found[0]) for one in found)


def test_the_version_rises_with_every_change_and_only_then(client: Any) -> None:
    plays = LivePlays(client)
    assert plays.version() == 0
    add(client, ("", "t1", HOUR))
    assert plays.version() == 1
    add(client)
    assert plays.version() == 1


def test_plays_are_forgotten_after_ten_days(client: Any) -> None:
    add(client, ("", "t1", HOUR))
    (key,) = client.keys("marquee:stream:plays:*")
    assert 0 < client.ttl(key) <= 10 * 86_400
