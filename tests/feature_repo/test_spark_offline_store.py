"""The same definitions and the same answers with Spark offline; needs the extra `spark`, and Java."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway

if TYPE_CHECKING:
    from tests.conftest import MakeRows

pytest.importorskip("pyspark", reason='needs pip install "marquee[spark]", and Java')

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def on_spark(
    gateway: FeatureGateway,
    lake: Lake,
    settings: Settings,
    make_rows: MakeRows,
    monkeypatch: pytest.MonkeyPatch,
) -> FeatureGateway:
    """Ann's profile changed at noon, which was known an hour later. Bob has nothing."""
    for table in s.FEATURE_TABLES:
        lake.replace(table, table.arrow_schema.empty_table())
    before = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON - HOUR, s.CREATED_TIMESTAMP: NOON - HOUR}
    newest = before | {s.EVENT_TIMESTAMP: NOON, s.CREATED_TIMESTAMP: NOON + HOUR}
    profiles = [before | {s.COUNTRY: "KR", s.LANGUAGE: "ko"}, newest | {s.COUNTRY: "JP", s.LANGUAGE: "ja"}]
    lake.replace(s.USER_PROFILE, make_rows(s.USER_PROFILE, profiles))
    counted = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON - HOUR, s.WATCH_COUNT: 7, s.PREFERRED_DEVICE: None}
    lake.replace(s.USER_SNAPSHOT, make_rows(s.USER_SNAPSHOT, [counted]))
    monkeypatch.setenv("MARQUEE_SPARK_MASTER", "local[1]")
    return FeatureGateway.open(replace(settings, profile="spark"))


@pytest.mark.parametrize(("known", "language"), [(False, "ja"), (True, "ko")])
def test_spark_answers_what_duckdb_answers(
    on_spark: FeatureGateway, gateway: FeatureGateway, known: bool, language: str
) -> None:
    at = [NOON, NOON - HOUR, NOON - HOUR - timedelta(microseconds=1), NOON, NOON]
    entities = pa.table(
        {
            s.USER_ID: ["ann", "ann", "ann", "bob", "ann"],
            s.EVENT_TIMESTAMP: pa.array(at, pa.timestamp("us", tz="UTC")),
        }
    )
    answer = on_spark.historical("ranker_members", entities, known_by_then=known)
    assert answer[s.LANGUAGE].to_pylist() == [language, "ko", None, None, language]
    assert answer[s.WATCH_COUNT].to_pylist() == [7, 7, None, None, 7]
    assert answer.equals(gateway.historical("ranker_members", entities, known_by_then=known))


def test_what_spark_brings_online_is_the_newest_row(on_spark: FeatureGateway) -> None:
    on_spark.materialize(NOON - HOUR, NOON)
    features = on_spark.member_features("ann", NOON)
    assert features[s.COUNTRY].tolist() == ["JP"]
    assert features[s.WATCH_COUNT].tolist() == [7.0]
