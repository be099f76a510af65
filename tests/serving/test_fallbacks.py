from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serving import fallbacks
from serving.candidates import generators as g
from serving.candidates.query import PageRequest, Query
from serving.homepage import query_of
from serving.members import read_member, unknown_member

PageOf = Callable[..., dict[str, Any]]
PERSONAL = ["als", "two_tower", "similar"]
GENERATORS = [*PERSONAL, "trending_in_country", "trending", "popularity", "new_titles"]


class Broken:
    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken on purpose")


@pytest.fixture
def query(small: Any) -> Query:
    now = small.time[0]
    member = read_member(small.features, "ana", now)
    return query_of(small.service.state, PageRequest("ana", "tv", now), member)


def break_all_models(small: Any, *names: str) -> None:
    holder = small.service._holder
    broken = {name: Broken() for name in names}
    holder.swap(replace(holder.current, models=replace(holder.current.models, **broken)))


def tiles(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [tile for row in page["rows"] for tile in row["tiles"]]


def test_without_features_a_member_is_unknown_and_may_be_a_child(small: Any) -> None:
    member = fallbacks.no_features(small.service.state, PageRequest("ana", "tv", small.time[0]))
    assert not member.personal
    assert member.maturity_limit == 7  # the lowest limit within which a full page is offered everywhere


def test_popular_candidates_follow_the_countrys_chart(query: Query) -> None:
    merged = fallbacks.popular_candidates(query)
    assert merged.rows[:3].tolist() == [159, 158, 157]
    assert set(merged.sources.values()) == {("popularity",)}


def test_without_charts_any_title_that_may_be_shown_is_a_candidate(query: Query) -> None:
    broken: Any = Broken()
    merged = fallbacks.popular_candidates(replace(query, models=replace(query.models, popularity=broken)))
    assert merged.rows.tolist() == [r for r in range(2, 160) if r not in (10, 11, 20)]  # newest first
    assert set(merged.sources.values()) == {(g.CATALOGUE,)}


@pytest.mark.parametrize("user_id", ["ana", "stranger"])
def test_a_page_survives_the_loss_of_every_generator(
    small: Any, page_of: PageOf, monkeypatch: pytest.MonkeyPatch, user_id: str
) -> None:
    break_all_models(small, "als_index", "tower_index", "neighbours", "trending", "popularity")
    monkeypatch.setattr("serving.candidates.generators.MICROSECONDS_PER_DAY", "no number")
    page = page_of(user_id, country="KR")
    personal = user_id == "ana"
    expected = GENERATORS if personal else [*GENERATORS[len(PERSONAL) :], "ranker"]
    assert page["degraded"] == expected
    assert len(tiles(page)) >= 40
    new = [row for row in page["rows"] if row["row_type"] != "continue_watching"]
    assert all(tile["sources"] == ["catalogue"] for row in new for tile in row["tiles"])


def test_without_any_generator_but_with_charts_the_page_is_popular_in_the_country(
    small: Any, page_of: PageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.homepage.merge", Broken().__getattr__)
    page = page_of("stranger", country="KR")
    assert page["degraded"] == ["merge"]
    assert [tile["title_id"] for tile in page["rows"][0]["tiles"]][:2] == ["t159", "t158"]


def test_a_stranger_gets_a_page_even_without_the_popularity_chart(small: Any, page_of: PageOf) -> None:
    break_all_models(small, "popularity")
    page = page_of("stranger", country="KR")
    assert page["degraded"] == ["popularity", "ranker"]
    assert len(tiles(page)) >= 40


def test_who_watched_everything_gets_a_valid_page_without_rows(
    small: Any, page_of: PageOf, member_of: Callable[..., dict[str, Any]]
) -> None:
    small.features.members["fan"] = member_of(dict.fromkeys(range(160), 1.0), None, country="KR")
    page = page_of("fan")
    assert (page["rows"], page["degraded"]) == ([], [])


@pytest.mark.parametrize("left", [1, 3, 4])
def test_who_watched_nearly_everything_gets_what_is_left(
    small: Any, page_of: PageOf, member_of: Callable[..., dict[str, Any]], left: int
) -> None:
    watched = dict.fromkeys(range(160 - left), 1.0)
    small.features.members["fan"] = member_of(watched, None, country="KR")
    page = page_of("fan")
    assert len(tiles(page)) == left
    assert page["degraded"] == []


def test_the_order_of_retrieval_stands_in_for_a_ranker_without_input(
    page_of: PageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.homepage.candidate_features", Broken().__getattr__)
    page = page_of("ana")
    assert page["degraded"] == ["ranking_features"]
    assert all(tile["ranking_score"] is None for tile in tiles(page))


def test_empty_answers_are_empty(query: Query) -> None:
    assert fallbacks.no_candidates(query) == ()
    assert np.isnan(unknown_member("x").maturity_limit)
