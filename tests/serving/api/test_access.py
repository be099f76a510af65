from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient

from serving.api.access import Access
from serving.api.operations import OPERATIONS, Operation
from serving.api_keys import KeyRing, add_client, revoke_client
from serving.app import create_app
from serving.logs import configure_logs
from serving.rate_limits import RateLimits
from serving.server import access_of

SCOPES = ("homepage", "events", "members", "admin")
PAGE = "/v1/members/ana/homepage"


class Guarded:
    """The small service with a key file: a client for each scope, named as it is."""

    def __init__(self, small: Any, folder: Path, **changes: Any) -> None:
        self.small, self.file, self.now = small, folder / "keys.json", [0.0]
        self.keys = {scope: add_client(self.file, scope, (scope,)) for scope in SCOPES}
        limits = RateLimits(lambda: self.now[0])
        self.access = Access("operator's token", KeyRing(self.file), limits=limits, **changes)
        self.client: FlaskClient = create_app(small.service, access=self.access).test_client()

    def call(self, key: str | None, path: str = PAGE, method: str = "get") -> Any:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.client.open(path, method=method, headers=headers)


@pytest.fixture
def guarded(small: Any, tmp_path: Path) -> Guarded:
    return Guarded(small, tmp_path)


def address(operation: Operation) -> str:
    return operation.path.replace("{user_id}", "ana").replace("{title_id}", "t009").replace("{name}", "test")


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


SCOPED = [operation for operation in OPERATIONS if operation.scope is not None]


def test_the_calls_of_operations_alone_are_open_to_everybody() -> None:
    assert {o.path for o in OPERATIONS if o.scope is None} == {
        "/healthz", "/readyz", "/metrics", "/openapi.json",
    }  # fmt: skip


@pytest.mark.parametrize("operation", SCOPED, ids=named)
def test_each_call_needs_a_key_of_its_scope(guarded: Guarded, operation: Operation) -> None:
    path, method = address(operation), operation.method
    for key in (None, "wrong", guarded.keys["admin"] + "x"):
        answer = guarded.call(key, path, method)
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
    for scope, key in guarded.keys.items():
        answer = guarded.call(key, path, method)
        assert (answer.status_code == 403) == (scope != operation.scope), answer.text
        assert answer.status_code != 401
    assert guarded.call("operator's token", path, method).status_code == 401  # no header holds a blank


@pytest.mark.parametrize("operation", SCOPED, ids=named)
def test_the_admin_token_is_good_for_every_call(small: Any, operation: Operation, tmp_path: Path) -> None:
    client = create_app(small.service, access=Access("token", Guarded(small, tmp_path).access.keys))
    answer = client.test_client().open(
        address(operation), method=operation.method, headers={"Authorization": "Bearer token"}
    )
    assert answer.status_code not in (401, 403)


def test_without_a_key_file_everything_but_admin_calls_is_open(small: Any) -> None:
    client = create_app(small.service, "token").test_client()
    assert client.get(PAGE).status_code == 200
    assert client.get(PAGE, headers={"Authorization": "Bearer whatever"}).status_code == 200
    assert client.post("/v1/events", json={}).status_code == 202
    assert client.get("/v1/experiments").status_code == 401


def test_a_page_is_explained_to_who_may_read_pages_and_is_an_operator(guarded: Guarded) -> None:
    assert guarded.call(guarded.keys["homepage"], PAGE + "?explain=1").status_code == 403
    both = add_client(guarded.file, "both", ("homepage", "admin"))
    assert guarded.call(both, PAGE + "?explain=1").status_code == 200


def test_a_new_key_opens_and_a_revoked_one_does_not_from_the_next_request_on(guarded: Guarded) -> None:
    new = add_client(guarded.file, "new", ("homepage",))
    assert guarded.call(new).status_code == 200
    revoke_client(guarded.file, "new")
    assert guarded.call(new).status_code == 401


def test_a_client_has_its_rate_and_is_told_when_to_come_again(guarded: Guarded) -> None:
    key = add_client(guarded.file, "slow", ("homepage",), rate=2)
    assert [guarded.call(key).status_code for _ in range(3)] == [200, 200, 429]
    refused = guarded.call(key)
    assert (refused.headers["Retry-After"], refused.content_type) == ("1", "application/problem+json")
    assert guarded.call(guarded.keys["homepage"]).status_code == 200
    guarded.now[0] += 0.5
    assert [guarded.call(key).status_code for _ in range(2)] == [200, 429]
    assert guarded.call(key, "/healthz").status_code == 200


def test_a_worker_allows_its_share_of_a_rate(small: Any, tmp_path: Path) -> None:
    guarded = Guarded(small, tmp_path, workers=4)
    key = add_client(guarded.file, "slow", ("homepage",), rate=8)
    assert [guarded.call(key).status_code for _ in range(3)] == [200, 200, 429]


def test_who_tries_keys_out_is_held_up_by_address(small: Any, tmp_path: Path) -> None:
    guarded = Guarded(small, tmp_path, unknown_rate=2)
    assert [guarded.call(f"guess-{n}").status_code for n in range(3)] == [401, 401, 429]
    elsewhere = guarded.client.get(PAGE, environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert elsewhere.status_code == 401
    assert guarded.call(guarded.keys["homepage"]).status_code == 200


@pytest.mark.parametrize(("client", "status"), [("homepage", 200), ("events", 403), ("anonymous", 401)])
def test_requests_are_counted_by_client(guarded: Guarded, client: str, status: int) -> None:
    series = f'marquee_client_requests_total{{client="{client}",status="{status}"}} '

    def counted() -> float:
        lines = guarded.client.get("/metrics").text.splitlines()
        return sum(float(line.removeprefix(series)) for line in lines if line.startswith(series))

    before = counted()
    guarded.call(guarded.keys.get(client, "wrong"))
    assert counted() == before + 1


def test_the_document_says_which_scope_each_call_needs(guarded: Guarded) -> None:
    document = guarded.client.get("/openapi.json").get_json()
    declared = {
        (path, method): operation.get("security")
        for path, of_path in document["paths"].items()
        for method, operation in of_path.items()
    }
    expected = {(o.path, o.method): [{"key": [o.scope]}] if o.scope else None for o in OPERATIONS}
    assert declared == expected
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_a_logged_line_bears_the_clients_name_and_nothing_that_is_logged_a_key(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs()
    # A logger that is kept would go on writing to this test's standard error.
    structlog.configure(**{**structlog.get_config(), "cache_logger_on_first_use": False})

    def broken(*_: object) -> None:
        raise RuntimeError("an error of ours")

    monkeypatch.setattr("serving.service.HomepageService.homepage", broken)
    monkeypatch.setattr("serving.service.HomepageService.static_page", broken)
    keys = [*guarded.keys.values(), "operators-token", "a-guess-at-a-key"]
    for key in keys:
        assert guarded.call(key).status_code in (401, 403, 500)
        guarded.call(key, "/v1/titles/none/similar?k=none")
    guarded.file.write_text('{"clients": 5}')
    guarded.call(guarded.keys["homepage"])
    captured = capfd.readouterr()
    logged = captured.out + captured.err
    assert '"client": "homepage"' in logged
    assert "an error of ours" in logged
    assert "key file" in logged
    for secret in (*keys, *(client.sha256 for client in guarded.access.keys.clients.clients)):  # type: ignore[union-attr]
        assert secret not in logged
        assert secret not in guarded.client.get("/metrics").text


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.body is not None], ids=named)
@pytest.mark.parametrize("chunked", [False, True])
def test_no_call_takes_a_body_of_more_than_a_mebibyte(
    small: Any, operation: Operation, chunked: bool
) -> None:
    client = create_app(small.service, "token").test_client()
    large = b'{"reason": "' + b"x" * 1024 * 1024 + b'"}'
    environment = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {}
    answer = client.open(
        address(operation), method=operation.method, data=large, content_type="application/json",
        headers={"Authorization": "Bearer token"}, environ_overrides=environment,
    )  # fmt: skip
    # What comes in pieces is cut off at the limit, and is then no JSON.
    expected = 400 if chunked else 413
    assert (answer.status_code, answer.content_type) == (expected, "application/problem+json")


def test_the_environment_says_who_may_call_what(tmp_path: Path) -> None:
    assert access_of({}).keys is None
    file = tmp_path / "keys.json"
    add_client(file, "tv", ("homepage",))
    access = access_of({"MARQUEE_API_KEYS": str(file), "MARQUEE_UNKNOWN_RATE": "5", "MARQUEE_WORKERS": "3"})
    assert access.keys is not None
    assert (access.unknown_rate, access.workers) == (5.0, 3)


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "many"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="MARQUEE_UNKNOWN_RATE"):
        access_of({"MARQUEE_UNKNOWN_RATE": rate})
