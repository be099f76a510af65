from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.ingest.generic import import_files
from feature_repo.ingest.import_run import TableImport
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.sources import DataFileError
from feature_repo.schema import EVENTS, GENRE_NAMES, IMPRESSIONS, MEMBERS, TITLE_ID, TITLES

NOW = datetime(2024, 6, 1, tzinfo=UTC)
EVENT_HEADER = "event_id,user_id,title_id,event_type,event_timestamp,watch_fraction\n"
GOOD_EVENT = "e1,anna,t1,progress,2024-03-01T12:00:00Z,0.5\n"
TITLE_CSV = (
    "title_id,name,title_type,genres,cast,available_since,event_timestamp\n"
    "t1,One,movie,Drama|Comedy,,1709294400,1709294400\n"
)
Write = Callable[..., Path]
Import = Callable[..., dict[str, TableImport]]


@pytest.fixture
def run(lake: Lake, tmp_path: Path) -> Import:
    def build(sources: Mapping[str, Path], append: bool = False) -> dict[str, TableImport]:
        results = import_files(lake, sources, tmp_path / "rejects", "run1", now=NOW, append=append)
        return {result.table: result for result in results}

    return build


def test_csv_events_and_titles_become_rows_of_the_lake(run: Import, lake: Lake, write: Write) -> None:
    results = run({"events": write("e.csv", EVENT_HEADER + GOOD_EVENT), "titles": write("t.csv", TITLE_CSV)})
    assert results["events"] == TableImport("events", 1, {}, None)
    [event] = lake.read(EVENTS).to_pylist()
    assert (event["user_id"], event["watch_fraction"], event["device_type"]) == ("anna", 0.5, None)
    [title] = lake.read(TITLES).to_pylist()
    assert (title[TITLE_ID], title[GENRE_NAMES], title["countries"]) == ("t1", ["Drama", "Comedy"], None)


def test_parquet_in_the_schema_comes_back_as_it_was(
    run: Import, lake: Lake, tmp_path: Path, events: Callable[..., pa.Table]
) -> None:
    pq.write_table(events(40), tmp_path / "e.parquet")
    run({"events": tmp_path / "e.parquet"})
    assert lake.read(EVENTS).sort_by("event_timestamp").equals(events(40))


def test_what_has_not_happened_yet_is_set_aside(run: Import, lake: Lake, write: Write) -> None:
    ahead = "e2,anna,t1,progress,2024-06-01T00:05:01Z,0.5\n"
    result = run({"events": write("e.csv", EVENT_HEADER + GOOD_EVENT + ahead)})["events"]
    assert lake.read(EVENTS)["event_id"].to_pylist() == ["e1"]
    assert result.reject_file is not None
    [row] = csv.DictReader(result.reject_file.read_text().splitlines())
    assert (row["row"], row["reason"]) == (
        "2",
        "event_timestamp: 2024-06-01 00:05:01+00:00 lies more than 5 minutes after this machine's clock; "
        "correct the row or the clock",
    )


def test_bad_rows_are_set_aside_and_counted(run: Import, lake: Lake, write: Write) -> None:
    bad = "e2,bert,t1,progress,2024-03-01T12:00:00Z,1.7\ne3,,t1,play,now,0.1\nbroken\n" + GOOD_EVENT
    result = run({"events": write("e.csv", EVENT_HEADER + GOOD_EVENT + bad)})["events"]
    assert (result.kept, sum(result.rejected.values())) == (1, 4)
    assert result.reject_file is not None
    with result.reject_file.open() as file:
        reasons = {int(row["row"]): row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        2: "watch_fraction: 1.7 is above 1.0",
        3: "event_timestamp: 'now' is not an RFC 3339 time with zone or epoch seconds",
        4: "line: has 1 cells instead of 6",
        5: "event_id: 'e1' is a duplicate",
    }
    assert lake.read(EVENTS).num_rows == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event_id,title_id\n", "column 'user_id': the column is missing. Add it"),
        (EVENT_HEADER.replace("watch_fraction", "watch_fracton"), "Rename it to 'watch_fraction'"),
        (EVENT_HEADER.replace("watch_fraction", "zip"), "Remove it; known are event_id, user_id"),
        (EVENT_HEADER.replace("watch_fraction", "user_id"), "the column stands there twice"),
        (EVENT_HEADER + "e1,anna,t1,sleep,1709294400,1\n", "none of its 1 rows can be used; 1: event_type"),
        ("", "column 'event_id': the column is missing"),
    ],
)
def test_a_bad_file_stops_the_import_and_changes_nothing(
    run: Import, lake: Lake, write: Write, tmp_path: Path, text: str, message: str
) -> None:
    run({"titles": write("t.csv", TITLE_CSV)})
    before = lake.files(TITLES), lake.files(EVENTS)
    with pytest.raises(DataFileError, match=message):
        run({"titles": write("t2.csv", TITLE_CSV), "events": write("bad.csv", text)})
    assert (lake.files(TITLES), lake.files(EVENTS)) == before
    assert not list((tmp_path / "rejects").iterdir())


def test_a_file_that_breaks_off_half_way_leaves_the_lake_alone(
    run: Import, lake: Lake, tmp_path: Path, events: Callable[..., pa.Table]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(events(10), folder / "1.parquet")
    pq.write_table(events(5000, first=10), folder / "2.parquet", compression="zstd", use_dictionary=False)
    content = bytearray((folder / "2.parquet").read_bytes())
    content[4:4_000] = bytes(3_996)
    (folder / "2.parquet").write_bytes(content)
    with pytest.raises(DataFileError, match="not readable as Parquet"):
        run({"events": folder})
    assert not lake.exists(EVENTS)


def test_replacing_empties_the_raw_tables_that_were_not_given(
    run: Import, lake: Lake, write: Write, members: Callable[..., pa.Table]
) -> None:
    lake.replace(MEMBERS, members("left over"))
    run({"events": write("e.csv", EVENT_HEADER + GOOD_EVENT)})
    assert lake.read(MEMBERS).num_rows == lake.read(IMPRESSIONS).num_rows == 0


def test_appending_the_same_file_again_adds_nothing(run: Import, lake: Lake, write: Write) -> None:
    path = write("e.csv", EVENT_HEADER + GOOD_EVENT)
    run({"events": path}, append=True)
    again = run({"events": path}, append=True)["events"]
    assert (again.kept, again.rejected) == (0, {"event_id: is a duplicate": 1})
    assert lake.read(EVENTS).num_rows == 1


def test_appending_leaves_other_tables_as_they_are(
    run: Import, lake: Lake, write: Write, members: Callable[..., pa.Table]
) -> None:
    lake.replace(MEMBERS, members("anna"))
    run({"events": write("e.csv", EVENT_HEADER + GOOD_EVENT)}, append=True)
    assert lake.read(MEMBERS).num_rows == 1
