from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from feast import FileSource, PushSource
from feast.types import Array, Bool, FeastType, Float32, Float64, Int64, String

from feature_repo import schema as s, sources
from feature_repo.ingest.lake import Lake
from feature_repo.sources import feast_type, fields, lake_source, request_source
from feature_repo.transforms.ranking import CONTEXT_INPUTS

ALL_TABLES = (*s.RAW_TABLES, *s.FEATURE_TABLES)


@pytest.mark.parametrize(
    ("arrow", "feast"),
    [
        (pa.string(), String),
        (pa.int64(), Int64),
        (pa.float32(), Float32),
        (pa.bool_(), Bool),
        (pa.list_(pa.string()), Array(String)),
        (pa.list_(pa.float32()), Array(Float32)),
    ],
)
def test_each_arrow_type_has_its_feast_type(arrow: pa.DataType, feast: FeastType) -> None:
    assert feast_type(arrow) == feast


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_every_column_that_may_be_a_feature_has_a_type(table: s.Table) -> None:
    for column in table.columns:
        if not pa.types.is_timestamp(column.type):
            assert feast_type(column.type).to_value_type().name != "UNKNOWN"


@pytest.mark.parametrize("arrow", [pa.timestamp("us", tz="UTC"), pa.list_(pa.float16()), pa.float16()])
def test_a_type_that_no_column_may_have_is_refused(arrow: pa.DataType) -> None:
    with pytest.raises(KeyError):
        feast_type(arrow)


@pytest.mark.parametrize("table", s.FEATURE_TABLES, ids=lambda table: table.name)
def test_a_views_fields_are_the_tables_columns_without_timestamps(table: s.Table) -> None:
    described = [(field.name, field.dtype, field.description) for field in fields(table)]
    assert described == [
        (column.name, feast_type(column.type), column.description)
        for column in table.columns
        if column.name not in {s.EVENT_TIMESTAMP, s.CREATED_TIMESTAMP}
    ]
    assert set(table.keys) <= {name for name, _, _ in described}


@pytest.mark.parametrize("root", ["/lake", "/lake/", "s3://bucket/prefix", "s3://bucket/prefix/"])
def test_a_source_lies_in_the_lakes_folder_of_its_table(root: str) -> None:
    source = lake_source(s.USER_PROFILE, root)
    assert source.name == "user_profile_source"
    assert source.path == f"{root.rstrip('/')}/user_profile"
    assert source.timestamp_field == s.EVENT_TIMESTAMP
    assert source.created_timestamp_column == s.CREATED_TIMESTAMP


def test_a_source_points_where_the_lake_writes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    row = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: noon, s.CREATED_TIMESTAMP: noon, s.WATCHED_TITLE_IDS: ["t1"]}
    lake.replace(s.USER_HISTORY, pa.Table.from_pylist([row], schema=s.USER_HISTORY.arrow_schema))
    path = Path(lake_source(s.USER_HISTORY, str(tmp_path)).path)
    assert path == Path(lake.path(s.USER_HISTORY))
    assert len(list(path.rglob("*.parquet"))) == 1


def test_every_feature_table_has_one_source() -> None:
    declared = vars(sources).values()
    found = [source for source in declared if isinstance(source, FileSource)]
    found += [source.batch_source for source in declared if isinstance(source, PushSource)]
    assert sorted(source.name for source in found) == sorted(f"{t.name}_source" for t in s.FEATURE_TABLES)


def test_what_is_pushed_is_kept_in_the_lake_under_the_same_columns() -> None:
    pushed = [source for source in vars(sources).values() if isinstance(source, PushSource)]
    assert [source.name for source in pushed] == ["user_session_push"]
    assert pushed[0].batch_source.path.endswith("/user_session")
    assert pushed[0].batch_source.timestamp_field == s.EVENT_TIMESTAMP


def test_the_request_brings_what_the_ranker_asks_of_its_context() -> None:
    types = {field.name: field.dtype for field in request_source.schema}
    assert set(types) == set(CONTEXT_INPUTS)
    # A float32 would round an instant of today to two minutes.
    assert types == {
        s.REQUEST_TIMESTAMP: Float64,
        s.DEVICE_TYPE: String,
        s.TWO_TOWER_SCORE: Float32,
        s.ROW_INDEX: Float32,
        s.POSITION: Float32,
    }
