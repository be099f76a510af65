from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings, strategies as st

from feature_repo.ingest.partitions import PartitionSpill, partition_directory, partition_instants
from feature_repo.schema import EVENT_TIMESTAMP, MEMBERS, USER_ID, USER_PROFILE, Table

DAILY = replace(MEMBERS, partition="day")


def _instants(*moments: datetime) -> pa.Array:
    return pa.array(moments, pa.timestamp("us", tz="UTC"))


def _directories(moments: pa.Array, table: Table) -> list[str]:
    return [partition_directory(instant, table) for instant in partition_instants(moments, table)]


def test_a_raw_row_belongs_to_the_utc_day_that_holds_its_instant() -> None:
    midnight = datetime(2024, 3, 1, tzinfo=UTC)
    moments = _instants(midnight - timedelta(microseconds=1), midnight)
    assert _directories(moments, DAILY) == ["day=2024-02-29", "day=2024-03-01"]


def test_a_feature_row_belongs_to_its_utc_month() -> None:
    moments = _instants(datetime(2023, 12, 31, 23, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    assert _directories(moments, USER_PROFILE) == ["month=2023-12", "month=2024-01"]


def test_instants_before_1970_fall_on_the_day_they_are_in() -> None:
    assert _directories(_instants(datetime(1969, 12, 31, 23, tzinfo=UTC)), DAILY) == ["day=1969-12-31"]


@settings(max_examples=25, deadline=None)
@given(
    days=st.lists(st.integers(0, 5), max_size=40),
    batch_rows=st.integers(1, 7),
    spill_rows=st.integers(1, 9),
)
def test_every_row_comes_back_once_in_its_partition_in_the_order_it_came(
    days: list[int], batch_rows: int, spill_rows: int
) -> None:
    rows = pa.Table.from_pylist(
        [
            {USER_ID: str(i), EVENT_TIMESTAMP: datetime(2024, 1, 1 + day, tzinfo=UTC)}
            for i, day in enumerate(days)
        ],
        MEMBERS.arrow_schema,
    )
    with tempfile.TemporaryDirectory() as directory:
        spill = PartitionSpill(DAILY, Path(directory), spill_rows=spill_rows)
        spill.add_all(rows.to_batches(max_chunksize=batch_rows))
        found = {
            name: [user for group in groups for user in group[USER_ID].to_pylist()]
            for name, groups in spill.partitions()
        }
    expected = {
        f"day=2024-01-{1 + day:02d}": [str(i) for i in np.flatnonzero(np.array(days) == day)]
        for day in sorted(set(days))
    }
    assert found == expected
    assert list(found) == list(expected)
    assert spill.rows == len(days)


def test_rows_beyond_the_byte_budget_are_spilled_too(tmp_path: Path) -> None:
    row = {USER_ID: "x" * 1000, EVENT_TIMESTAMP: datetime(2024, 1, 1, tzinfo=UTC)}
    rows = pa.Table.from_pylist([row] * 4, MEMBERS.arrow_schema)
    spill = PartitionSpill(DAILY, tmp_path, spill_bytes=1500)
    spill.add_all(rows.to_batches(max_chunksize=1))
    assert len(list(tmp_path.iterdir())) == 2
    [(_, groups)] = spill.partitions()
    assert sum(group.num_rows for group in groups) == 4
