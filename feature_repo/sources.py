"""Where features come from: one Parquet table of the lake per view, and the request."""

from __future__ import annotations

import pyarrow as pa
from feast import Field, FileSource, PushSource, RequestSource
from feast.data_format import ParquetFormat
from feast.types import Array, Bool, FeastType, Float32, Float64, Int64, String

from feature_repo import schema as s
from feature_repo.settings import Settings

_SCALARS: dict[pa.DataType, FeastType] = {
    pa.string(): String,
    pa.int64(): Int64,
    pa.float32(): Float32,
    pa.bool_(): Bool,
}


def feast_type(arrow: pa.DataType) -> FeastType:
    """Return Feast's type of an Arrow type; raises ``KeyError`` for one that no table uses."""
    if pa.types.is_list(arrow):
        return Array(_SCALARS[arrow.value_type])
    return _SCALARS[arrow]


def fields(table: s.Table) -> list[Field]:
    """Return a view's schema: the table's columns without timestamps.

    The keys are among them, so that Feast need not look into files that may not be there yet.
    """
    outside = {s.EVENT_TIMESTAMP, s.CREATED_TIMESTAMP}
    return [
        Field(name=column.name, dtype=feast_type(column.type), description=column.description)
        for column in table.columns
        if column.name not in outside
    ]


def lake_source(table: s.Table, lake: str) -> FileSource:
    """Return the source of a feature table in the lake at ``lake``, a path or a URL."""
    return FileSource(
        name=f"{table.name}_source",
        path=f"{lake.rstrip('/')}/{table.name}",
        file_format=ParquetFormat(),
        timestamp_field=s.EVENT_TIMESTAMP,
        created_timestamp_column=s.CREATED_TIMESTAMP,
        description=table.description,
    )


_lake = Settings.from_environment().lake

user_snapshot_source = lake_source(s.USER_SNAPSHOT, _lake)
user_session_source = PushSource(
    name=f"{s.USER_SESSION.name}_push",
    batch_source=lake_source(s.USER_SESSION, _lake),
    description="Pushed by the stream as members watch; the lake keeps what was pushed.",
)
user_profile_source = lake_source(s.USER_PROFILE, _lake)
user_picks_source = lake_source(s.USER_PICKS, _lake)
user_history_source = lake_source(s.USER_HISTORY, _lake)
user_hidden_source = lake_source(s.USER_HIDDEN, _lake)
title_metadata_source = lake_source(s.TITLE_METADATA, _lake)
title_content_source = lake_source(s.TITLE_CONTENT, _lake)
title_statistics_source = lake_source(s.TITLE_STATISTICS, _lake)
interactions_source = lake_source(s.INTERACTIONS, _lake)
user_als_embedding_source = lake_source(s.USER_ALS_EMBEDDING, _lake)
title_als_embedding_source = lake_source(s.TITLE_ALS_EMBEDDING, _lake)

request_source = RequestSource(
    name="request",
    schema=[
        Field(name=s.REQUEST_TIMESTAMP, dtype=Float64),
        Field(name=s.DEVICE_TYPE, dtype=String),
        Field(name=s.TWO_TOWER_SCORE, dtype=Float32),
        Field(name=s.ROW_INDEX, dtype=Float32),
        Field(name=s.POSITION, dtype=Float32),
    ],
    description="The request's instant (microseconds since 1970 UTC) and device, what retrieval found, and "
    "the place on the page: the first where titles are compared.",
)
