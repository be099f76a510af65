from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serving.ranking import Ranker

Page = dict[str, Any]
PageOf = Callable[..., Page]
Bound = Callable[[Any], Any]


def rows_of_type(page: Page, row_type: str) -> list[Page]:
    return [row for row in page["rows"] if row["row_type"] == row_type]


def ids(row: Page) -> list[str]:
    return [tile["title_id"] for tile in row["tiles"]]


def assert_in_order(title_ids: list[str]) -> None:
    """Titles with even numbers belong to no franchise, so nothing moves them from their place."""
    free = [title for title in title_ids if int(title[1:]) % 2 == 0]
    assert free == sorted(free)


class Broken:
    """Stands where a model stood."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken on purpose")


def break_models(small: Any, **models: Any) -> None:
    """Replace models of the state in service."""
    holder = small.service._holder
    holder.swap(replace(holder.current, models=replace(holder.current.models, **models)))


def test_a_known_member_gets_every_row_of_the_page(page_of: PageOf) -> None:
    page = page_of("ana", device="tv")
    types = [row["row_type"] for row in page["rows"]]
    assert types[:2] == ["continue_watching", "top_picks"]
    assert sorted(types[2:]) == [
        "because_you_watched", "because_you_watched", "genre", "genre", "genre", "new_releases",
        "trending_now",
    ]  # fmt: skip
    assert page["relaxed"] == []
    assert page["degraded"] == []
    assert page["experiments"] == {}


def test_seeds_are_the_latest_completed_titles(page_of: PageOf) -> None:
    seeds = rows_of_type(page_of("ana"), "because_you_watched")
    seeds.sort(key=lambda row: str(row["seed_title_id"]))
    assert [row["seed_title_id"] for row in seeds] == ["t010", "t020"]  # t011 was left after a fifth
    assert seeds[0]["title"] == "Because You Watched Title 10"
    assert all("similar" in tile["sources"] for row in seeds for tile in row["tiles"])


@pytest.mark.parametrize("sign", [1, -1])
def test_trending_and_new_rows_keep_their_order_whatever_the_taste(
    small: Any, page_of: PageOf, sign: int
) -> None:
    small.features.members["ana"]["user_embedding"] *= sign
    page = page_of("ana")  # in KR, where plays fall with the row, as does the age of titles
    for row_type in ("trending_now", "new_releases"):
        assert_in_order(ids(rows_of_type(page, row_type)[0]))


def test_trending_now_follows_the_countrys_chart(page_of: PageOf) -> None:
    page = page_of("stranger", country="KR")
    assert_in_order(ids(rows_of_type(page, "trending_now")[0]))  # plays fall with the row there
    assert all("trending_in_country" in tile["sources"]
               for tile in rows_of_type(page, "trending_now")[0]["tiles"])  # fmt: skip


def test_new_releases_are_the_latest_arrivals(page_of: PageOf) -> None:
    new = ids(rows_of_type(page_of("ana"), "new_releases")[0])
    assert_in_order(new)  # each title came a day after the one with the next number
    assert max(new) < "t060"


def test_an_unknown_member_gets_what_is_popular_in_the_country(page_of: PageOf) -> None:
    page = page_of("stranger", country="KR")
    first = page["rows"][0]
    assert first["title"] == "Popular Now"
    assert ids(first)[:3] == ["t159", "t158", "t157"]  # popularity rises with the row in KR
    assert page["degraded"] == []
    assert not rows_of_type(page, "because_you_watched")
    assert all(tile["ranking_score"] is None for row in page["rows"] for tile in row["tiles"])


def test_a_member_without_history_gets_the_popular_titles_of_their_profiles_country(
    page_of: PageOf, bound: Bound
) -> None:
    assert bound(page_of("eve")["rows"]) == bound(page_of("stranger", country="KR")["rows"])


def test_an_unknown_country_is_served_what_is_offered_everywhere(page_of: PageOf) -> None:
    page = page_of("stranger", country="ZZ")
    shown = [int(t[1:]) for row in page["rows"] for t in ids(row)]
    assert 40 <= len(shown) <= 80
    assert not any(row % 5 == 0 for row in shown)
    assert page["degraded"] == []


def test_the_request_country_stands_above_the_profiles(page_of: PageOf) -> None:
    shown = {int(t[1:]) for row in page_of("ana", country="FR")["rows"] for t in ids(row)}
    assert not any(row % 5 == 0 for row in shown)


def test_a_title_is_shown_from_the_instant_it_is_available(page_of: PageOf) -> None:
    def shown(at: str) -> set[str]:
        return {t for row in page_of("stranger", country="KR", at=at)["rows"] for t in ids(row)}

    # Title 1 arrives twelve hours after the service's present.
    assert "t001" not in shown("2026-03-02T07:59:59Z")
    assert "t001" in shown("2026-03-02T08:00:00Z")


def test_tiles_say_why_they_are_there_and_a_few_are_explored(page_of: PageOf) -> None:
    rows = page_of("ana")["rows"]
    tiles = [tile for row in rows for tile in row["tiles"]]
    explored = [tile for tile in tiles if tile["propensity"] < 1.0]
    assert 2 <= len(explored) <= 4  # a twentieth of 40 to 80
    assert all(tile in rows[1]["tiles"] for tile in explored)
    assert {tile["reason"] for tile in explored} == {"Something different"}
    assert all(tile["sources"] and tile["reason"] and tile["name"] for tile in tiles)
    assert all(0 < tile["retrieval_score"] <= 1 for tile in tiles)


def test_top_picks_follow_the_ranker(page_of: PageOf) -> None:
    tiles = page_of("ana")["rows"][1]["tiles"]
    scores = [tile["ranking_score"] for tile in tiles if tile["propensity"] == 1.0]
    # A title that waits for the front of the row to fill may stand after a lower score.
    assert max(scores) == scores[0]
    assert np.mean(scores[:4]) >= np.mean(scores[4:])


def test_every_page_has_its_own_id(page_of: PageOf) -> None:
    assert page_of("ana")["page_id"] == "page-1"
    assert page_of("ana")["page_id"] == "page-2"


def test_the_same_request_makes_the_same_page_but_for_what_is_explored(page_of: PageOf, bound: Bound) -> None:
    assert bound(page_of("ana")["rows"]) == bound(page_of("ana")["rows"])
    explored = {
        tile["title_id"]
        for _ in range(10) for row in page_of("ana")["rows"] for tile in row["tiles"]
        if tile["propensity"] < 1.0
    }  # fmt: skip
    assert len(explored) > 4


def test_without_the_feature_store_the_page_is_popular_and_says_so(small: Any, page_of: PageOf) -> None:
    small.features.error = ConnectionError("the store is away")
    page = page_of("ana", country="KR")
    assert page["degraded"] == ["features"]
    assert page["rows"][0]["title"] == "Popular Now"


def test_without_the_ranker_the_order_is_that_of_retrieval(small: Any, page_of: PageOf) -> None:
    break_models(small, ranker=Ranker(Broken()))
    page = page_of("ana")
    assert page["degraded"] == ["ranker"]
    assert page["rows"][1]["title"] == "Top Picks for You"
    tiles = page["rows"][1]["tiles"]
    assert all(tile["ranking_score"] is None for tile in tiles)
    assert tiles[0]["retrieval_score"] == max(tile["retrieval_score"] for tile in tiles)


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ("als_index", ["als"]),
        ("tower_index", ["two_tower"]),
        ("neighbours", ["similar"]),
        ("trending", ["trending_in_country", "trending"]),
    ],
)
def test_without_a_generator_the_others_fill_the_page(
    small: Any, page_of: PageOf, model: str, missing: list[str]
) -> None:
    break_models(small, **{model: Broken()})
    page = page_of("ana")
    assert page["degraded"] == missing
    assert sum(len(row["tiles"]) for row in page["rows"]) >= 40


def test_without_assembly_there_is_one_row_of_popular_titles(
    page_of: PageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.homepage.assemble", Broken().__getattr__)
    page = page_of("ana", country="KR")
    assert page["degraded"] == ["page"]
    assert [row["row_type"] for row in page["rows"]] == ["top_picks"]
    assert ids(page["rows"][0])[:2] == ["t159", "t158"]


def test_where_the_ranker_does_not_decide_the_mix_orders_the_page(small: Any, page_of: PageOf) -> None:
    break_models(small, ranker_decides=False, ranker=Broken())
    page = page_of("ana")
    assert page["degraded"] == []  # the ranker was not even asked
    tiles = [tile for row in rows_of_type(page, "top_picks") for tile in row["tiles"]]
    assert all(tile["ranking_score"] is None for tile in tiles)
    first = [tile["retrieval_score"] for tile in tiles if tile["propensity"] == 1.0][:3]
    assert first == sorted(first, reverse=True)
