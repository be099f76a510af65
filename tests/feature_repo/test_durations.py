from __future__ import annotations

from datetime import timedelta

import click
import pytest

from feature_repo.durations import Duration, parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)), ("90m", timedelta(minutes=90)), ("1h", timedelta(hours=1)),
        ("1.5h", timedelta(minutes=90)), ("7d", timedelta(days=7)), (" 2w ", timedelta(days=14)),
        ("0", timedelta(0)),
    ],
)  # fmt: skip
def test_a_number_and_a_unit_are_a_span(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "1", "h", "-1h", "1 hour", "1h30m", "nanh", "1e9h", "99999999999d", "1H"]
)
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90m, 1h or 7d"):
        parse_duration(text)


def test_too_short_a_span_is_refused_but_none_can_be_allowed() -> None:
    minute = timedelta(minutes=1)
    with pytest.raises(click.BadParameter, match="'30s' is shorter than 0:01:00"):
        Duration(minute).convert("30s", None, None)
    with pytest.raises(click.BadParameter, match="'0' is shorter"):
        Duration(minute).convert("0", None, None)
    assert Duration(minute, or_none=True).convert("0", None, None) == timedelta(0)
