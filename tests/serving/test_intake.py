"""What is checked before members and titles are taken in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from feature_repo.arrivals import NewMember
from serving.app import create_app
from tests.serving.in_memory_arrivals import RECORD, TOKEN


@pytest.fixture
def client(open_to_arrivals: Any) -> Any:
    return create_app(open_to_arrivals.service, admin_token="secret").test_client()


def test_a_member_signs_up_with_picks(open_to_arrivals: Any, client: Any) -> None:
    body = {
        "user_id": "zoe",
        "country": "KR",
        "language": "ko",
        "selected_title_ids": ["t003", "t004", "t005"],
    }
    answer = client.post("/v1/members", json=body)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/members/zoe/homepage"
    assert answer.get_json() == body
    assert open_to_arrivals.arrivals.members == [NewMember("zoe", "KR", "ko", ("t003", "t004", "t005"))]


def test_an_unknown_pick_is_named_as_field_value_and_remedy(client: Any) -> None:
    answer = client.post("/v1/members", json={"user_id": "zoe", "selected_title_ids": ["t003", "ghost"]})
    errors = answer.get_json(force=True)["errors"]
    assert [(e["field"], e["value"]) for e in errors] == [("selected_title_ids", "ghost")]
    assert "catalogue" in errors[0]["remedy"]


@pytest.mark.parametrize("picks", [[], ["t004", "t003"]])
def test_a_sign_up_sent_again_changes_nothing(open_to_arrivals: Any, client: Any, picks: list[str]) -> None:
    body = {"user_id": "zoe", "country": "KR", "language": None, "selected_title_ids": picks}
    answers = [client.post("/v1/members", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.get_json() for answer in answers] == [body] * 3
    assert len(open_to_arrivals.arrivals.members) == 1


@pytest.mark.parametrize(
    "other",
    [{"country": "FR"}, {"language": "en"}, {"selected_title_ids": ["t004", "t003"]}],
    ids=["country", "language", "picks"],
)
def test_a_sign_up_does_not_change_a_member(open_to_arrivals: Any, client: Any, other: Any) -> None:
    body = {
        "user_id": "zoe", "country": "KR", "language": "ko", "selected_title_ids": ["t003", "t004"]
    }  # fmt: skip
    assert client.post("/v1/members", json=body).status_code == 201
    answer = client.post("/v1/members", json=body | other)
    assert (answer.status_code, answer.content_type) == (409, "application/problem+json")
    assert "'zoe'" in answer.get_json(force=True)["detail"]
    assert len(open_to_arrivals.arrivals.members) == 1


def test_a_sign_up_does_not_lift_a_members_maturity_limit(open_to_arrivals: Any, client: Any) -> None:
    answer = client.post("/v1/members", json={"user_id": "kim", "country": "FR"})
    assert answer.status_code == 409
    assert open_to_arrivals.arrivals.members == []


def test_a_sign_up_that_broke_off_after_the_profile_is_finished(open_to_arrivals: Any, client: Any) -> None:
    body = {"user_id": "eve", "country": "KR", "language": "ko", "selected_title_ids": ["t003"]}
    assert client.post("/v1/members", json=body).status_code == 201
    assert open_to_arrivals.arrivals.members == [NewMember("eve", "KR", "ko", ("t003",))]


@pytest.mark.parametrize("call", ["post", "put"])
def test_while_the_store_is_away_nothing_is_taken_in_and_the_client_is_told(
    open_to_arrivals: Any, client: Any, call: str
) -> None:
    open_to_arrivals.features.error = redis.ConnectionError("away")
    if call == "post":
        answer = client.post("/v1/members", json={"user_id": "zoe"})
    else:
        answer = client.put("/v1/titles/x", json=RECORD, headers=TOKEN)
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert (open_to_arrivals.arrivals.members, open_to_arrivals.arrivals.told) == ([], [])


def test_a_change_counts_as_later_though_the_clock_went_back(open_to_arrivals: Any, client: Any) -> None:
    first = client.put("/v1/titles/x", json=RECORD, headers=TOKEN).get_json()["known_since"]
    open_to_arrivals.time[0] -= timedelta(hours=5)
    again = client.put("/v1/titles/x", json=RECORD | {"name": "Day Ferry"}, headers=TOKEN).get_json()
    assert datetime.fromisoformat(again["known_since"]) > datetime.fromisoformat(first)
    open_to_arrivals.service.keeper.follow()
    catalogue = open_to_arrivals.service.state.catalogue
    assert catalogue.names[catalogue.row_of["x"]] == "Day Ferry"


def test_a_server_without_a_lake_takes_nothing_in(small: Any) -> None:
    answer = create_app(small.service).test_client().post("/v1/members", json={"user_id": "zoe"})
    assert answer.status_code == 503
