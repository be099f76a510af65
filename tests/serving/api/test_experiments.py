from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from werkzeug.test import TestResponse

from experiments.definitions import Status
from serving.app import create_app
from training.bundle import BundleAliases, BundleContents

Ask = Callable[..., TestResponse]
ExperimentOf = Callable[..., Any]
ContentsOf = Callable[[int], BundleContents]
PageOf = Callable[..., dict[str, Any]]
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def ask(lab: Any) -> Ask:
    """Call the interface as an operator: (method, path below /v1/experiments, body)."""
    client = create_app(lab.service, "secret").test_client()

    def call(method: str, path: str = "", body: Any = None) -> TestResponse:
        return client.open(f"/v1/experiments{path}", method=method, json=body, headers=TOKEN)

    return call


@pytest.fixture
def tiles(experiment_of: ExperimentOf) -> dict[str, Any]:
    """An experiment of the ui as an operator sends it."""
    sent: dict[str, Any] = experiment_of("ui", "tiles", variant="large").model_dump(mode="json")
    return sent


CALLS = [
    ("POST", ""), ("GET", ""), ("GET", "/x"), ("POST", "/x/start"), ("POST", "/x/pause"),
    ("POST", "/x/promote"), ("POST", "/x/rollback"), ("GET", "/x/analysis"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_only_operators_may_call(lab: Any, method: str, path: str) -> None:
    path = f"/v1/experiments{path}"
    assert lab.client.open(path, method=method).status_code == 403  # a server without a token
    guarded = create_app(lab.service, "secret").test_client()
    assert guarded.open(path, method=method).status_code == 401
    wrong = {"Authorization": "Bearer guess"}
    assert guarded.open(path, method=method, headers=wrong).status_code == 401


def test_an_experiment_from_its_creation_to_its_end(ask: Ask, tiles: Any, page_of: PageOf) -> None:
    created = ask("POST", "", tiles)
    assert created.status_code == 201
    assert created.headers["Location"].endswith("/v1/experiments/tiles")
    assert (created.json["status"], created.json["first_bucket"]) == ("draft", 0)
    assert page_of("ana")["experiments"] == {}
    assert ask("POST", "/tiles/start").json["status"] == "running"
    assert page_of("ana")["ui_variant"] == "large"
    assert ask("GET", "/tiles").json["served"] is True
    paused = ask("POST", "/tiles/pause", {"reason": "a holiday"}).json
    assert (paused["status"], paused["reason"]) == ("paused", "a holiday")
    assert page_of("ana")["experiments"] == {}
    assert ask("POST", "/tiles/start", {"reason": "over"}).json["status"] == "running"
    ended = ask("POST", "/tiles/rollback", {"reason": "members complain"}).json
    assert ended["status"] == "rolled_back"
    assert page_of("ana")["experiments"] == {}
    details = ask("GET", "/tiles").json
    assert details["served"] is False
    (decision,) = details["decisions"]
    assert (decision["action"], decision["decided_by"]) == ("roll_back", "operator")
    assert decision["reason"] == "members complain"
    assert [one["definition"]["name"] for one in ask("GET").json["experiments"]] == ["tiles"]
    assert ask("GET").json["holdout"] == 0


def test_a_conflict_is_named(ask: Ask, tiles: Any) -> None:
    ask("POST", "", tiles | {"traffic": 600})
    again = ask("POST", "", tiles)
    assert again.status_code == 409
    assert "'tiles'" in again.get_json(force=True)["detail"]
    other = ask("POST", "", tiles | {"name": "other", "traffic": 500})
    assert other.status_code == 409
    assert "tiles" in other.get_json(force=True)["detail"]


@pytest.mark.parametrize(
    ("changes", "field", "remedy"),
    [
        ({"layer": "kitchen"}, "layer", "'candidate', 'ranker', 'post_filter' or 'ui'"),
        ({"traffic": 1001}, "traffic", "at most 1000"),
        ({"name": "Tiles"}, "name", "match ^[a-z0-9]"),
        ({"layer": "ranker"}, "", "make an experiment of each layer"),
        ({"eligibility": {"countries": ["Korea"]}}, "eligibility.countries.0", "match ^[A-Z]{2}$"),
        ({"rule": {"minimum_days": 61}}, "rule.minimum_days", "60 at most"),
    ],
)
def test_a_bad_definition_is_refused_with_the_field_named(
    ask: Ask, tiles: Any, changes: Any, field: str, remedy: str
) -> None:
    answer = ask("POST", "", tiles | changes)
    assert answer.status_code == 400
    errors = answer.get_json(force=True)["errors"]
    assert [error["field"] for error in errors] == [field]
    assert remedy in errors[0]["remedy"]


@pytest.mark.parametrize(
    ("treatment", "field", "remedy"),
    [
        ({"page": {"top_picks": 400}}, "arms.1.treatment.top_picks", "at most 40"),
        ({"page": {"{0}": 1}}, "arms.1.treatment.{0}", "Extra inputs"),
        ({"generators": {"{0}": {}}}, "arms.1.treatment", "no candidate generator '{0}'"),
        ({"generators": {"als": {"limit": 0}}}, "arms.1.treatment.generators.als.limit", "at least 1"),
    ],
)
def test_a_bad_treatment_is_refused_with_the_field_named(
    ask: Ask, tiles: Any, treatment: Any, field: str, remedy: str
) -> None:
    control, changed = tiles["arms"]
    layer = "post_filter" if "page" in treatment else "candidate"
    answer = ask("POST", "", tiles | {"layer": layer, "arms": [control, changed | {"treatment": treatment}]})
    assert answer.status_code == 400
    error = answer.get_json(force=True)["errors"][0]
    assert error["field"] == field
    assert remedy in error["remedy"]


def test_a_bundle_that_cannot_serve_is_refused_at_creation(
    lab: Any, ask: Ask, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    (lab.bundles / version / "ranker.ubj").unlink()
    answer = ask("POST", "", experiment_of("ranker", bundle=version).model_dump(mode="json"))
    assert answer.status_code == 400
    (error,) = answer.get_json(force=True)["errors"]
    assert error["field"] == "arms.1.treatment"
    assert "ranker.ubj" in error["remedy"]
    assert ask("GET").json["experiments"] == []


def test_a_bundle_that_broke_since_keeps_its_experiment_from_starting(
    lab: Any, ask: Ask, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    ask("POST", "", experiment_of("ranker", "model", bundle=version).model_dump(mode="json"))
    (lab.bundles / version / "ranker.ubj").unlink()
    answer = ask("POST", "/model/start")
    assert answer.status_code == 409
    assert "ranker.ubj" in answer.get_json(force=True)["detail"]
    assert lab.store.get("model").status is Status.DRAFT


def test_promoting_a_ranker_makes_everybodys_page_come_from_its_bundle(
    lab: Any, ask: Ask, experiment_of: ExperimentOf, contents_of: ContentsOf, page_of: PageOf
) -> None:
    champion = page_of("ana")["bundle"]
    version = lab.publish(contents_of(2), champion=False)
    definition = experiment_of("ranker", "model", treated=500, traffic=500, bundle=version)
    ask("POST", "", definition.model_dump(mode="json"))
    ask("POST", "/model/start")
    members = [f"member-{number}" for number in range(30)]
    assert {page_of(user_id)["bundle"] for user_id in members} == {champion, version}
    promoted = ask("POST", "/model/promote", {"arm": "treatment", "reason": "it is better"})
    assert (promoted.status_code, promoted.json["status"]) == (200, "promoted")
    assert BundleAliases(lab.bundles).get("champion") == version
    (decision,) = ask("GET", "/model").json["decisions"]
    assert (decision["arm"], decision["champion_after"]) == ("treatment", version)
    assert decision["evidence"]["analysis"]["experiment"] == "model"
    lab.service.keeper.check()
    pages = [page_of(user_id) for user_id in members]
    assert {page["bundle"] for page in pages} == {version}
    assert all(page["experiments"] == {} for page in pages)
    assert ask("POST", "/model/rollback", {"reason": "it is not"}).status_code == 200
    lab.service.keeper.check()
    assert {page_of(user_id)["bundle"] for user_id in members} == {champion}


@pytest.mark.parametrize(
    ("call", "body", "status", "words"),
    [
        ("/gone/start", None, 404, "no experiment 'gone'"),
        ("/gone/analysis", None, 404, "no experiment 'gone'"),
        ("/tiles/pause", None, 409, "is draft"),
        ("/tiles/promote", {"arm": "treatment", "reason": "now"}, 409, "running or paused"),
        ("/tiles/promote", {"arm": "treatment"}, 400, "reason"),
        ("/tiles/rollback", {"reason": ""}, 400, "reason"),
        ("/tiles/start", {"because": "now"}, 400, "because"),
        ("/Tiles/start", None, 400, "name"),
    ],
)
def test_what_cannot_be_done_is_a_problem_that_says_why(
    ask: Ask, tiles: Any, call: str, body: Any, status: int, words: str
) -> None:
    ask("POST", "", tiles)
    answer = ask("GET" if call.endswith("analysis") else "POST", call, body)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert words in answer.get_json(force=True)["detail"]
    assert ask("GET", "/tiles").json["experiment"]["status"] == "draft"


def test_an_arm_that_there_is_not_cannot_be_promoted(ask: Ask, tiles: Any) -> None:
    ask("POST", "", tiles)
    ask("POST", "/tiles/start")
    answer = ask("POST", "/tiles/promote", {"arm": "gone", "reason": "now"})
    assert answer.status_code == 409
    assert "treatment" in answer.get_json(force=True)["detail"]
    assert ask("GET", "/tiles").json["served"] is True


def test_an_analysis_is_as_of_the_services_present_and_beside_what_runs(
    lab: Any, ask: Ask, tiles: Any, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("post_filter", "rows", page={"top_picks": 20}))
    ask("POST", "", tiles)
    ask("POST", "/tiles/start")
    answer = ask("GET", "/tiles/analysis")
    assert answer.status_code == 200
    assert answer.json == {
        "experiment": "tiles", "as_of": str(lab.service.state.clock()), "concurrent": ["rows", "tiles"],
    }  # fmt: skip


def test_a_store_that_is_away_is_a_503_and_pages_go_on(
    lab: Any, ask: Ask, page_of: PageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lab.bundles.parent / "experiments.db").write_bytes(b"no database")
    lab.store.close()
    answer = ask("GET")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "experiment store" in answer.get_json(force=True)["detail"]
    assert page_of("ana")["degraded"] == []


def test_answers_conform_to_the_openapi_document(ask: Ask, lab: Any, tiles: Any) -> None:
    document = lab.client.get("/openapi.json").get_json()

    def check(answer: TestResponse, method: str, path: str) -> None:
        declared = document["paths"]["/v1/experiments" + path][method]
        assert declared["security"] == [{"key": ["admin"]}]
        content = declared["responses"][str(answer.status_code)]["content"]
        schema = content[answer.content_type]["schema"] | {"components": document["components"]}
        jsonschema.validate(answer.get_json(force=True), schema, cls=jsonschema.Draft202012Validator)

    check(ask("POST", "", tiles), "post", "")
    check(ask("POST", "", tiles), "post", "")
    check(ask("POST", "", {}), "post", "")
    check(ask("POST", "/tiles/start"), "post", "/{name}/start")
    check(ask("GET", "/tiles/analysis"), "get", "/{name}/analysis")
    check(ask("POST", "/tiles/pause"), "post", "/{name}/pause")
    check(ask("POST", "/tiles/promote", {"arm": "treatment", "reason": "now"}), "post", "/{name}/promote")
    check(ask("POST", "/tiles/rollback", {"reason": "now"}), "post", "/{name}/rollback")
    check(ask("GET"), "get", "")
    check(ask("GET", "/tiles"), "get", "/{name}")
    check(ask("GET", "/gone"), "get", "/{name}")


def test_the_document_describes_what_is_sent(lab: Any, tiles: Any) -> None:
    document = lab.client.get("/openapi.json").get_json()
    create = document["paths"]["/v1/experiments"]["post"]["requestBody"]
    schema = create["content"]["application/json"]["schema"] | {"components": document["components"]}
    jsonschema.validate(tiles, schema, cls=jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tiles | {"traffic": 1}, schema, cls=jsonschema.Draft202012Validator)
    start = document["paths"]["/v1/experiments/{name}/start"]["post"]
    assert start["requestBody"]["required"] is False
    assert [(p["name"], p["in"]) for p in start["parameters"]] == [("name", "path")]
