from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.schema import EVENT_ID, EVENT_TIMESTAMP, EVENTS, MEMBERS, USER_ID

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
Build = Callable[..., pa.Table]


@pytest.fixture
def object_store() -> Iterator[Lake]:
    memory = MemoryFileSystem()
    memory.store.clear()
    yield Lake("bucket/lake", pafs.PyFileSystem(pafs.FSSpecHandler(memory)))
    memory.store.clear()


@pytest.fixture(params=["local", "object_store"])
def any_lake(request: pytest.FixtureRequest, lake: Lake, object_store: Lake) -> Lake:
    return lake if request.param == "local" else object_store


class Intercepted:
    """A file system, other calls going straight through, whose moves are our own."""

    def __init__(self, filesystem: pafs.FileSystem, move: Callable[[str, str], None]) -> None:
        self._filesystem = filesystem
        self.move = move

    def __getattr__(self, name: str) -> Any:
        return getattr(self._filesystem, name)


def _ids(rows: pa.Table) -> list[str]:
    return sorted(rows[EVENT_ID].to_pylist())


def _interrupted(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from rows.to_batches()
    raise KeyboardInterrupt


def test_rows_come_back_as_written(any_lake: Lake, events: Build) -> None:
    rows = events(5, timedelta(hours=7))
    assert any_lake.replace(EVENTS, rows) == 5
    assert any_lake.read(EVENTS).sort_by(EVENT_ID).equals(rows)


def test_each_day_has_one_file_per_write(lake: Lake, events: Build, tmp_path: Path) -> None:
    lake.replace(EVENTS, events(48).to_batches(max_chunksize=5))
    days = {path.name: len(list(path.iterdir())) for path in (tmp_path / "lake/events").iterdir()}
    assert days == {"day=2024-03-01": 1, "day=2024-03-02": 1, "day=2024-03-03": 1}


def test_replacing_leaves_nothing_of_the_old_table(any_lake: Lake, events: Build) -> None:
    any_lake.replace(EVENTS, events(30))
    any_lake.replace(EVENTS, events(2, first=100))
    assert _ids(any_lake.read(EVENTS)) == ["e100", "e101"]


def test_appending_keeps_what_was_there(any_lake: Lake, events: Build) -> None:
    any_lake.append(EVENTS, events(2))
    assert any_lake.append(EVENTS, events(2, first=2)) == 2
    assert _ids(any_lake.read(EVENTS)) == ["e0", "e1", "e2", "e3"]


def test_files_sort_by_name_in_the_order_of_the_writes(any_lake: Lake, events: Build) -> None:
    for first in range(3):
        any_lake.append(EVENTS, events(1, first=first))
    assert [path.rsplit("/", 1)[1][:10] for path in any_lake.files(EVENTS)] == [
        "part-00000", "part-00001", "part-00002",
    ]  # fmt: skip


@pytest.mark.parametrize("write", ["replace", "append"])
def test_an_interrupted_write_changes_nothing(any_lake: Lake, events: Build, write: str) -> None:
    any_lake.replace(EVENTS, events(3))
    before = any_lake.files(EVENTS)
    with pytest.raises(KeyboardInterrupt):
        getattr(any_lake, write)(EVENTS, _interrupted(events(3, first=10)))
    assert any_lake.files(EVENTS) == before
    staged = any_lake.filesystem.get_file_info(
        pafs.FileSelector(any_lake.directory(EVENTS).replace("events", "_staging"), recursive=True)
    )
    assert not [info for info in staged if info.is_file]


@pytest.mark.parametrize("write", ["replace", "append"])
def test_a_failure_while_publishing_takes_everything_back(
    any_lake: Lake, events: Build, members: Build, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_lake.replace(EVENTS, events(3))
    any_lake.replace(MEMBERS, members("anna"))
    before = any_lake.files(EVENTS), any_lake.files(MEMBERS)
    move, targets = any_lake.filesystem.move, []

    def fail_at_the_second(source: str, target: str) -> None:
        if "_staging" in source and "_staging" not in target:
            targets.append(target)
        if len(targets) == 2:
            targets.append("failed once")
            raise OSError("disk full")
        move(source, target)

    def publish() -> None:
        with any_lake.transaction() as transaction:
            getattr(transaction, write)(EVENTS, events(3, first=10))
            getattr(transaction, write)(MEMBERS, members("bert"))

    intercepted = Intercepted(any_lake.filesystem, fail_at_the_second)
    monkeypatch.setattr(any_lake.publisher, "_filesystem", intercepted)
    with pytest.raises(OSError, match="disk full"):
        publish()
    assert (any_lake.files(EVENTS), any_lake.files(MEMBERS)) == before


def test_nothing_of_a_transaction_is_visible_before_its_end(
    any_lake: Lake, events: Build, members: Build
) -> None:
    with any_lake.transaction() as transaction:
        transaction.replace(EVENTS, events(3))
        transaction.replace(MEMBERS, members("anna"))
        assert not any_lake.exists(EVENTS)
        assert not any_lake.exists(MEMBERS)
    assert any_lake.exists(EVENTS)
    assert any_lake.exists(MEMBERS)


def test_a_period_includes_its_start_and_not_its_end(any_lake: Lake, events: Build) -> None:
    any_lake.replace(EVENTS, events(72))
    start, end = NOON + timedelta(hours=10), NOON + timedelta(hours=13)
    assert _ids(any_lake.read(EVENTS, start=start, end=end)) == ["e10", "e11", "e12"]


def test_a_period_may_be_given_in_any_time_zone(lake: Lake, events: Build) -> None:
    lake.replace(EVENTS, events(72))
    seoul = timezone(timedelta(hours=9))
    # 00:00 in Seoul on 2 March is 15:00 UTC on 1 March, three hours after e0.
    rows = lake.read(
        EVENTS, start=datetime(2024, 3, 2, tzinfo=seoul), end=datetime(2024, 3, 2, 2, tzinfo=seoul)
    )
    assert _ids(rows) == ["e3", "e4"]


def test_an_instant_without_zone_is_refused(lake: Lake, events: Build) -> None:
    lake.replace(EVENTS, events(1))
    with pytest.raises(ValueError, match="no time zone"):
        lake.read(EVENTS, start=datetime(2024, 3, 1))


def test_scanning_gives_the_rows_of_reading(lake: Lake, events: Build) -> None:
    lake.replace(EVENTS, events(50))
    batches = list(lake.scan(EVENTS, [USER_ID, EVENT_ID], start=NOON + timedelta(hours=40)))
    rows = pa.Table.from_batches(batches)
    assert rows.column_names == [USER_ID, EVENT_ID]
    assert _ids(rows) == [f"e{i}" for i in range(40, 50)]


def test_a_created_table_exists_without_rows_and_takes_some(any_lake: Lake, events: Build) -> None:
    with any_lake.transaction() as transaction:
        transaction.create(EVENTS)
    assert any_lake.read(EVENTS).equals(EVENTS.arrow_schema.empty_table())
    any_lake.append(EVENTS, events(1))
    assert _ids(any_lake.read(EVENTS)) == ["e0"]


def test_creating_a_table_leaves_the_rows_that_are_there_or_come_meanwhile(
    any_lake: Lake, events: Build, members: Build
) -> None:
    any_lake.replace(EVENTS, events(2))
    with any_lake.transaction() as transaction:
        transaction.create(EVENTS)
        transaction.create(MEMBERS)
        any_lake.replace(MEMBERS, members("anna"))
    assert _ids(any_lake.read(EVENTS)) == ["e0", "e1"]
    assert any_lake.read(MEMBERS)[USER_ID].to_pylist() == ["anna"]


def test_an_empty_table_exists_and_takes_rows(any_lake: Lake, events: Build) -> None:
    assert any_lake.replace(EVENTS, events(0)) == 0
    assert any_lake.exists(EVENTS)
    assert any_lake.read(EVENTS).equals(EVENTS.arrow_schema.empty_table())
    any_lake.append(EVENTS, events(2))
    assert _ids(any_lake.read(EVENTS)) == ["e0", "e1"]


def test_reading_what_is_not_there_says_what_to_do(any_lake: Lake) -> None:
    assert not any_lake.exists(EVENTS)
    with pytest.raises(LakeError, match=r"'events' is not in the lake .*import or simulate"):
        any_lake.read(EVENTS)


def test_rows_without_a_column_are_refused(lake: Lake, events: Build) -> None:
    with pytest.raises(LakeError, match=r"'events' needs the columns .*event_timestamp"):
        lake.replace(EVENTS, events(1).drop_columns([EVENT_TIMESTAMP]))


def test_null_in_a_column_that_must_have_values_is_refused(lake: Lake, members: Build) -> None:
    rows = members("anna").set_column(0, USER_ID, pa.nulls(1, pa.string()))
    with pytest.raises(LakeError, match=r"members\.user_id must not be null"):
        lake.replace(MEMBERS, rows)
    assert not lake.exists(MEMBERS)


def test_rows_of_another_type_are_refused(lake: Lake, members: Build) -> None:
    rows = members("anna").set_column(3, "maturity_limit", pa.array(["old"]))
    with pytest.raises(LakeError, match="do not fit table 'members'"):
        lake.replace(MEMBERS, rows)


def test_other_programs_read_the_directory_as_it_stands(lake: Lake, events: Build) -> None:
    lake.replace(EVENTS, events(30))
    lake.append(EVENTS, events(30, first=30))
    path = lake.path(EVENTS)
    assert pq.ParquetDataset(path).read([EVENT_ID]).num_rows == 60
    assert ibis.duckdb.connect().read_parquet(path).count().execute() == 60
    by_day = duckdb.sql(f"select count(*) from read_parquet('{path}') where day = date '2024-03-01'")
    assert by_day.fetchall() == [(24,)]


def test_a_url_names_the_same_tables_as_a_path(tmp_path: Path, events: Build) -> None:
    Lake(f"file://{tmp_path}/lake").replace(EVENTS, events(3))
    assert Lake(str(tmp_path / "lake")).read(EVENTS).num_rows == 3
