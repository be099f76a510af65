from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jsonschema
import numpy as np
import pytest
import redis
import structlog

from feature_repo import schema as s
from serving.app import create_app
from serving.arrivals import with_changes
from tests.serving.in_memory_arrivals import RECORD, TOKEN


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


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "a/b"}, "user_id = 'a/b': use 1 to 128 characters, none of them '/'"),
        ({"user_id": "a,b"}, "user_id = 'a,b'"),
        ({"user_id": ".."}, "user_id = '..'"),
        ({"user_id": " "}, "user_id = ' '"),
        ({"user_id": "zoe", "selected_title_ids": [" "]}, "selected_title_ids.0 = ' ': use"),
        ({"user_id": "\ud800"}, "user_id"),
        ({"user_id": 5}, "user_id"),
        ({"user_id": "zoe", "selected_title_ids": [f"t{row:03d}" for row in range(51)]}, "at most 50"),
        ({"user_id": "zoe", "country": "Korea"}, "country"),
        ({"user_id": "zoe", "language": "KO"}, "language"),
        ({"user_id": "zoe", "selected_title_ids": ["t003", "t003"]}, "t003"),
        ({"user_id": "zoe", "selected_title_ids": ["ghost"]}, "ghost"),
        ({"user_id": "zoe", "age": 3}, "age"),
        ([], "body = '[]': send an object"),
    ],
)
def test_what_cannot_be_taken_in_is_named(open_to_arrivals: Any, client: Any, body: Any, named: str) -> None:
    answer = client.post("/v1/members", json=body)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert named in answer.text
    assert open_to_arrivals.arrivals.members == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name"),
        (RECORD | {"genres": ["Noise"]}, "Noise"),
        (RECORD | {"cast": [""]}, "cast"),
        (RECORD | {"cast": [" "]}, "cast"),
        (RECORD | {"name": " "}, "name"),
        (RECORD | {"franchise_id": " "}, "franchise_id"),
        (RECORD | {"title_id": "y"}, "title_id"),
        (RECORD | {"countries": []}, "countries"),  # would mean: everywhere
        (RECORD | {"available_since": "9999-12-31T23:59:59-12:00"}, "available_since"),
        (RECORD | {"available_since": "2026-03-01"}, "available_since"),
        (RECORD | {"runtime_minutes": float("nan")}, "runtime_minutes"),
    ],
)
def test_a_title_that_does_not_fit_is_refused(client: Any, body: Any, named: str) -> None:
    answer = client.put("/v1/titles/x", json=body, headers=TOKEN)
    assert answer.status_code == 400
    assert named in answer.text


def test_a_title_under_an_id_that_nobody_could_ask_for_is_refused(client: Any) -> None:
    for title_id in ("%20", "%00", "%2E%2E", "a,b", "a%0Ab", "x" * 129):
        answer = client.put(f"/v1/titles/{title_id}", json=RECORD, headers=TOKEN)
        assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
        (error,) = answer.get_json(force=True)["errors"]
        assert (error["field"], "128 characters" in error["remedy"]) == ("title_id", True)


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
    nested = client.post("/v1/members", data="[" * 100_000, content_type="application/json")
    assert (nested.status_code, nested.content_type) == (400, "application/problem+json")
    large = client.post("/v1/members", data=b"x" * 2_000_000, content_type="application/json")
    assert (large.status_code, large.content_type) == (413, "application/problem+json")


DAMAGE = {
    "a hole in its vector": (s.TITLE_EMBEDDING, np.where(np.arange(128) == 3, np.nan, 1).astype(np.float32)),
    "an infinite vector": (s.TITLE_EMBEDDING, np.full(128, np.inf, np.float32)),
    "an absurdly long vector": (s.TITLE_EMBEDDING, np.full(128, 1e30, np.float32)),
    "infinite content": (s.SYNOPSIS_EMBEDDING, np.full(512, np.inf, np.float32)),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("path", ["follow", "another bundle"])
def test_a_damaged_arrival_is_refused_and_the_others_come_in(
    open_to_arrivals: Any, client: Any, contents_of: Any, damage: str, path: str
) -> None:
    for title in ("before", "damaged", "later"):
        client.put(f"/v1/titles/{title}", json=RECORD, headers=TOKEN)
    column, value = DAMAGE[damage]
    open_to_arrivals.features.titles["damaged"][column] = value
    if path == "another bundle":
        open_to_arrivals.publish(contents_of(2))
    with structlog.testing.capture_logs() as logs:
        (open_to_arrivals.service.keeper.check if path == "another bundle" else follow(open_to_arrivals))()
    refusals = [log["titles"] for log in logs if log["event"] == "titles refused"]
    assert refusals == [["damaged"]]
    assert list(open_to_arrivals.service.state.catalogue.title_ids[160:]) == ["before", "later"]
    assert np.isfinite(open_to_arrivals.service.state.models.taste.solver.gram).all()
    assert "later" in shown(client)


def follow(small: Any) -> Callable[[], object]:
    found: Callable[[], object] = small.service.keeper.follow
    return found


def test_a_known_title_whose_vector_is_damaged_stays_as_it_was(open_to_arrivals: Any) -> None:
    title = open_to_arrivals.features.titles["t009"]
    before = open_to_arrivals.service.state.catalogue.ranking_inputs[s.TITLE_EMBEDDING][9].copy()
    title |= {s.NAME: "Damaged", s.TITLE_EMBEDDING: np.full(128, np.inf, np.float32)}
    open_to_arrivals.arrivals.told.append("t009")
    open_to_arrivals.service.keeper.follow()
    open_to_arrivals.time[0] += timedelta(minutes=5)
    open_to_arrivals.service.keeper.check()
    catalogue = open_to_arrivals.service.state.catalogue
    assert catalogue.names[9] == "Title 9"
    np.testing.assert_array_equal(catalogue.ranking_inputs[s.TITLE_EMBEDDING][9], before)


def test_a_store_that_is_away_delays_arrivals_and_loses_none(open_to_arrivals: Any, client: Any) -> None:
    keeper = open_to_arrivals.service.keeper
    client.put("/v1/titles/night-ferry", json=RECORD, headers=TOKEN)
    open_to_arrivals.features.error = redis.ConnectionError("away")
    assert keeper.follow() is False
    open_to_arrivals.features.error = None
    assert keeper.follow() is True
    assert "night-ferry" in open_to_arrivals.service.state.catalogue.row_of


def test_the_background_watch_takes_titles_in(open_to_arrivals: Any, client: Any) -> None:
    seen = threading.Event()
    swap = open_to_arrivals.service._holder.swap

    def tell(state: Any) -> None:
        swap(state)
        if "night-ferry" in state.catalogue.row_of:
            seen.set()

    open_to_arrivals.service._holder.swap = tell
    open_to_arrivals.service.keeper.start()
    client.put("/v1/titles/night-ferry", json=RECORD, headers=TOKEN)
    assert seen.wait(60)


def test_arrivals_are_counted_with_the_time_until_they_were_visible(
    open_to_arrivals: Any, client: Any
) -> None:
    def counted() -> list[float]:
        lines = open_to_arrivals.service.metrics.exposition().decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        names = (
            "marquee_changed_titles_total", "marquee_refused_titles_total",
            "marquee_title_visible_seconds_count", "marquee_title_visible_seconds_sum",
        )  # fmt: skip
        return [float(values[name]) for name in names]

    before = counted()
    for title in ("one", "two", "damaged"):
        client.put(f"/v1/titles/{title}", json=RECORD, headers=TOKEN)
    open_to_arrivals.features.titles["damaged"][s.TITLE_EMBEDDING] = np.full(128, np.inf, np.float32)
    open_to_arrivals.service.keeper.follow()
    open_to_arrivals.service.keeper.follow()  # nothing more came
    assert np.subtract(counted(), before).tolist() == [2, 1, 1, 0.25]


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("post", "/v1/members", {"user_id": "zoe"}, (201, 200)),
        ("post", "/v1/members", {"user_id": "kim"}, (409, 409)),
        ("post", "/v1/members", {}, (400, 400)),
        ("put", "/v1/titles/x", RECORD, (201, 200)),
        ("put", "/v1/titles/x", {}, (400, 400)),
    ],
)
def test_calls_and_answers_conform_to_the_openapi_document(
    open_to_arrivals: Any, client: Any, method: str, path: str, body: Any, statuses: tuple[int, int]
) -> None:
    document = client.get("/openapi.json").get_json()
    operation = document["paths"][path.replace("/x", "/{title_id}")][method]
    components = {"components": document["components"]}
    sent = operation["requestBody"]["content"]["application/json"]["schema"] | components
    valid = jsonschema.Draft202012Validator(sent).is_valid(body)
    assert valid == (statuses[0] != 400)
    for status in statuses:
        answer = client.open(path, method=method.upper(), json=body, headers=TOKEN)
        assert answer.status_code == status
        declared = operation["responses"][str(status)]["content"][answer.content_type]["schema"]
        jsonschema.Draft202012Validator(declared | components).validate(answer.get_json(force=True))
        open_to_arrivals.service.keeper.follow()
    assert (operation.get("security") == [{"key": ["admin"]}]) == (method == "put")
