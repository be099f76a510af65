from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.rejects import RejectFile
from feature_repo.ingest.sources import MalformedRow, SourceBatch


@pytest.fixture
def faulty(source: Callable[..., SourceBatch]) -> tuple[SourceBatch, RowFaults]:
    batch = source(user_id=["anna", "", "bert"], name=["Zoë", 'a "b"', None])
    faults = RowFaults(3)
    faults.add("user_id", np.array([False, True, False]), "is empty")
    return batch, faults


def test_a_rejected_row_stands_with_number_reason_and_data(
    tmp_path: Path, faulty: tuple[SourceBatch, RowFaults]
) -> None:
    with RejectFile(tmp_path / "rejects", "events", "run1") as rejects:
        rejects.add(*faulty)
    with (tmp_path / "rejects" / "events-run1.csv").open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert (row["file"], row["row"], row["reason"]) == ("data.csv", "2", "user_id: is empty")
    assert json.loads(row["data"]) == {"user_id": "", "name": 'a "b"'}


def test_rows_are_counted_by_rule(tmp_path: Path, faulty: tuple[SourceBatch, RowFaults]) -> None:
    batch, faults = faulty
    torn = SourceBatch(batch.path, batch.rows, batch.numbers, [MalformedRow(4, "line: has 1 cell", "x")])
    with RejectFile(tmp_path, "events", "run1") as rejects:
        rejects.add(batch, faults)
        rejects.add(torn, faults)
    assert rejects.counts == {"user_id: is empty": 2, "line: has the wrong number of cells": 1}


def test_without_rejected_rows_there_is_no_file(tmp_path: Path) -> None:
    with RejectFile(tmp_path, "events", "run1"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_failed_import_leaves_no_file(tmp_path: Path, faulty: tuple[SourceBatch, RowFaults]) -> None:
    def fail() -> None:
        with RejectFile(tmp_path, "events", "run1") as rejects:
            rejects.add(*faulty)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())


def test_values_without_a_json_form_are_written_as_text(
    tmp_path: Path, source: Callable[..., SourceBatch]
) -> None:
    batch = source(event_timestamp=pa.array([0], pa.timestamp("us", tz="UTC")))
    faults = RowFaults(1)
    faults.add("event_timestamp", np.array([True]), "is too early")
    with RejectFile(tmp_path, "events", "run1") as rejects:
        rejects.add(batch, faults)
    assert "1970-01-01 00:00:00+00:00" in rejects.path.read_text()
