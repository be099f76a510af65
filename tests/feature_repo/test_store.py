from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.materialization import MaterializationError
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway, NotAppliedError
from feature_repo.title_views import title_statistics

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=3)


@pytest.fixture
def filled(gateway: FeatureGateway, lake: Lake, make_rows: MakeRows) -> FeatureGateway:
    """A store with one member, Ann, and two titles, all of them online."""
    titles = [{s.TITLE_ID: "t1"}, {s.TITLE_ID: "t2"}]
    for table in s.FEATURE_TABLES:
        subjects = [{s.USER_ID: "ann"}] if table.keys == (s.USER_ID,) else titles
        lake.replace(table, make_rows(table, [row | {s.EVENT_TIMESTAMP: NOON} for row in subjects]))
    before = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON - timedelta(hours=1), s.WATCH_COUNT: 6}
    newest = before | {s.EVENT_TIMESTAMP: NOON, s.WATCH_COUNT: 7}
    newest |= {s.RECENT_TITLE_IDS: ["t2", "t1"], s.PREFERRED_DEVICE: None}
    lake.replace(s.USER_SNAPSHOT, make_rows(s.USER_SNAPSHOT, [before, newest]))
    gateway.materialize(NOON - timedelta(days=1), NOON)
    return gateway


def test_a_member_comes_back_with_their_newest_row(filled: FeatureGateway) -> None:
    features = filled.member_features("ann", LATER)
    assert features[s.WATCH_COUNT].tolist() == [7.0]
    assert features[s.RECENT_TITLE_IDS].tolist() == [("t2", "t1")]
    assert features[s.PREFERRED_DEVICE].tolist() == [""]
    assert features[s.USER_EMBEDDING].shape == (1, s.ALS_DIMENSIONS)


def test_a_stranger_comes_back_with_nulls_in_the_same_columns(filled: FeatureGateway) -> None:
    known, unknown = filled.member_features("ann", LATER), filled.member_features("zoe", LATER)
    assert unknown.keys() == known.keys()
    assert np.isnan(unknown[s.WATCH_COUNT]).all()
    assert np.isnan(unknown[s.GENRE_PREFERENCE]).all()
    assert unknown[s.COUNTRY].tolist() == [""]
    assert unknown[s.WATCHED_TITLE_IDS].tolist() == [()]


@pytest.mark.parametrize(
    ("after", "count"),
    [(timedelta(0), 0.0), (timedelta(seconds=1), None)],
    ids=["at its end", "a second later"],
)
def test_an_online_row_expires_with_its_time_to_live(
    filled: FeatureGateway, after: timedelta, count: float | None
) -> None:
    snapshot = filled.title_snapshot(["t1"], NOON + title_statistics.ttl + after)
    found = snapshot.columns[s.VIEW_COUNT][0]
    assert found == count if count is not None else np.isnan(found)


def test_the_title_snapshot_keeps_the_order_asked_for(filled: FeatureGateway) -> None:
    snapshot = filled.title_snapshot(["t2", "missing", "t1"], LATER)
    assert snapshot.title_ids.tolist() == ["t2", "missing", "t1"]
    assert snapshot.row_of == {"t2": 0, "missing": 1, "t1": 2}
    assert np.isnan(snapshot.columns[s.VIEW_COUNT]).tolist() == [False, True, False]


def test_an_entity_that_did_not_arrive_online_is_named(
    filled: FeatureGateway, lake: Lake, make_rows: MakeRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [{s.USER_ID: "bob", s.EVENT_TIMESTAMP: NOON}]
    lake.append(s.USER_PROFILE, make_rows(s.USER_PROFILE, late))
    monkeypatch.setattr(filled._store, "materialize", lambda *_, **__: None)
    with pytest.raises(MaterializationError, match=r"1 of 2 entities of view 'user_profile'.*bob"):
        filled.materialize(NOON - timedelta(days=1), NOON)


def test_materializing_again_replaces_a_row_of_the_same_instant(
    filled: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    row = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON, s.MODEL_VERSION: "retrained"}
    lake.replace(s.USER_ALS_EMBEDDING, make_rows(s.USER_ALS_EMBEDDING, [row]))
    filled.materialize(NOON - timedelta(days=1), NOON)
    assert filled.member_features("ann", LATER)[s.MODEL_VERSION].tolist() == ["retrained"]


def test_forgetting_removes_online_values_and_definitions(filled: FeatureGateway) -> None:
    filled.forget()
    filled.apply()
    assert np.isnan(filled.member_features("ann", LATER)[s.WATCH_COUNT]).all()


def test_the_schema_hash_changes_with_the_features_asked(gateway: FeatureGateway) -> None:
    assert gateway.schema_hash(["homepage_member"]) != gateway.schema_hash(["homepage_titles"])
    assert gateway.schema_hash() == gateway.schema_hash()


def test_a_silent_redis_is_not_healthy(gateway: FeatureGateway, settings: Settings) -> None:
    assert gateway.healthy()
    silent = FeatureGateway.open(settings, "redis://127.0.0.1:1/0")
    assert not silent.healthy()


def test_a_column_comes_back_as_the_store_holds_it(filled: FeatureGateway) -> None:
    versions = filled.online_column(s.TITLE_ALS_EMBEDDING, s.MODEL_VERSION, ["t2", "missing"])
    assert versions.tolist() == ["x", ""]
    vectors = filled.online_column(s.TITLE_ALS_EMBEDDING, s.TITLE_EMBEDDING, ["missing", "t1"])
    assert np.isnan(vectors).all(axis=1).tolist() == [True, False]
    assert len(filled.online_column(s.TITLE_ALS_EMBEDDING, s.MODEL_VERSION, [])) == 0


@pytest.mark.parametrize(("overwrite", "found"), [(False, "x"), (True, "older")])
def test_a_row_replaces_a_younger_one_only_when_told_to(
    filled: FeatureGateway, make_rows: MakeRows, overwrite: bool, found: str
) -> None:
    older = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON - timedelta(days=1), s.MODEL_VERSION: "older"}
    rows = make_rows(s.USER_ALS_EMBEDDING, [older])
    filled.write_online(s.USER_ALS_EMBEDDING, rows, overwrite=overwrite)
    assert filled.online_column(s.USER_ALS_EMBEDDING, s.MODEL_VERSION, ["ann"]).tolist() == [found]


def test_a_table_can_be_left_as_it_is_online(filled: FeatureGateway, lake: Lake, make_rows: MakeRows) -> None:
    row = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON, s.MODEL_VERSION: "retrained"}
    lake.replace(s.USER_ALS_EMBEDDING, make_rows(s.USER_ALS_EMBEDDING, [row]))
    arrived = filled.materialize(NOON - timedelta(days=1), NOON, without=[s.USER_ALS_EMBEDDING])
    assert s.USER_ALS_EMBEDDING.name not in arrived
    assert filled.member_features("ann", LATER)[s.MODEL_VERSION].tolist() == ["x"]


def test_a_service_that_the_registry_does_not_know_is_named_with_the_remedy(gateway: FeatureGateway) -> None:
    with pytest.raises(NotAppliedError, match=r"two_stage_members .*`python -m feature_repo apply`"):
        gateway.service("two_stage_members")
