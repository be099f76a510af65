from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from feature_repo.identifiers import REMEDY
from feature_repo.ingest.conversion import convert_rows
from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.rejects import RejectFile
from feature_repo.ingest.seen_keys import SeenKeys
from feature_repo.ingest.sources import SourceBatch
from feature_repo.ingest.validation import accepted_rows, check_not_ahead, check_rows, check_unique
from feature_repo.schema import EVENT_ID, EVENTS, SIGN_UPS, TITLES, Column, Table

Rows = Callable[..., pa.RecordBatch]
NOW = datetime(2024, 3, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"watch_fraction": None, "device_type": None}, None),
        ({"watch_fraction": 0.0}, None),
        ({"watch_fraction": 1.0}, None),
        ({"watch_fraction": 1.7}, "watch_fraction: 1.7 is above 1.0"),
        ({"watch_fraction": -0.25}, "watch_fraction: -0.25 is below 0.0"),
        ({"watch_fraction": float("nan")}, "watch_fraction: nan is not a finite number"),
        ({"duration_minutes": float("inf")}, "duration_minutes: inf is not a finite number"),
        ({"user_id": None}, "user_id: is missing"),
        ({"user_id": " "}, "user_id: ' ' is empty"),
        ({"user_id": "a/b"}, f"user_id: 'a/b' is no id: {REMEDY}"),
        ({"title_id": "a,b"}, f"title_id: 'a,b' is no id: {REMEDY}"),
        ({"title_id": ".."}, f"title_id: '..' is no id: {REMEDY}"),
        ({"event_id": "a/b,c"}, None),  # stands in no path and no list
        ({"event_timestamp": None}, "event_timestamp: is missing"),
        ({"device_type": "fridge"}, "device_type: 'fridge' is not one of tv, mobile, tablet, web"),
    ],
)
def test_each_rule_of_the_schema_is_checked(event_rows: Rows, change: dict[str, Any], reason: str) -> None:
    faults = RowFaults(2)
    check_rows(event_rows({}, change), EVENTS, faults)
    assert faults.reasons.tolist() == [None, reason]


@pytest.mark.parametrize("year", [1969, 2100])
def test_instants_far_outside_the_life_of_a_service_are_rejected(event_rows: Rows, year: int) -> None:
    faults = RowFaults(1)
    check_rows(event_rows({"event_timestamp": datetime(year, 1, 1, tzinfo=UTC)}), EVENTS, faults)
    assert "lies outside 1970 to 2099 (numbers are seconds, not milliseconds)" in faults.reasons[0]


def test_list_elements_are_checked_and_the_first_bad_one_is_named(title_rows: Rows) -> None:
    rows = title_rows({}, {"genres": ["Drama", "Dramedy", "Sitcom"]}, {"genres": []}, {"cast": ["Ann", ""]})
    faults = RowFaults(4)
    check_rows(rows, TITLES, faults)
    assert faults.reasons[1].startswith("genres: 'Dramedy' is not one of Action, Adventure")
    assert faults.reasons[3] == "cast: '' is empty"
    assert faults.failed.tolist() == [False, True, False, True]


def test_picked_titles_are_ids() -> None:
    at = pa.array([datetime(2024, 3, 1, tzinfo=UTC)] * 2, pa.timestamp("us", tz="UTC"))
    picks = pa.array([["t1", "t2"], ["t1", "a,b"]])
    rows = pa.RecordBatch.from_pydict(
        {"user_id": ["a", "b"], "selected_title_ids": picks, "event_timestamp": at}
    )
    faults = RowFaults(2)
    check_rows(rows, SIGN_UPS, faults)
    assert faults.reasons.tolist() == [None, f"selected_title_ids: 'a,b' is no id: {REMEDY}"]


def test_a_list_of_fixed_length_is_checked() -> None:
    table = Table("vectors", "", (), (Column("v", pa.list_(pa.float32()), "", length=2, maximum=1.0),))
    rows = pa.RecordBatch.from_pydict(
        {"v": pa.array([[0.5, 1.0], [0.5], [0.5, 2.0]], pa.list_(pa.float32()))}
    )
    faults = RowFaults(3)
    check_rows(rows, table, faults)
    assert faults.reasons.tolist() == [None, "v: 1 values instead of 2", "v: 2 is above 1.0"]


def test_a_key_counts_once_in_and_across_batches(event_rows: Rows) -> None:
    seen = SeenKeys()
    first, second = RowFaults(2), RowFaults(2)
    check_unique(event_rows({EVENT_ID: "a"}, {EVENT_ID: "a"}), EVENTS, seen, first)
    check_unique(event_rows({EVENT_ID: "b"}, {EVENT_ID: "a"}), EVENTS, seen, second)
    assert first.reasons.tolist() == second.reasons.tolist() == [None, "event_id: 'a' is a duplicate"]


def test_a_rejected_row_does_not_take_its_key(event_rows: Rows) -> None:
    rows = event_rows({EVENT_ID: "a", "watch_fraction": 2.0}, {EVENT_ID: "a"})
    faults = RowFaults(2)
    check_rows(rows, EVENTS, faults)
    check_unique(rows, EVENTS, SeenKeys(), faults)
    assert faults.failed.tolist() == [True, False]


def test_a_title_may_have_versions_but_not_two_at_one_instant(title_rows: Rows) -> None:
    later = datetime(2024, 4, 1, tzinfo=UTC)
    rows = title_rows({"title_id": "a"}, {"title_id": "a", "event_timestamp": later}, {"title_id": "a"})
    faults = RowFaults(3)
    check_unique(rows, TITLES, SeenKeys(), faults)
    assert faults.failed.tolist() == [False, False, True]


def test_good_rows_go_on_and_bad_ones_to_the_reject_file(
    tmp_path: Path, event_rows: Rows, source: Callable[..., SourceBatch]
) -> None:
    batches = [
        source(event_rows({EVENT_ID: "a"}, {EVENT_ID: "b", "watch_fraction": 1.5})),
        source(event_rows({EVENT_ID: "a"}, {EVENT_ID: "c"})),
    ]
    with RejectFile(tmp_path, "events", "run1") as rejects:
        kept = list(accepted_rows(batches, EVENTS, convert_rows, SeenKeys(), rejects, NOW))
    assert [rows[EVENT_ID].to_pylist() for rows in kept] == [["a"], ["c"]]
    assert rejects.counts == {"watch_fraction: is above 1.0": 1, "event_id: is a duplicate": 1}


@pytest.mark.parametrize(("late", "kept"), [(timedelta(minutes=5), 1), (timedelta(minutes=5, seconds=1), 0)])
def test_what_lies_more_than_five_minutes_after_the_present_is_rejected(
    tmp_path: Path, event_rows: Rows, source: Callable[..., SourceBatch], late: timedelta, kept: int
) -> None:
    batch = source(event_rows({"event_timestamp": NOW + late}))
    with RejectFile(tmp_path, "events", "run1") as rejects:
        [rows] = accepted_rows([batch], EVENTS, convert_rows, SeenKeys(), rejects, NOW)
    rule = (
        "event_timestamp: lies more than 5 minutes after this machine's clock; correct the row or the clock"
    )
    assert rows.num_rows == kept
    assert rejects.counts == ({} if kept else {rule: 1})


def test_an_instant_is_held_to_its_own_clock_and_to_none_where_that_is_not_known() -> None:
    kind = pa.timestamp("us", tz="UTC")
    instants = pa.array([NOW] * 3, kind)
    faults = RowFaults(3)
    check_not_ahead(instants, pa.array([NOW, NOW - timedelta(hours=1), None], kind), "its clock", faults)
    assert faults.reasons.tolist() == [
        None,
        "event_timestamp: 2024-03-01 13:00:00+00:00 lies more than 5 minutes after its clock",
        None,
    ]
