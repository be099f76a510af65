from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from feature_repo.ingest.conversion import cast_or_null, convert_column, convert_rows, instants
from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.sources import DataFileError, SourceBatch
from feature_repo.schema import (
    CAST,
    COUNTRIES,
    DEVICE_TYPE,
    EVENT_TIMESTAMP,
    EVENTS,
    IMPRESSIONS,
    PLAYED,
    RELEASE_YEAR,
    TITLES,
    USER_ID,
    WATCH_FRACTION,
    Table,
)

Convert = Callable[[Table, str, Any], tuple[list[Any], list[Any]]]
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def convert(source: Callable[..., SourceBatch]) -> Convert:
    """Convert one column; return its values and the reasons for which rows are rejected."""

    def run(table: Table, name: str, values: Any) -> tuple[list[Any], list[Any]]:
        faults = RowFaults(len(values))
        column = convert_column(source(**{name: values}), table.column(name), faults)
        assert column.type == table.column(name).type
        return column.to_pylist(), faults.reasons.tolist()

    return run


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01T12:00:00Z", "2024-03-01 12:00:00+00:00", "2024-03-01T21:00:00+09:00",
        "2024-03-01T12:00:00.000000123Z", "1709294400", "1709294400.0", " 1709294400 ",
    ],
)  # fmt: skip
def test_an_instant_may_be_rfc_3339_or_epoch_seconds(convert: Convert, text: str) -> None:
    assert convert(EVENTS, EVENT_TIMESTAMP, [text]) == ([NOON], [None])


@pytest.mark.parametrize("text", ["2024-03-01T12:00:00", "2024-13-01T12:00:00Z", "yesterday"])
def test_a_text_that_is_no_instant_rejects_its_row(convert: Convert, text: str) -> None:
    values, reasons = convert(EVENTS, EVENT_TIMESTAMP, ["2024-03-01T12:00:00Z", text])
    assert values == [NOON, None]
    assert reasons == [
        None, f"event_timestamp: '{text}' is not an RFC 3339 time with zone or epoch seconds",
    ]  # fmt: skip


def test_fractions_of_epoch_seconds_are_kept(convert: Convert) -> None:
    [[value], _] = convert(EVENTS, EVENT_TIMESTAMP, ["1709294400.123456"])
    assert value == NOON.replace(microsecond=123456)


def test_numbers_and_timestamps_of_other_units_become_instants(convert: Convert) -> None:
    for values in (
        pa.array([1709294400]),
        pa.array([1709294400.0]),
        pa.array([1709294400_000], pa.timestamp("ms", tz="Asia/Seoul")),
        pa.array([1709294400_000_000_001], pa.timestamp("ns", tz="UTC")),
    ):
        assert convert(EVENTS, EVENT_TIMESTAMP, values) == ([NOON], [None])


def test_a_timestamp_column_without_zone_stops_the_import(convert: Convert) -> None:
    with pytest.raises(DataFileError, match=r"'event_timestamp': type timestamp\[us\] cannot be read"):
        convert(EVENTS, EVENT_TIMESTAMP, pa.array([0], pa.timestamp("us")))


def test_seconds_without_an_instant_are_null() -> None:
    seconds = pa.array([float("nan"), float("inf"), -1e300, 1.5])
    assert instants(seconds).cast(pa.int64()).to_pylist() == [None, None, None, 1_500_000]


def test_numbers_are_read_from_text(convert: Convert) -> None:
    values, reasons = convert(TITLES, RELEASE_YEAR, ["1999", " 2001 ", "", "MM", "1999.5"])
    assert values == [1999, 2001, None, None, None]
    assert reasons == [
        None, None, None,
        "release_year: 'MM' is not a whole number", "release_year: '1999.5' is not a whole number",
    ]  # fmt: skip


def test_fractions_may_come_as_any_kind_of_number(convert: Convert) -> None:
    for values in (["0.5"], pa.array([0.5]), pa.array([Decimal("0.5")])):
        assert convert(EVENTS, WATCH_FRACTION, values) == ([0.5], [None])


def test_whole_numbers_may_come_as_floats_that_are_whole(convert: Convert) -> None:
    values, reasons = convert(TITLES, RELEASE_YEAR, pa.array([1999.0, 1999.5]))
    assert values == [1999, None]
    assert reasons == [None, "release_year: 1999.5 is not a whole number"]


def test_truth_is_written_in_words_or_digits(convert: Convert) -> None:
    values, reasons = convert(IMPRESSIONS, PLAYED, ["true", "False", "1", "0", "yes"])
    assert values == [True, False, True, False, None]
    assert reasons[4] == "played: 'yes' is not true or false"


def test_lists_in_csv_are_separated_by_bars(convert: Convert) -> None:
    assert convert(TITLES, CAST, ["Ann|Bob", "Ann", None]) == ([["Ann", "Bob"], ["Ann"], []], [None] * 3)
    assert convert(TITLES, COUNTRIES, ["KR|US", None]) == ([["KR", "US"], None], [None] * 2)


def test_numeric_ids_become_text_and_an_empty_optional_text_null(convert: Convert) -> None:
    assert convert(EVENTS, USER_ID, pa.array([7, 8], pa.int32()))[0] == ["7", "8"]
    assert convert(EVENTS, USER_ID, pa.array(["a", "b"]).dictionary_encode())[0] == ["a", "b"]
    assert convert(EVENTS, DEVICE_TYPE, ["tv", ""]) == (["tv", None], [None, None])


def test_a_column_of_nothing_but_nulls_has_any_type(convert: Convert) -> None:
    assert convert(EVENTS, WATCH_FRACTION, pa.nulls(2)) == ([None, None], [None, None])


def test_a_column_without_any_usable_value_stops_the_import(convert: Convert) -> None:
    with pytest.raises(
        DataFileError,
        match=r"data.csv, column 'watch_fraction', row 1: no value is a number; the first is 'high'",
    ):
        convert(EVENTS, WATCH_FRACTION, ["high"] * 20)


def test_a_type_that_can_never_work_stops_the_import(convert: Convert) -> None:
    with pytest.raises(DataFileError, match="type double cannot be read as text"):
        convert(EVENTS, USER_ID, pa.array([1.5]))


def test_columns_the_file_lacks_are_null(source: Callable[..., SourceBatch]) -> None:
    rows = convert_rows(source(user_id=["anna"]), EVENTS, RowFaults(1))
    assert rows.schema.names == EVENTS.arrow_schema.names
    assert rows[USER_ID].to_pylist() == ["anna"]
    assert rows[DEVICE_TYPE].to_pylist() == [None]


@given(st.lists(st.one_of(st.integers(-(10**6), 10**6).map(str), st.sampled_from(["x", "1.5", "--1"]))))
def test_casting_loses_exactly_the_values_that_cannot_be_cast(texts: list[str]) -> None:
    expected = [None if text in {"x", "1.5", "--1"} else int(text) for text in texts]
    assert cast_or_null(pa.array(texts, pa.string()), pa.int64()).to_pylist() == expected
