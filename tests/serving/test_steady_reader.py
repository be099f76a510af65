from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from feature_repo import schema as s
from serving.breaker import CircuitBreaker, CircuitOpenError
from serving.steady_reader import JITTER, SteadyReader, StoreColdError

HOUR = 3600.0


@pytest.fixture
def ticks() -> list[float]:
    return [0.0]


@pytest.fixture
def counted() -> list[str]:
    return []


@pytest.fixture
def steady(small: Any, ticks: list[float], counted: list[str]) -> SteadyReader:
    breaker = CircuitBreaker("store", ticks=lambda: ticks[0])
    return SteadyReader(
        small.features, breaker, lambda: small.time[0], lambda: "t005", most=2, ticks=lambda: ticks[0],
        counted=counted.append,
    )  # fmt: skip


def country(features: Any) -> str:
    return str(features[s.COUNTRY][0])


def test_what_was_read_is_known_when_the_store_is_away(steady: SteadyReader, small: Any) -> None:
    steady.read("ana", small.time[0])
    small.features.error = ConnectionError("away")
    with pytest.raises(ConnectionError):
        steady.read("ana", small.time[0])
    assert country(steady.last_known("ana", small.time[0])) == "KR"
    with pytest.raises(LookupError, match="'kim'"):
        steady.last_known("kim", small.time[0])


def test_after_three_failures_the_store_is_not_asked(steady: SteadyReader, small: Any) -> None:
    small.features.error = ConnectionError("away")
    for _ in range(3):
        with pytest.raises(ConnectionError):
            steady.read("ana", small.time[0])
    small.features.error = None
    with pytest.raises(CircuitOpenError):
        steady.read("ana", small.time[0])


def test_it_is_forgotten_within_the_hour_by_an_age_of_its_own(
    steady: SteadyReader, small: Any, ticks: list[float]
) -> None:
    steady.read("ana", small.time[0])
    ticks[0] = HOUR * (1 - JITTER)
    steady.last_known("ana", small.time[0])
    ticks[0] = HOUR + 1
    with pytest.raises(LookupError, match="too old"):
        steady.last_known("ana", small.time[0])


def test_the_member_read_longest_ago_gives_way(steady: SteadyReader, small: Any) -> None:
    for user_id in ("ana", "kim", "ana", "eve"):
        steady.read(user_id, small.time[0])
    with pytest.raises(LookupError):
        steady.last_known("kim", small.time[0])
    assert country(steady.last_known("ana", small.time[0])) == "KR"


def test_pages_of_other_times_neither_fill_nor_read_what_is_kept(steady: SteadyReader, small: Any) -> None:
    other = small.time[0] - timedelta(days=2)
    steady.read("ana", other)
    with pytest.raises(LookupError):
        steady.last_known("ana", small.time[0])
    steady.read("ana", small.time[0])
    with pytest.raises(LookupError):
        steady.last_known("ana", other)


def test_reads_of_one_member_at_once_are_one(steady: SteadyReader, small: Any) -> None:
    asked, go, reads = Event(), Event(), []
    answer = small.features.member_features

    def slow(user_id: str, now: Any) -> Any:
        reads.append(user_id)
        asked.set()
        go.wait()
        return answer(user_id, now)

    small.features.member_features = slow
    with ThreadPoolExecutor(8) as callers:
        first = callers.submit(steady.read, "ana", small.time[0])
        asked.wait()
        others = [callers.submit(steady.read, "ana", small.time[0]) for _ in range(7)]
        while not all(one.running() for one in others):
            pass
        go.set()
        assert {country(one.result()) for one in [first, *others]} == {"KR"}
    assert reads.count("ana") < 8


def test_a_member_lost_with_the_titles_was_lost_by_the_store(
    steady: SteadyReader, small: Any, ticks: list[float]
) -> None:
    steady.read("ana", small.time[0])
    kept = small.features.members.copy(), small.features.titles.copy()
    small.features.members.clear()
    small.features.titles.clear()
    with pytest.raises(StoreColdError, match="has lost its titles"):
        steady.read("ana", small.time[0])
    with pytest.raises(StoreColdError):  # and so is somebody else's silence within the second
        steady.read("kim", small.time[0])
    assert country(steady.last_known("ana", small.time[0])) == "KR"
    small.features.members, small.features.titles = kept
    ticks[0] = 2.0
    assert country(steady.read("ana", small.time[0])) == "KR"


def test_a_member_gone_from_a_store_that_knows_its_titles_is_forgotten(
    steady: SteadyReader, small: Any
) -> None:
    steady.read("ana", small.time[0])
    del small.features.members["ana"]
    assert country(steady.read("ana", small.time[0])) == ""
    with pytest.raises(LookupError):
        steady.last_known("ana", small.time[0])


def test_those_who_were_deleted_are_forgotten_and_nobody_else(steady: SteadyReader, small: Any) -> None:
    for user_id in ("ana", "kim"):
        steady.read(user_id, small.time[0])
    steady.forget_those(lambda user_id: user_id == "ana")
    with pytest.raises(LookupError):
        steady.last_known("ana", small.time[0])
    steady.last_known("kim", small.time[0])


def test_while_a_cold_store_is_filled_a_part_of_a_member_takes_the_place_of_nothing(
    steady: SteadyReader, small: Any, ticks: list[float], counted: list[str]
) -> None:
    steady.read("ana", small.time[0])
    members, titles = small.features.members.copy(), small.features.titles.copy()
    small.features.members.clear()
    small.features.titles.clear()
    with pytest.raises(StoreColdError):
        steady.read("ana", small.time[0])
    small.features.members = {name: {s.COUNTRY: "XX"} for name in members}
    ticks[0] = 2.0  # the store is looked at again: its titles' names, which come last, are not there
    with pytest.raises(StoreColdError):
        steady.read("ana", small.time[0])
    assert country(steady.last_known("ana", small.time[0])) == "KR"
    assert country(steady.read("kim", small.time[0])) == "XX"  # better than nothing, and not kept
    with pytest.raises(LookupError):
        steady.last_known("kim", small.time[0])
    small.features.members, small.features.titles = members, titles
    with pytest.raises(StoreColdError):  # one look a second is enough
        steady.read("ana", small.time[0])
    ticks[0] = 4.0
    assert country(steady.read("ana", small.time[0])) == "KR"
    assert counted == ["found", "unknown", "cold", "kept", "found", "cold", "found"]


def test_reads_are_counted_by_what_became_of_them(
    steady: SteadyReader, small: Any, counted: list[str]
) -> None:
    steady.read("ana", small.time[0])
    steady.read("a-stranger", small.time[0])
    small.features.error = ConnectionError("away")
    with pytest.raises(ConnectionError):
        steady.read("ana", small.time[0])
    steady.last_known("ana", small.time[0])
    assert counted == ["found", "unknown", "failed", "kept"]
