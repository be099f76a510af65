from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.arrivals import NewMember, UnknownTitleError
from serving.app import create_app
from serving.arrivals import with_changes

TOKEN = {"Authorization": "Bearer secret"}
RECORD = {
    "name": "Night Ferry",
    "genres": ["Drama"],
    "cast": ["Ana"],
    "synopsis": "a ship",
    "release_year": 2026,
}


class InMemoryArrivals:
    """Keeps titles in the features of the small service, and tells of them in order."""

    def __init__(self, small: Any) -> None:
        self.small = small
        self.told: list[str] = []
        self.members: list[NewMember] = []

    def title_ids(self) -> list[str]:
        return sorted(self.small.features.titles)

    def position(self) -> str:
        return str(len(self.told))

    def changes(self, after: str) -> tuple[str, tuple[str, ...]]:
        return self.position(), tuple(dict.fromkeys(self.told[int(after) :]))

    def add_titles(self, titles: Any, created_at: datetime) -> int:  # noqa: ARG002
        for row in titles.to_pylist():
            row.pop(s.EVENT_TIMESTAMP)
            vector = np.zeros(len(s.GENRES), np.float32)
            vector[[s.GENRES.index(genre) for genre in row[s.GENRE_NAMES]]] = 1
            since = row[s.AVAILABLE_SINCE].timestamp() * 1e6
            self.small.features.titles[row[s.TITLE_ID]] = row | {
                s.GENRE_VECTOR: vector,
                s.AVAILABLE_SINCE: since,
            }
            self.told.append(row[s.TITLE_ID])
        return len(titles)

    def add_member(self, member: NewMember, known_titles: Sequence[str], created_at: datetime) -> None:  # noqa: ARG002
        strangers = set(member.selected_title_ids) - set(known_titles)
        if strangers:
            raise UnknownTitleError(f"selected_title_ids holds {sorted(strangers)[0]!r}")
        self.members.append(member)


@pytest.fixture
def open_to_arrivals(unstarted: Any, contents: Any) -> Iterator[Any]:
    unstarted.arrivals = InMemoryArrivals(unstarted)
    unstarted.service._open_arrivals = lambda _: unstarted.arrivals
    unstarted.publish(contents)
    unstarted.service.start(watch=False)
    yield unstarted
    unstarted.service.stop()


@pytest.fixture
def client(open_to_arrivals: Any) -> Any:
    return create_app(open_to_arrivals.service, admin_token="secret").test_client()


def shown(client: Any, user_id: str = "eve") -> dict[str, list[str]]:
    page = client.get(f"/v1/members/{user_id}/homepage").get_json()
    return {tile["title_id"]: tile["sources"] for row in page["rows"] for tile in row["tiles"]}


def test_a_title_that_was_put_is_on_the_page_after_the_next_look(open_to_arrivals: Any, client: Any) -> None:
    answer = client.put("/v1/titles/night-ferry", json=RECORD, headers=TOKEN)
    assert answer.status_code == 201
    assert answer.get_json()["title_id"] == "night-ferry"
    assert "night-ferry" not in shown(client)
    open_to_arrivals.service.keeper.follow()
    assert "new_titles" in shown(client)["night-ferry"]
    similar = client.get("/v1/titles/night-ferry/similar?k=5").get_json()
    assert (similar["similarity"], len(similar["titles"])) == ("content", 5)
    state = open_to_arrivals.service.state
    assert state.models.als_index.has(160)
    assert state.models.tower_index.has(160)


def test_a_changed_title_keeps_its_row(open_to_arrivals: Any, client: Any) -> None:
    embedding = open_to_arrivals.features.titles["t009"][s.TITLE_EMBEDDING]
    assert client.put("/v1/titles/t009", json=RECORD, headers=TOKEN).status_code == 200
    open_to_arrivals.features.titles["t009"][s.TITLE_EMBEDDING] = embedding
    open_to_arrivals.service.keeper.follow()
    catalogue = open_to_arrivals.service.state.catalogue
    assert (catalogue.row_of["t009"], catalogue.names[9], len(catalogue)) == (9, "Night Ferry", 160)


def test_arrivals_outlast_a_refresh_and_another_bundle(
    open_to_arrivals: Any, client: Any, contents_of: Any
) -> None:
    client.put("/v1/titles/night-ferry", json=RECORD, headers=TOKEN)
    keeper = open_to_arrivals.service.keeper
    keeper.follow()
    open_to_arrivals.time[0] = open_to_arrivals.time[0].replace(minute=10)
    keeper.check()
    assert "night-ferry" in shown(client)
    open_to_arrivals.publish(contents_of(2))
    keeper.check()
    assert "night-ferry" in shown(client)


def test_a_vector_solved_out_of_schedule_is_taken_up(open_to_arrivals: Any) -> None:
    features, state = open_to_arrivals.features, open_to_arrivals.service.state
    version = next(iter(state.vector_versions))
    assert not state.models.neighbours.collaborative(159)
    features.titles["t159"] |= {s.TITLE_EMBEDDING: np.ones(128, np.float32), s.MODEL_VERSION: version}
    open_to_arrivals.arrivals.told.append("t159")
    open_to_arrivals.service.keeper.follow()
    assert open_to_arrivals.service.state.models.neighbours.collaborative(159)


def test_a_change_of_a_title_the_store_does_not_know_changes_nothing(open_to_arrivals: Any) -> None:
    open_to_arrivals.arrivals.told.append("ghost")
    open_to_arrivals.service.keeper.follow()
    assert len(open_to_arrivals.service.state.catalogue) == 160


def test_snapshots_are_laid_over_each_other_row_by_row(open_to_arrivals: Any) -> None:
    features, now = open_to_arrivals.features, open_to_arrivals.time[0]
    old = features.title_snapshot(["t003", "t004"], now)
    features.titles["t004"][s.NAME] = "A name far longer than any other name in the whole catalogue"
    fresh = features.title_snapshot(["t005", "ghost", "t004"], now)
    merged = with_changes(old, fresh)
    assert merged.title_ids.tolist() == ["t003", "t004", "t005"]
    assert merged.columns[s.NAME].tolist() == ["Title 3", features.titles["t004"][s.NAME], "Title 5"]
    assert merged.row_of == {"t003": 0, "t004": 1, "t005": 2}


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
    assert answer.get_json() == {"user_id": "zoe", "selected_title_ids": ["t003", "t004", "t005"]}
    assert open_to_arrivals.arrivals.members == [NewMember("zoe", "KR", "ko", ("t003", "t004", "t005"))]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "zoe", "country": "Korea"}, "country"),
        ({"user_id": "zoe", "language": "KO"}, "language"),
        ({"user_id": "zoe", "selected_title_ids": ["t003", "t003"]}, "t003"),
        ({"user_id": "zoe", "selected_title_ids": ["ghost"]}, "ghost"),
        ({"user_id": "zoe", "age": 3}, "age"),
        ([], "Input"),
    ],
)
def test_what_cannot_be_taken_in_is_named(open_to_arrivals: Any, client: Any, body: Any, named: str) -> None:
    answer = client.post("/v1/members", json=body)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert named in answer.text
    assert open_to_arrivals.arrivals.members == []


@pytest.mark.parametrize(
    ("body", "named"),
    [({}, "name"), (RECORD | {"genres": ["Noise"]}, "Noise"), (RECORD | {"cast": [""]}, "cast")],
)
def test_a_title_that_does_not_fit_is_refused(client: Any, body: Any, named: str) -> None:
    answer = client.put("/v1/titles/x", json=body, headers=TOKEN)
    assert answer.status_code == 400
    assert named in answer.text


def test_only_who_bears_the_token_may_put_titles(open_to_arrivals: Any, client: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        answer = client.put("/v1/titles/x", json=RECORD, headers=headers)
        assert answer.status_code == 401
        assert "bearer" in answer.headers["WWW-Authenticate"].lower()
    closed = create_app(open_to_arrivals.service).test_client()
    assert closed.put("/v1/titles/x", json=RECORD, headers=TOKEN).status_code == 403
    assert open_to_arrivals.arrivals.told == []


def test_a_body_that_is_no_json_or_too_large_is_a_problem(client: Any) -> None:
    assert client.post("/v1/members", data="user_id=zoe").status_code == 415
    assert client.post("/v1/members", data="{", content_type="application/json").status_code == 400
    large = client.post("/v1/members", data=b"x" * 2_000_000, content_type="application/json")
    assert (large.status_code, large.content_type) == (413, "application/problem+json")


def test_a_server_without_a_lake_takes_nothing_in(small: Any) -> None:
    answer = create_app(small.service).test_client().post("/v1/members", json={"user_id": "zoe"})
    assert answer.status_code == 503
