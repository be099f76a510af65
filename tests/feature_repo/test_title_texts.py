from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.title_texts import TitleText, read_title_text


def test_the_latest_version_of_a_title_is_read(lake: Lake, make_rows: Any) -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    versions = [
        {s.TITLE_ID: "t1", s.SYNOPSIS: "new", s.CAST: ["Ana"], s.EVENT_TIMESTAMP: late},
        {s.TITLE_ID: "t1", s.SYNOPSIS: "old", s.CAST: ["Kim"], s.EVENT_TIMESTAMP: early},
        {s.TITLE_ID: "t2", s.SYNOPSIS: None, s.CAST: [], s.EVENT_TIMESTAMP: early},
    ]
    lake.append(s.TITLES, make_rows(s.TITLES, versions))
    assert read_title_text(lake, "t1") == TitleText("new", ("Ana",))
    assert read_title_text(lake, "t2") == TitleText(None, ())
    assert read_title_text(lake, "t3") is None


def test_of_an_empty_lake_nothing_is_read(lake: Lake) -> None:
    assert read_title_text(lake, "t1") is None
