from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from feature_repo import schema as s
from serving.app import create_app

TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def explained(small: Any) -> Any:
    """Ask for the explanation of a page; returns the page and its titles by id."""
    client = create_app(small.service, "secret").test_client()

    def ask(user_id: str, **query: str) -> tuple[dict[str, Any], dict[str, Any]]:
        path = f"/v1/members/{user_id}/homepage"
        answer = client.get(path, query_string={"explain": "1"} | query, headers=TOKEN)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.get_json()
        return page, {way["title_id"]: way for way in page["explanation"]["titles"]}

    return ask


def test_only_operators_may_ask_why(small: Any) -> None:
    path = "/v1/members/ana/homepage?explain=1"
    assert small.client.get(path).status_code == 403  # a server without a token
    guarded = create_app(small.service, "secret").test_client()
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers=TOKEN).status_code == 200
    assert "explanation" not in guarded.get("/v1/members/ana/homepage").get_json()


def test_every_candidate_is_shown_or_displaced_and_those_shown_are_where_they_stand(explained: Any) -> None:
    page, ways = explained("ana")
    assert len(ways) == page["explanation"]["candidates"]
    shown = {
        tile["title_id"]: {"row": number, "position": tile["position"]}
        for number, row in enumerate(page["rows"], start=1) for tile in row["tiles"]
    }  # fmt: skip
    assert {title: way["shown_at"] for title, way in ways.items() if way["shown_at"]} == shown
    for title, way in ways.items():
        assert (way["displaced"] is None) == (title in shown)
        assert way["proposed_by"]
        assert way["rank"] >= 1


def test_a_title_names_its_generators_with_rank_and_score(explained: Any) -> None:
    page, ways = explained("ana")
    tile = page["rows"][1]["tiles"][0]
    way = ways[tile["title_id"]]
    assert {one["generator"] for one in way["proposed_by"]} == set(tile["sources"])
    assert way["ranking_score"] == pytest.approx(tile["ranking_score"])
    assert way["retrieval_score"] == pytest.approx(tile["retrieval_score"])
    newest = next(one for one in ways["t002"]["proposed_by"] if one["generator"] == "new_titles")
    assert newest["rank"] == 1
    similar = [one for w in ways.values() for one in w["proposed_by"] if one["generator"] == "similar"]
    assert {one["seed_title_id"] for one in similar} == {"t010", "t020"}


@pytest.mark.parametrize(
    ("title_id", "filters"),
    [("t000", ["not_available"]), ("t020", ["watched"]), ("t022", ["hidden"])],
)
def test_a_title_that_may_not_be_shown_names_the_filters(
    small: Any, explained: Any, title_id: str, filters: list[str]
) -> None:
    small.features.members["ana"][s.HIDDEN_TITLE_IDS] = ["t022"]
    _, ways = explained("ana", title_id=title_id)
    assert list(ways) == [title_id]
    assert ways[title_id]["filtered_by"] == filters
    assert ways[title_id]["displaced"] is None
    assert ways[title_id]["shown_at"] is None


def test_filters_tell_how_many_titles_they_removed(explained: Any) -> None:
    page, _ = explained("kim")  # in FR, up to 13 years, has watched one
    assert page["explanation"]["filters"] == [
        {"name": "not_available", "removed": 2}, {"name": "country", "removed": 32},
        {"name": "maturity", "removed": 23}, {"name": "hidden", "removed": 0},
        {"name": "watched", "removed": 1},
    ]  # fmt: skip


def test_a_displaced_title_names_what_stands_in_its_place(explained: Any) -> None:
    page, ways = explained("ana")
    shown = {tile["title_id"] for row in page["rows"] for tile in row["tiles"]}
    displaced = [way["displaced"] for way in ways.values() if way["displaced"]]
    assert displaced
    for one in displaced:
        assert one["reason"].split(":")[0] in {
            "outranked", "similar_titles", "franchise_cap", "genre_cap", "exchanged",
        }  # fmt: skip
        assert set(one["by"]) <= shown
        assert one["by"] or one["reason"].startswith("genre_cap")


def test_an_explained_page_conforms_to_the_openapi_document(small: Any) -> None:
    client = create_app(small.service, "secret").test_client()
    document = client.get("/openapi.json").get_json()
    answers = document["paths"]["/v1/members/{user_id}/homepage"]["get"]["responses"]
    schema = answers["200"]["content"]["application/json"]["schema"]
    page = client.get("/v1/members/ana/homepage?explain=1", headers=TOKEN).get_json()
    jsonschema.validate(
        page, schema | {"components": document["components"]}, cls=jsonschema.Draft202012Validator
    )
    assert page["explanation"]["titles"]


def test_an_unknown_title_is_a_problem_that_names_it(small: Any) -> None:
    client = create_app(small.service, "secret").test_client()
    answer = client.get("/v1/members/ana/homepage?explain=1&title_id=gone", headers=TOKEN)
    assert answer.status_code == 404
    assert "title_id = 'gone'" in answer.get_json()["detail"]
