from __future__ import annotations

from serving.rate_limits import RateLimits


def test_a_bucket_holds_one_seconds_worth_and_fills_at_its_rate() -> None:
    now = [100.0]
    limits = RateLimits(lambda: now[0])
    assert [limits.take("tv", 3.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1 / 3]
    now[0] += 0.25
    assert limits.take("tv", 3.0) == (1 - 0.75) / 3
    now[0] += 0.25
    assert limits.take("tv", 3.0) == 0.0
    now[0] += 100.0
    assert [limits.take("tv", 3.0) for _ in range(4)][:3] == [0.0, 0.0, 0.0]


def test_a_rate_below_one_lets_one_through_at_a_time() -> None:
    now = [0.0]
    limits = RateLimits(lambda: now[0])
    assert [limits.take("tv", 0.25), limits.take("tv", 0.25)] == [0.0, 4.0]
    now[0] = 4.0
    assert limits.take("tv", 0.25) == 0.0


def test_buckets_are_apart_and_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    limits = RateLimits(lambda: 0.0, most=2)
    assert [limits.take("a", 1.0), limits.take("a", 1.0)] == [0.0, 1.0]
    assert limits.take("b", 1.0) == 0.0
    assert limits.take("a", 1.0) == 1.0
    limits.take("c", 1.0)  # b, which called longest ago, goes
    assert limits.take("a", 1.0) == 1.0
    assert limits.take("b", 1.0) == 0.0
