from __future__ import annotations

import pytest
import redis

from feature_repo.settings import Settings
from feature_repo.title_feed import FEED, TitleFeed


@pytest.fixture
def feed(settings: Settings) -> TitleFeed:
    assert settings.redis_url is not None
    return TitleFeed.open(settings.redis_url)


def test_changes_are_told_once_in_their_order(feed: TitleFeed) -> None:
    begin = feed.position()
    feed.publish(["t2", "t1"])
    feed.publish(["t2"])
    position, changed = feed.changes(begin)
    assert changed == ("t2", "t1")
    assert feed.changes(position) == (position, ())
    feed.publish(["t9"])
    assert feed.changes(position)[1] == ("t9",)


def test_whoever_begins_now_hears_of_what_comes_later_only(feed: TitleFeed) -> None:
    feed.publish(["t1"])
    begin = feed.position()
    assert feed.changes(begin) == (begin, ())
    feed.publish(["t2"])
    assert feed.changes(begin)[1] == ("t2",)


def test_two_readers_hear_the_same(feed: TitleFeed, settings: Settings) -> None:
    other = TitleFeed.open(str(settings.redis_url))
    begin = feed.position()
    other.publish(["t1"])
    assert feed.changes(begin) == other.changes(begin)


def test_the_age_of_a_change_is_that_of_the_first_after_a_position(
    feed: TitleFeed, settings: Settings
) -> None:
    begin = feed.position()
    assert feed.age(begin) == 0
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        seconds, _ = client.time()
        client.xadd(FEED, {"title_id": "t1"}, id=f"{(seconds - 100) * 1000}-0")
    feed.publish(["t2"])
    assert 99 < feed.age(begin) < 200
    assert feed.age(f"{(seconds - 100) * 1000}-0") < 50
    assert feed.age(feed.position()) == 0


def test_without_redis_it_fails_and_says_so() -> None:
    with pytest.raises(redis.ConnectionError):
        TitleFeed.open("redis://127.0.0.1:1").publish(["t1"])
