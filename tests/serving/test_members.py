from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.ranking import MEMBER_INPUTS
from serving.members import read_member, unknown_member


def test_somebody_unknown_has_no_taste_no_country_and_no_limit() -> None:
    member = unknown_member("stranger")
    assert not member.personal
    assert member.embedding is None
    assert member.country == ""
    assert np.isnan(member.maturity_limit)
    assert set(member.features) == set(MEMBER_INPUTS)
    assert all(len(column) == 1 for column in member.features.values())


def test_the_store_and_the_defaults_agree_on_somebody_unknown(small: Any) -> None:
    read = read_member(small.features, "stranger", small.time[0])
    default = unknown_member("stranger")
    assert (read.recent, read.watched, read.country) == (default.recent, default.watched, default.country)
    for name in MEMBER_INPUTS:
        np.testing.assert_array_equal(read.features[name], default.features[name])


def test_recent_titles_keep_their_fractions_and_count_as_watched(small: Any) -> None:
    small.features.members["ana"][s.WATCHED_TITLE_IDS] = ["t001"]
    member = read_member(small.features, "ana", small.time[0])
    assert member.recent == (
        ("t010", pytest.approx(0.9)), ("t011", pytest.approx(0.2)), ("t020", pytest.approx(0.8)),
    )  # fmt: skip
    assert member.watched == {"t001", "t010", "t011", "t020"}


def test_what_was_watched_this_hour_comes_first_and_counts_as_watched(small: Any) -> None:
    small.features.members["ana"] |= {
        s.SESSION_TITLE_IDS: ["t040", "t011"], s.SESSION_WATCH_FRACTIONS: [0.1, 0.6],
        s.SESSION_WATCHED_AT: 7_000_000,
    }  # fmt: skip
    member = read_member(small.features, "ana", small.time[0])
    assert member.recent == (
        ("t040", pytest.approx(0.1)), ("t011", pytest.approx(0.6)),
        ("t010", pytest.approx(0.9)), ("t020", pytest.approx(0.8)),
    )  # fmt: skip
    assert member.watched == {"t010", "t011", "t020", "t040"}
    assert member.session_watched_at == 7_000_000


def test_a_title_begun_this_hour_is_gone_on_with_at_once(
    small: Any, page_of: Callable[..., dict[str, Any]]
) -> None:
    def continued() -> list[str]:
        rows = page_of("ana")["rows"]
        return [t["title_id"] for row in rows if row["row_type"] == "continue_watching" for t in row["tiles"]]

    assert continued() == ["t011"]
    small.features.members["ana"] |= {
        s.SESSION_TITLE_IDS: ["t041"], s.SESSION_WATCH_FRACTIONS: [0.3], s.SESSION_WATCHED_AT: 7_000_000,
    }  # fmt: skip
    assert continued() == ["t041", "t011"]


@pytest.mark.parametrize(
    ("snapshot", "session", "first"),
    [(None, 7, 7.0), (5, 7, 5.0), (5, None, 5.0), (None, None, float("nan"))],
    ids=["the first hour", "both", "no session", "nothing watched"],
)
def test_the_first_watch_is_the_snapshots_or_else_the_sessions(
    small: Any, snapshot: int | None, session: int | None, first: float
) -> None:
    small.features.members["new"] = {s.FIRST_WATCHED_AT: snapshot, s.SESSION_WATCHED_AT: session}
    member = read_member(small.features, "new", small.time[0])
    np.testing.assert_equal(member.first_watched_at, first)
    np.testing.assert_equal(member.session_watched_at, float("nan") if session is None else session)


def test_who_has_only_a_session_is_personal(small: Any) -> None:
    small.features.members["new"] = {s.SESSION_TITLE_IDS: ["t030"], s.SESSION_WATCH_FRACTIONS: [0.9]}
    member = read_member(small.features, "new", small.time[0])
    assert member.personal
    assert member.recent == (("t030", pytest.approx(0.9)),)
    assert member.watched == {"t030"}


@pytest.mark.parametrize("vector", [None, np.zeros(s.ALS_DIMENSIONS, np.float32)])
def test_history_without_a_vector_is_personal_and_has_nothing_to_search_with(
    small: Any, member_of: Callable[..., dict[str, Any]], vector: Any
) -> None:
    small.features.members["new"] = member_of({3: 1.0}, vector)
    member = read_member(small.features, "new", small.time[0])
    assert member.personal
    assert member.embedding is None
