from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms import user_session as module
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_session import just_after, user_sessions
from feature_repo.transforms.watch_log import watch_log

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTES_PER_DAY = 24 * 60
DRAMA, COMEDY = s.GENRES.index("Drama"), s.GENRES.index("Comedy")


@pytest.fixture(scope="module")
def catalogue(make_titles) -> pa.Table:
    return make_titles([("t1", ["Drama"]), ("t2", ["Comedy"]), ("t3", []), ("t4", ["Drama", "Comedy"])])


def batches(events: pa.Table, titles: pa.Table) -> list[pa.RecordBatch]:
    log = watch_log(events)
    return list(user_sessions(log, GenreVersions.of(titles, log.titles), CREATED))


def sessions(events: pa.Table, titles: pa.Table) -> list[dict[str, Any]]:
    return [row for batch in batches(events, titles) for row in batch.to_pylist()]


def watched(row: dict[str, Any]) -> list[tuple[str, float]]:
    return [
        (title, pytest.approx(fraction))
        for title, fraction in zip(row[s.SESSION_TITLE_IDS], row[s.SESSION_WATCH_FRACTIONS], strict=True)
    ]


def test_rows_worked_out_by_hand(make_events, catalogue, instant):
    rows = sessions(
        make_events([
            ("e1", "u", "t1", "play", 0, None, None, "tv"),
            ("e2", "u", "t1", "progress", 30, 0.4, 30, "tv"),
            ("e3", "u", "t2", "complete", 390, 0.8, 50, "mobile"),
        ]),
        catalogue,
    )  # fmt: skip
    assert [row[s.USER_ID] for row in rows] == ["u"] * 3
    assert [row[s.EVENT_TIMESTAMP] for row in rows] == [instant(m) + MICROSECOND for m in (0, 30, 390)]
    assert {row[s.CREATED_TIMESTAMP] for row in rows} == {CREATED}
    first, second, third = rows
    assert watched(first) == [("t1", 0.0)]
    assert (first[s.SESSION_COMPLETION], first[s.SESSION_MINUTES], sum(first[s.SESSION_GENRES])) == (0, 0, 0)
    assert watched(second) == [("t1", 0.4)]
    assert second[s.SESSION_COMPLETION] == pytest.approx(0.4)
    assert second[s.SESSION_MINUTES] == 30
    assert watched(third) == [("t2", 0.8), ("t1", 0.4)]
    assert third[s.SESSION_COMPLETION] == pytest.approx((0.8 + 0.4) / 2)
    assert third[s.SESSION_MINUTES] == (50 + 30) / 2
    assert [row[s.SESSION_DEVICE] for row in rows] == ["tv", "tv", "mobile"]
    last = instant(390) - datetime(1970, 1, 1, tzinfo=UTC)
    assert third[s.SESSION_WATCHED_AT] == last // MICROSECOND
    # From minute 30 to 390 are six hours: what was gained from t1 has faded to 1/e.
    drama, comedy = 0.4 * np.exp(-1), 0.8
    assert third[s.SESSION_GENRES][DRAMA] == pytest.approx(drama / (drama + comedy))
    assert third[s.SESSION_GENRES][COMEDY] == pytest.approx(comedy / (drama + comedy))


@pytest.mark.parametrize(
    ("later", "ids"), [(MINUTES_PER_DAY, ["t2"]), (MINUTES_PER_DAY - 1, ["t2", "t1"])], ids=["24 h", "less"]
)
def test_a_title_leaves_when_its_latest_event_is_24_hours_old(make_events, catalogue, later, ids):
    events = [("e1", "u", "t1", "complete", 0, 0.9, 60), ("e2", "u", "t2", "complete", later, 0.5, 10)]
    row = sessions(make_events(events), catalogue)[-1]
    assert row[s.SESSION_TITLE_IDS] == ids
    assert row[s.SESSION_COMPLETION] == pytest.approx(np.mean([0.5, 0.9][: len(ids)]))
    assert row[s.SESSION_MINUTES] == pytest.approx(np.mean([10, 60][: len(ids)]))


def test_a_report_brings_a_title_back_with_its_whole_viewing(make_events, catalogue):
    events = [
        ("e1", "u", "t1", "progress", 0, 0.5, 40),
        ("e2", "u", "t2", "complete", 1_500, 0.9, 20),
        ("e3", "u", "t1", "progress", 1_600, 0.7, 15),
    ]
    rows = sessions(make_events(events), catalogue)
    assert [row[s.SESSION_TITLE_IDS] for row in rows] == [["t1"], ["t2"], ["t1", "t2"]]
    assert watched(rows[2])[0] == ("t1", 0.7)
    assert rows[2][s.SESSION_MINUTES] == (55 + 20) / 2


def test_events_at_one_instant_make_one_row_after_the_last_of_them(make_events, catalogue, instant):
    events = [
        ("e2", "u", "t2", "complete", 5, 0.6), ("e1", "u", "t1", "complete", 5, 0.2),
        ("e3", "v", "t3", "play", 5), ("e4", "u", "t1", "play", 6),
    ]  # fmt: skip
    rows = sessions(make_events(events), catalogue)
    assert [(row[s.USER_ID], row[s.EVENT_TIMESTAMP] - MICROSECOND) for row in rows] == [
        ("u", instant(5)), ("u", instant(6)), ("v", instant(5)),
    ]  # fmt: skip
    assert rows[0][s.SESSION_TITLE_IDS] == ["t2", "t1"]


def test_an_unknown_device_keeps_the_one_before_and_none_at_all_is_null(make_events, catalogue):
    events = [("e1", "u", "t1", "play", 0), ("e2", "u", "t1", "pause", 1, 0.1, 1, "web"),
              ("e3", "u", "t1", "pause", 2, 0.2)]  # fmt: skip
    rows = sessions(make_events(events), catalogue)
    assert [row[s.SESSION_DEVICE] for row in rows] == [None, "web", "web"]


def test_other_events_make_no_row(make_events, catalogue):
    events = [("e1", "u", "t1", "hover", 0), ("e2", "u", "t1", "thumbs_up", 1)]
    assert sessions(make_events(events), catalogue) == []


def test_just_after_is_one_microsecond_later():
    assert just_after(np.array([0, 7])).tolist() == [1, 8]


HISTORY = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3"]),
        st.sampled_from(["t1", "t2", "t3", "t4"]),
        st.sampled_from(s.WATCH_EVENT_TYPES),
        st.integers(0, 60) | st.integers(0, 4_000),
        st.none() | st.floats(0, 1, width=16),
        st.none() | st.integers(0, 90),
        st.none() | st.sampled_from(s.DEVICES),
    ),
    max_size=25,
).map(lambda rows: [(f"e{number:02d}", *row) for number, row in enumerate(rows)])


@given(HISTORY)
def test_size_of_the_blocks_changes_nothing(make_events, catalogue, history):
    events = make_events(history)
    whole = batches(events, catalogue)
    assert len(whole) <= 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EVENTS_PER_BLOCK", 1)
        one_by_one = batches(events, catalogue)
    assert len(one_by_one) == len({row[1] for row in history})
    assert pa.Table.from_batches(one_by_one, s.USER_SESSION.arrow_schema) == pa.Table.from_batches(
        whole, s.USER_SESSION.arrow_schema
    )


@given(HISTORY, st.integers(0, 4_000))
def test_later_events_never_change_a_row(make_events, catalogue, instant, history, minute):
    early = [row for row in history if row[4] < minute]
    kept = [
        row for row in sessions(make_events(history), catalogue) if row[s.EVENT_TIMESTAMP] <= instant(minute)
    ]
    assert kept == sessions(make_events(early), catalogue)
