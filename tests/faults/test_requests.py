"""Requests that mean no good."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.conftest import Victim
from tests.faults.declarations import fault

NASTY: tuple[Any, ...] = (
    "", " ", "\x00", "../../etc/passwd", "%s%n", "'; DROP TABLE", "<script>", "\ud800", "\U0001f4fa" * 200,
    "NaN", "1e999", -1, 1e308, 10**30, True, None, [], {}, ["x"], {"$ne": 1}, "9999-99-99T99:99:99Z",
)  # fmt: skip
EVENT = {
    "event_id": "e-1", "user_id": "u", "title_id": "t", "event_type": "play", "watch_fraction": 0.5,
    "event_timestamp": "2026-03-09T00:00:00Z", "duration_minutes": 3, "device_type": "tv",
}  # fmt: skip
MEMBER = {"user_id": "zoe", "country": "KR", "language": "ko", "selected_title_ids": []}
TITLE = {
    "name": "x", "release_year": 2020, "runtime_minutes": 3, "title_type": "movie", "maturity_level": 7,
    "original_language": "ko", "genres": [], "cast": [], "synopsis": "x", "franchise_id": "f",
    "countries": None,
    "available_since": "2026-03-01T00:00:00Z",
}  # fmt: skip


@fault(
    "a hostile request of every field",
    noticed="at the door, before anything is asked or written",
    members_get="400 with field, value and remedy, or the page where the value is merely odd; never a 5xx",
    heals="nothing to heal",
)
def test_hostile_values_of_every_field(victim: Victim) -> None:
    client, headers = victim.client, {"Authorization": "Bearer secret"}
    answers: list[tuple[object, int]] = []
    for value in NASTY:
        text = str(value).encode(errors="replace").decode()
        for name in ("device", "at", "country", "explain", "title_id", "arms", "user_id"):
            got = client.get("/v1/members/ana/homepage", query_string={name: text}, headers=headers)
            answers.append(((name, value), got.status_code))
        for base, send, path in (
            (EVENT, client.post, "/v1/events"), (MEMBER, client.post, "/v1/members"),
            (TITLE, client.put, "/v1/titles/nasty"),
        ):  # fmt: skip
            for name in base:
                got = send(path, json=base | {name: value}, headers=headers)
                answers.append(((path, name, value), got.status_code))
            answers.append(((path, value), send(path, json=value, headers=headers).status_code))
    assert [one for one in answers if one[1] >= 500] == []
    assert {status for _, status in answers} <= {200, 201, 202, 400, 404, 409, 415}
    victim.healed(victim.members[0])


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b'{"events": 1}'])
def test_bodies_that_are_no_events(victim: Victim, body: bytes) -> None:
    assert victim.client.post("/v1/events", data=body, content_type="application/json").status_code == 400
