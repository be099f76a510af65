"""What titles are, what is written of them, which to pick, and which members to look at."""

from __future__ import annotations

from typing import Any

import pytest

from feature_repo import schema as s
from serving.picks import titles_to_pick
from tests.serving.in_memory_arrivals import InMemoryArrivals


def test_titles_are_told_in_the_order_asked_for(small: Any) -> None:
    answer = small.client.get("/v1/titles?ids=t012,nothing,t003,t012").get_json()
    assert answer["unknown"] == ["nothing"]
    assert [title["title_id"] for title in answer["titles"]] == ["t012", "t003"]
    assert answer["titles"][0] == {
        "title_id": "t012", "name": "Title 12", "release_year": 2012, "runtime_minutes": 102.0,
        "title_type": "movie", "maturity_level": 7, "original_language": "ko",
        "genres": ["Comedy", "Horror"],  # 12 % 8 = 4 is Horror, 12 // 8 = 1 is Comedy; alphabetically
        "available_since": "2026-02-19T08:00:00Z",  # twelve days and minus 36 hours before 1 March, 20:00
    }  # fmt: skip


def test_what_is_not_known_of_a_title_is_null(unstarted: Any, contents: Any) -> None:
    for column in (s.RELEASE_YEAR, s.RUNTIME_MINUTES, s.TITLE_TYPE, s.MATURITY_LEVEL, s.ORIGINAL_LANGUAGE):
        unstarted.features.titles["t003"][column] = None
    unstarted.publish(contents)
    unstarted.service.start(watch=False)
    (title,) = unstarted.client.get("/v1/titles?ids=t003").get_json()["titles"]
    unstarted.service.stop()
    assert {name for name, value in title.items() if value is None} == {
        "release_year", "runtime_minutes", "title_type", "maturity_level", "original_language",
    }  # fmt: skip


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=" + ",".join(["t"] * 101), "?ids=t001&more=1"])
def test_a_list_of_titles_that_makes_no_sense_is_refused_by_name(small: Any, query: str) -> None:
    answer = small.client.get(f"/v1/titles{query}")
    if "more" in query:
        assert answer.status_code == 200  # as all calls do with parameters they do not know
        return
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert answer.get_json()["errors"][0]["field"] == "ids"


def test_a_title_is_told_with_its_synopsis_and_cast(unstarted: Any, contents: Any) -> None:
    unstarted.publish(contents)
    unstarted.service._open_arrivals = lambda _: InMemoryArrivals(unstarted)
    unstarted.service.start(watch=False)
    unstarted.features.titles["t009"] |= {s.SYNOPSIS: "A ship at sea.", s.CAST: ["Ana", "Kim"]}
    told = unstarted.client.get("/v1/titles/t009").get_json()
    assert (told["name"], told["synopsis"], told["cast"]) == ("Title 9", "A ship at sea.", ["Ana", "Kim"])
    assert unstarted.client.get("/v1/titles/nothing").status_code == 404
    unstarted.service.stop()


def test_without_a_lake_a_title_has_no_synopsis(small: Any) -> None:
    told = small.client.get("/v1/titles/t009").get_json()
    assert (told["synopsis"], told["cast"]) == (None, [])


def test_picks_are_popular_and_of_many_genres(small: Any) -> None:
    picks = small.client.get("/v1/picks?country=US&limit=10").get_json()["titles"]
    rows = [int(title["title_id"][1:]) for title in picks]
    assert len(rows) == 10
    assert rows == sorted(rows)  # popularity falls with the row
    assert rows[0] == 2  # titles 0 and 1 are not there yet
    genres = [genre for title in picks for genre in title["genres"]]
    assert max(genres.count(genre) for genre in genres) <= 2  # a fifth of ten


def test_picks_are_of_the_country(small: Any) -> None:
    # In KR popularity rises with the row. Every fifth title is offered in KR and US only.
    korean = small.client.get("/v1/picks?country=KR&limit=8").get_json()["titles"]
    assert korean[0]["title_id"] == "t159"
    french = small.client.get("/v1/picks?country=FR&limit=100").get_json()["titles"]
    assert not [title for title in french if int(title["title_id"][1:]) % 5 == 0]


def test_picks_hold_no_franchise_twice_and_are_filled_up(small: Any) -> None:
    state = small.service.state
    few = titles_to_pick(state, "", "", 10)
    franchises = [int(state.catalogue.franchises[row]) for row in few]
    named = [franchise for franchise in franchises if franchise >= 0]
    assert len(named) == len(set(named))
    many = titles_to_pick(state, "US", "", 100)
    assert len(many) == len(set(many)) == 100


def test_some_members_are_told_with_their_tastes(small: Any) -> None:
    answer = small.client.get("/v1/members").get_json()
    assert answer["bundle"] == small.service.state.models.version
    ana, kim = answer["members"]
    assert (ana["user_id"], ana["country"], ana["language"]) == ("ana", "KR", "ko")
    assert (kim["user_id"], kim["country"]) == ("kim", "FR")
    assert 0 < len(ana["genres"]) <= 3
    assert [m["user_id"] for m in small.client.get("/v1/members?limit=1").get_json()["members"]] == ["ana"]
    assert small.client.get("/v1/members?limit=51").status_code == 400


def test_a_tile_tells_how_much_of_it_was_watched(page_of: Any) -> None:
    rows = {row["row_type"]: row["tiles"] for row in page_of("ana")["rows"]}
    begun = {tile["title_id"]: tile["watch_fraction"] for tile in rows["continue_watching"]}
    assert begun == {"t011": pytest.approx(0.2)}
    assert {tile["watch_fraction"] for tile in rows["top_picks"]} == {None}
