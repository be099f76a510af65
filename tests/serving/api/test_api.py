from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient

STAGES = [
    "features", "arms", "shown_seeds", "taste", "eligibility", "continue_watching", "als", "two_tower",
    "similar", "trending_in_country", "trending", "popularity", "new_titles", "merge", "ranking_features",
    "ranker", "page", "total",
]  # fmt: skip


@pytest.fixture
def client(small: Any) -> FlaskClient:
    found: FlaskClient = small.client
    return found


def timing_entries(header: str) -> dict[str, float]:
    return {name: float(ms) for name, ms in (entry.split(";dur=") for entry in header.split(", "))}


def test_a_page_reports_the_time_of_every_stage(client: FlaskClient) -> None:
    entries = timing_entries(client.get("/v1/members/ana/homepage").headers["Server-Timing"])
    assert list(entries) == STAGES
    assert sum(ms for name, ms in entries.items() if name != "total") <= entries["total"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/nowhere"])
def test_every_response_reports_its_time(client: FlaskClient, path: str) -> None:
    assert list(timing_entries(client.get(path).headers["Server-Timing"])) == ["total"]


@pytest.mark.parametrize(
    ("path", "field", "value", "remedy"),
    [
        ("/v1/members/ana/homepage?device=fridge", "device", "fridge", "'tv', 'mobile', 'tablet' or 'web'"),
        ("/v1/members/ana/homepage?at=yesterday", "at", "yesterday", "RFC 3339"),
        ("/v1/members/ana/homepage?at=2026-03-01T20:00:00", "at", "2026-03-01T20:00:00", "zone"),
        ("/v1/members/ana/homepage?country=Korea", "country", "Korea", "^[A-Z]{2}$"),
        (f"/v1/members/{'x' * 129}/homepage", "user_id", "x" * 129, "at most 128 characters"),
        ("/v1/titles/t009/similar?k=0", "k", "0", "at least 1"),
        ("/v1/titles/t009/similar?k=101", "k", "101", "at most 100"),
        ("/v1/titles/t009/similar?k=ten", "k", "ten", "whole number"),
    ],
)
def test_a_bad_parameter_is_named_with_its_value_and_the_remedy(
    client: FlaskClient, path: str, field: str, value: str, remedy: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json(force=True)
    assert [(e["field"], e["value"]) for e in problem["errors"]] == [(field, value)]
    assert remedy in problem["errors"][0]["remedy"]
    assert field in problem["detail"]
    assert problem["status"] == 400


def test_all_bad_parameters_are_named_at_once(client: FlaskClient) -> None:
    answer = client.get("/v1/members/ana/homepage?device=fridge&at=now&country=kr")
    assert [e["field"] for e in answer.get_json(force=True)["errors"]] == ["device", "at", "country"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("POST", "/healthz", 405), ("GET", "/v1/titles/none/similar", 404)],
)
def test_every_error_is_a_problem(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    problem = answer.get_json(force=True)
    assert answer.status_code == problem["status"] == status
    assert answer.content_type == "application/problem+json"
    assert problem["instance"] == path


def test_before_there_is_a_bundle_pages_are_refused_and_the_process_is_alive(unstarted: Any) -> None:
    assert unstarted.client.get("/healthz").json == {"status": "alive"}
    for path in ("/readyz", "/v1/members/ana/homepage"):
        answer = unstarted.client.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "champion" in answer.get_json(force=True)["detail"]


def test_an_error_of_ours_is_a_problem_that_tells_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("serving.api.titles.similar_titles", broken)
    answer = client.get("/v1/titles/t009/similar")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_ready_tells_of_a_store_that_is_away(small: Any, client: FlaskClient) -> None:
    assert client.get("/readyz").get_json()["feature_store"] is True
    small.features.error = ConnectionError("away")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["feature_store"] is False


@pytest.mark.parametrize(
    "series",
    [
        'marquee_stage_failures_total{stage="features"}',
        'marquee_stage_seconds_count{stage="ranker"}',
        'marquee_request_seconds_count{route="/v1/members/<user_id>/homepage",status="200"}',
    ],
)
def test_metrics_count_requests_stages_and_failures(small: Any, client: FlaskClient, series: str) -> None:
    def counted() -> float:
        lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(series)]
        return float(lines[0].rsplit(" ", 1)[1]) if lines else 0.0

    before = counted()
    small.features.error = ConnectionError("away")
    client.get("/v1/members/ana/homepage")
    assert counted() == before + 1


def test_similar_titles_are_ordered_by_cosine_and_leave_the_title_out(client: FlaskClient) -> None:
    answer = client.get("/v1/titles/t009/similar").get_json()
    scores = [title["score"] for title in answer["titles"]]
    assert answer["similarity"] == "collaborative"
    assert len(scores) == 20
    assert scores == sorted(scores, reverse=True)
    assert all(-1 <= score <= 1 for score in scores)
    assert "t009" not in [title["title_id"] for title in answer["titles"]]


def test_a_title_nobody_watched_has_neighbours_by_content(client: FlaskClient) -> None:
    answer = client.get("/v1/titles/t159/similar?k=3").get_json()
    assert answer["similarity"] == "content"
    assert len(answer["titles"]) == 3


@pytest.mark.parametrize(
    ("path", "status", "operation"),
    [
        ("/v1/members/ana/homepage?device=tv&country=KR", 200, "/v1/members/{user_id}/homepage"),
        ("/v1/members/stranger/homepage", 200, "/v1/members/{user_id}/homepage"),
        ("/v1/members/ana/homepage?device=fridge", 400, "/v1/members/{user_id}/homepage"),
        ("/v1/titles/t009/similar?k=5", 200, "/v1/titles/{title_id}/similar"),
        ("/v1/titles/none/similar", 404, "/v1/titles/{title_id}/similar"),
        ("/healthz", 200, "/healthz"),
        ("/readyz", 200, "/readyz"),
        ("/openapi.json", 200, "/openapi.json"),
    ],
)
def test_responses_conform_to_the_openapi_document(
    client: FlaskClient, path: str, status: int, operation: str
) -> None:
    document = client.get("/openapi.json").get_json()
    answer = client.get(path)
    assert answer.status_code == status
    declared = document["paths"][operation]["get"]["responses"][str(status)]["content"]
    schema = declared[answer.content_type]["schema"] | {"components": document["components"]}
    jsonschema.validate(answer.get_json(force=True), schema, cls=jsonschema.Draft202012Validator)


def test_every_call_of_the_interface_is_in_the_document(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    app = client.application
    rules = {
        rule.rule.replace("<", "{").replace(">", "}")
        for rule in app.url_map.iter_rules()
        if not app.view_functions[rule.endpoint].__module__.startswith("serving.web.")  # pages for people
    }
    assert set(document["paths"]) == rules
    metrics = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert metrics == {"text/plain": {"schema": {"type": "string"}}}
    assert client.get("/metrics").mimetype == "text/plain"


def test_the_openapi_document_declares_parameters(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    declared = document["paths"]["/v1/titles/{title_id}/similar"]["get"]["parameters"]
    assert [(p["name"], p["in"], p["required"]) for p in declared] == [
        ("title_id", "path", True), ("k", "query", False),
    ]  # fmt: skip
    assert declared[1]["schema"]["default"] == 20


@pytest.mark.parametrize("path", ["/v1/members/ana/homepage", "/v1/titles/t009", "/healthz", "/nowhere"])
def test_no_answer_may_be_kept_by_a_cache(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"


def test_the_openapi_document_declares_the_headers_that_clients_act_on(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]

    def headers(method: str, path: str, status: str) -> set[str]:
        return set(paths[path][method]["responses"][status]["headers"])

    common = {"Server-Timing", "Cache-Control"}
    assert headers("get", "/v1/members/{user_id}/homepage", "200") == common
    assert headers("get", "/v1/members/{user_id}/homepage", "503") == common | {"Retry-After"}
    assert headers("post", "/v1/events", "429") == common | {"Retry-After"}
    assert headers("post", "/v1/events", "401") == common | {"WWW-Authenticate"}
    for method, path, status in (
        ("post", "/v1/members", "201"),
        ("delete", "/v1/members/{user_id}", "202"),
        ("post", "/v1/experiments", "201"),
    ):
        assert headers(method, path, status) == common | {"Location"}
