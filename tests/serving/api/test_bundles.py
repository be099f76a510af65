from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from serving.app import create_app
from training.bundle import BundleAliases, BundleContents

Ask = Callable[..., TestResponse]
ContentsOf = Callable[[int], BundleContents]
UNKNOWN = "20200101T000000Z-00000000"


@pytest.fixture
def ask(small: Any) -> Ask:
    client = create_app(small.service, "secret").test_client()
    return lambda method, path="", body=None: client.open(
        f"/v1/bundles{path}", method=method, json=body, headers={"Authorization": "Bearer secret"}
    )


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", f"/{UNKNOWN}/activate"), ("POST", "/rollback")]
)
def test_only_operators_may_call(small: Any, method: str, path: str) -> None:
    guarded = create_app(small.service, "secret").test_client()
    assert guarded.open(f"/v1/bundles{path}", method=method).status_code == 401


def test_a_bundle_is_activated_and_rolled_back(small: Any, ask: Ask, contents_of: ContentsOf) -> None:
    first = small.service.state.models.version
    second = small.publish(contents_of(2), champion=False)
    changed = ask("POST", f"/{second}/activate")
    assert (changed.status_code, changed.json["before"], changed.json["version"]) == (200, first, second)
    small.service.keeper.check()
    assert small.service.state.models.version == second
    back = ask("POST", "/rollback").json
    assert (back["before"], back["version"], back["rollback"]) == (second, first, True)
    small.service.keeper.check()
    assert small.service.state.models.version == first
    again = ask("POST", "/rollback")
    assert (again.status_code, "no champion before" in again.json["detail"]) == (409, True)


def test_the_list_names_aliases_and_changes(small: Any, ask: Ask, contents_of: ContentsOf) -> None:
    first = small.service.state.models.version
    second = small.publish(contents_of(2), champion=False)
    assert ask("POST", f"/{second}/activate", {"alias": "challenger"}).status_code == 200
    found = ask("GET").json
    assert {one["version"]: one["aliases"] for one in found["bundles"]} == {
        first: ["champion"], second: ["challenger"],
    }  # fmt: skip
    assert [(one["alias"], one["version"]) for one in found["changes"]] == [
        ("challenger", second), ("champion", first),
    ]  # fmt: skip


def test_what_cannot_be_activated_is_refused(small: Any, ask: Ask, contents_of: ContentsOf) -> None:
    before = BundleAliases(small.bundles).all()
    damaged = small.publish(contents_of(2), champion=False)
    (small.bundles / damaged / "ranker.ubj").write_bytes(b"{")
    answer = ask("POST", f"/{damaged}/activate")
    assert (answer.status_code, "ranker.ubj" in answer.json["detail"]) == (409, True)
    assert ask("POST", f"/{UNKNOWN}/activate").status_code == 404
    assert ask("POST", "/latest/activate").status_code == 400
    assert ask("POST", f"/{damaged}/activate", {"alias": "best"}).status_code == 400
    assert BundleAliases(small.bundles).all() == before
