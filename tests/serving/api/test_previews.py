"""Pages that are looked at and shown to nobody: previews, and those of another bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serving.app import create_app

ADMIN = {"Authorization": "Bearer token"}
PAGE = "/v1/members/ana/homepage"


def test_of_a_preview_nothing_is_remembered(small: Any) -> None:
    small.client.get(f"{PAGE}?preview=true").close()  # a page counts as shown once it is sent
    assert small.service.recent.latest(10) == []
    small.client.get(PAGE).close()
    assert len(small.service.recent.latest(10)) == 1


def test_a_page_is_made_from_a_bundle_that_is_held(small: Any, contents_of: Callable[[int], Any]) -> None:
    other = small.publish(contents_of(2), champion=False)
    client = create_app(small.service, "token").test_client()
    unheld = client.get(f"{PAGE}?bundle={other}", headers=ADMIN)
    assert (unheld.status_code, unheld.content_type) == (409, "application/problem+json")
    assert "make it the challenger" in unheld.get_json()["detail"]
    small.service.keeper.hold(other, "tests")
    page = client.get(f"{PAGE}?bundle={other}", headers=ADMIN, buffered=True).get_json()
    champion = client.get(f"{PAGE}?bundle=champion", headers=ADMIN).get_json()
    assert (page["bundle"], champion["bundle"]) == (other, small.service.state.models.version)
    assert [r["tiles"] for r in page["rows"]] != [r["tiles"] for r in champion["rows"]]
    assert small.service.recent.latest(10) == []  # previews both


def test_a_ranker_arm_has_no_say_in_a_page_of_a_named_bundle(
    lab: Any, contents_of: Callable[[int], Any], experiment_of: Callable[..., Any]
) -> None:
    other = lab.publish(contents_of(2), champion=False)
    lab.run(experiment_of("ranker", bundle=other))
    client = create_app(lab.service, "token").test_client()
    assert client.get(PAGE).get_json()["bundle"] == other
    page = client.get(f"{PAGE}?bundle=champion", headers=ADMIN).get_json()
    assert (page["bundle"], page["experiments"]) == (lab.service.state.models.version, {})


def test_a_bundle_is_named_by_operators_alone_and_not_beside_a_ranker_arm(small: Any) -> None:
    client = create_app(small.service, "token").test_client()
    assert client.get(f"{PAGE}?bundle=champion").status_code == 401
    both = client.get(f"{PAGE}?bundle=champion&arms=ranker:test/control", headers=ADMIN)
    assert (both.status_code, "name one of them" in both.get_json()["detail"]) == (400, True)
    assert client.get(f"{PAGE}?bundle=challenger", headers=ADMIN).status_code == 409
    assert client.get(f"{PAGE}?bundle=../x", headers=ADMIN).status_code == 400
