"""Which texts are an instant, and that every call that takes one takes the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from serving.api.events import read_events
from serving.api.instants import Instant
from serving.app import create_app
from tests.serving.conftest import NOW

INSTANT = TypeAdapter(Instant)
NO_INSTANTS = [
    "2026",  # pydantic alone takes it for half an hour after 1970 began
    "20260301",
    "1772395200",
    "2026-03-01",
    "2026-03-01T20Z",
    "2026-03-01T20:00Z",
    "2026-03-01T20:00:00",
    "2026-03-01T20:00:00+0900",
    "2026-02-29T20:00:00Z",
    "2026-03-01T20:00:61Z",
    "1969-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",  # before the first year in UTC
    "9999-12-31T23:59:59-12:00",
]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01T20:00:00Z", datetime(2026, 3, 1, 20, tzinfo=UTC)),
        ("2026-03-01t20:00:00z", datetime(2026, 3, 1, 20, tzinfo=UTC)),
        ("2026-03-01 20:00:00Z", datetime(2026, 3, 1, 20, tzinfo=UTC)),
        ("2026-03-02T05:00:00.25+09:00", datetime(2026, 3, 1, 20, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-03-01T20:00:00.123456789Z", datetime(2026, 3, 1, 20, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_an_instant_has_date_time_and_zone(written: str, read: datetime) -> None:
    assert INSTANT.validate_python(written) == read


@pytest.mark.parametrize("value", [*NO_INSTANTS, 2026, 1_772_395_200, 1.5, True])
def test_whatever_else_is_no_instant(value: object) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(value)


def test_every_call_refuses_it_by_field_value_and_remedy(small: Any) -> None:
    client = create_app(small.service, "token").test_client()
    headers = {"Authorization": "Bearer token"}
    event = {"event_id": "e1", "user_id": "ana", "title_id": "t009", "event_type": "play"}
    for text in NO_INSTANTS:
        record = {"name": "Night Ferry", "available_since": text}
        for field, answer in (
            ("at", client.get("/v1/members/ana/homepage", query_string={"at": text})),
            ("available_since", client.put("/v1/titles/x", json=record, headers=headers)),
        ):
            assert answer.status_code == 400
            (error,) = answer.get_json(force=True)["errors"]
            assert (error["field"], error["value"]) == (field, text)
            assert "give" in error["remedy"]
        events, (rejected,) = read_events([event | {"event_timestamp": text}], NOW)
        assert (events, rejected.reason.startswith(f"event_timestamp = '{text}': give")) == ([], True)


def test_a_plus_that_the_url_turned_into_a_blank_is_told(small: Any) -> None:
    answer = small.client.get("/v1/members/ana/homepage?at=2026-03-01T20:00:00+09:00")
    (error,) = answer.get_json(force=True)["errors"]
    assert (error["field"], error["value"]) == ("at", "2026-03-01T20:00:00 09:00")
    assert "%2B" in error["remedy"]
    assert small.client.get("/v1/members/ana/homepage?at=2026-03-01T20:00:00%2B09:00").status_code == 200
