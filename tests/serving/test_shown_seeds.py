from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from serving.service import HomepageService
from serving.shown_seeds import PAGES, ShownSeeds


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    yield client
    client.flushdb()


def test_seeds_rest_for_the_next_pages_and_are_free_again(redis_url: str, client: redis.Redis) -> None:
    memory = ShownSeeds.open(redis_url, 10.0)
    assert memory.resting("ana") == frozenset()
    memory.remember("ana", ["a", "b"])
    memory.remember("ana", ["c"])
    assert memory.resting("ana") == {"a", "b", "c"}
    memory.remember("ana", [])
    assert memory.resting("ana") == {"c"}
    assert memory.resting("kim") == frozenset()
    key = client.keys("marquee:shown_seeds:*")[0]
    assert client.llen(key) == PAGES
    assert 0 < client.ttl(key) <= 7 * 86_400


@pytest.fixture
def remembering(small: Any, redis_url: str, client: redis.Redis) -> Iterator[Any]:
    """The small service with the memory that a server has."""
    service = HomepageService(
        small.bundles, lambda: (small.features, None), wall=lambda: small.time[0],
        open_memory=lambda _: ShownSeeds.open(redis_url, 10.0),
    )  # fmt: skip
    service.start(watch=False)
    small.service.stop()
    small.service = service
    yield small
    service.stop()


def seeds_of(small: Any, **query: str) -> list[str]:
    with small.client.get("/v1/members/ana/homepage", query_string=query) as answer:
        page = answer.get_json()
    assert page["degraded"] == []
    return sorted(row["seed_title_id"] for row in page["rows"] if row["seed_title_id"] is not None)


def test_a_page_grows_from_other_seeds_than_the_last_ones(
    remembering: Any, member_of: Callable[..., dict[str, Any]]
) -> None:
    watched = dict.fromkeys((10, 20, 30, 40, 50, 60), 0.9)
    member = remembering.features.members["ana"]
    remembering.features.members["ana"] = member_of(watched, member["user_embedding"], country="KR")
    pages = [seeds_of(remembering) for _ in range(4)]
    assert pages == [["t010", "t020"], ["t030", "t040"], ["t050", "t060"], ["t010", "t020"]]


def test_who_has_completed_little_sees_the_same_seeds_rather_than_none(remembering: Any) -> None:
    assert [seeds_of(remembering) for _ in range(3)] == [["t010", "t020"]] * 3


def test_a_preview_of_another_instant_is_not_remembered(remembering: Any) -> None:
    at = remembering.time[0].isoformat()
    assert seeds_of(remembering, at=at) == ["t010", "t020"]
    assert seeds_of(remembering) == ["t010", "t020"]
    assert seeds_of(remembering, at=at) == ["t010", "t020"]  # nor does it mind what was shown


def test_without_its_memory_a_page_is_whole_and_says_so(small: Any) -> None:
    service = HomepageService(
        small.bundles, lambda: (small.features, None), wall=lambda: small.time[0],
        open_memory=lambda _: ShownSeeds.open("redis://127.0.0.1:1", 0.1),
    )  # fmt: skip
    service.start(watch=False)
    small.service.stop()
    small.service = service
    with small.client.get("/v1/members/ana/homepage") as answer:
        page = answer.get_json()
    assert page["degraded"] == ["shown_seeds"]
    assert len(page["rows"]) == 9
    service.stop()
