from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.materialization import MaterializationError
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ONLINE = {t.name for t in s.FEATURE_TABLES} - {s.INTERACTIONS.name}


def write_profiles(lake: Lake, make_rows: MakeRows, *rows: tuple[str, datetime]) -> None:
    lake.replace(
        s.USER_PROFILE, make_rows(s.USER_PROFILE, [{s.USER_ID: u, s.EVENT_TIMESTAMP: t} for u, t in rows])
    )


def test_entities_are_counted_once_and_tables_not_yet_written_count_none(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    write_profiles(lake, make_rows, ("ann", NOON), ("ann", NOON + DAY), ("bob", NOON))
    arrived = gateway.materialize(NOON - DAY, NOON + DAY)
    assert arrived == dict.fromkeys(ONLINE, 0) | {s.USER_PROFILE.name: 2}


def test_progress_ends_at_the_number_of_views_with_data(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    write_profiles(lake, make_rows, ("ann", NOON))
    told: list[tuple[str, int, int]] = []
    gateway.materialize(NOON, NOON, lambda *step: told.append(step))
    assert told == [(s.USER_PROFILE.name, 1, 1)]


@pytest.mark.parametrize(
    ("start", "end", "entities"),
    [(NOON, NOON, 1), (NOON + DAY, NOON + 2 * DAY, 0), (NOON - DAY, NOON - timedelta(microseconds=1), 0)],
    ids=["at its instant", "after it", "before it"],
)
def test_only_rows_of_the_span_are_brought_online(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows, start: datetime, end: datetime, entities: int
) -> None:
    write_profiles(lake, make_rows, ("ann", NOON))
    assert gateway.materialize(start, end)[s.USER_PROFILE.name] == entities


def test_a_lake_without_features_is_refused_with_a_remedy(gateway: FeatureGateway) -> None:
    with pytest.raises(MaterializationError, match="build-features"):
        gateway.materialize(NOON, NOON + DAY)


def test_definitions_that_were_never_applied_are_named_as_the_reason(settings: Settings) -> None:
    with pytest.raises(MaterializationError, match="feature_repo apply"):
        FeatureGateway.open(settings).materialize(NOON, NOON + DAY)
