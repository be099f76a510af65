from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.ingest.lake import Lake
from feature_repo.ingest.sources import SourceBatch
from feature_repo.schema import EVENTS, MEMBERS, TITLES
from feature_repo.settings import REPOSITORY_ROOT

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
EVENT = {
    "event_id": "e1", "user_id": "anna", "title_id": "t1", "event_type": "progress",
    "event_timestamp": NOON, "watch_fraction": 0.5, "duration_minutes": 30.0, "device_type": "tv",
}  # fmt: skip
TITLE = {
    "title_id": "t1", "name": "One", "title_type": "movie", "genres": ["Drama"], "cast": ["Ann", "Bob"],
    "available_since": NOON, "event_timestamp": NOON,
}  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def events() -> Callable[..., pa.Table]:
    """Events e<first>, e<first+1>, ..., one each ``step`` later than the one before."""

    def build(count: int, step: timedelta = timedelta(hours=1), first: int = 0) -> pa.Table:
        rows = [
            EVENT | {"event_id": f"e{first + i}", "event_timestamp": NOON + i * step} for i in range(count)
        ]
        return pa.Table.from_pylist(rows, EVENTS.arrow_schema)

    return build


@pytest.fixture
def members() -> Callable[..., pa.Table]:
    def build(*user_ids: str) -> pa.Table:
        rows = [{"user_id": u, "event_timestamp": NOON} for u in user_ids]
        return pa.Table.from_pylist(rows, MEMBERS.arrow_schema)

    return build


@pytest.fixture
def event_rows() -> Callable[..., pa.RecordBatch]:
    """One event for each set of changes to a good one; values may break the schema's rules."""

    def build(*changes: dict[str, Any]) -> pa.RecordBatch:
        schema = pa.schema([pa.field(f.name, f.type) for f in EVENTS.arrow_schema])
        rows = [EVENT | {"event_id": f"e{i}"} | change for i, change in enumerate(changes)]
        return pa.RecordBatch.from_pylist(rows, schema)

    return build


@pytest.fixture
def title_rows() -> Callable[..., pa.RecordBatch]:
    def build(*changes: dict[str, Any]) -> pa.RecordBatch:
        schema = pa.schema([pa.field(f.name, f.type) for f in TITLES.arrow_schema])
        rows = [TITLE | {"title_id": f"t{i}"} | change for i, change in enumerate(changes)]
        return pa.RecordBatch.from_pylist(rows, schema)

    return build


@pytest.fixture
def source() -> Callable[..., SourceBatch]:
    """A batch as read from a file, from columns or from rows."""

    def build(rows: pa.RecordBatch | None = None, **columns: Any) -> SourceBatch:
        if rows is None:
            rows = pa.RecordBatch.from_pydict(columns)
        return SourceBatch(Path("data.csv"), rows, np.arange(1, rows.num_rows + 1))

    return build


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a text file and return its path."""

    def build(name: str, text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    return build


@pytest.fixture
def movielens_data() -> Path:
    path = Path(os.environ.get("MARQUEE_MOVIELENS") or REPOSITORY_ROOT.parent / "shared" / "data")
    if not (path / "ml-latest-small").is_dir() and "CI" not in os.environ:
        pytest.skip(f"no MovieLens data in {path}; set MARQUEE_MOVIELENS")
    return path
