from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.online_store import FROM_ENVIRONMENT
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.store_profile import DEFAULT, PROFILES, ProfileError, load_profile, profile_names

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
SQLITE = """
project: marquee
provider: local
registry: {folder}/registry.db
offline_store:
  type: duckdb
online_store:
  type: sqlite
  path: {folder}/online.db
materialization:
  pull_latest_features: true
entity_key_serialization_version: 3
"""


@pytest.fixture
def on_sqlite(settings: Settings, lake: Lake, make_rows: MakeRows) -> FeatureGateway:
    """Ann's profile, in an online store of Feast's that knows nothing of Redis."""
    file = settings.home / "sqlite.yaml"
    file.write_text(SQLITE.format(folder=settings.home))
    opened = FeatureGateway.open(replace(settings, profile=str(file)), read_seconds=0.1)
    opened.apply()
    row = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON, s.COUNTRY: "KR"}
    lake.replace(s.USER_PROFILE, make_rows(s.USER_PROFILE, [row]))
    opened.materialize(NOON - timedelta(days=1), NOON)
    return opened


def test_without_a_profile_the_stores_are_those_of_one_machine() -> None:
    config = load_profile(None)
    assert config.offline_store.type == "duckdb"
    assert config.online_store.connection_string == FROM_ENVIRONMENT


def test_a_profile_that_is_not_there_is_refused_with_the_choices() -> None:
    with pytest.raises(
        ProfileError, match=r"MARQUEE_PROFILE='sparc': there is no .*sparc\.yaml; use one of "
    ) as refused:
        load_profile("sparc")
    assert all(name in str(refused.value) for name in profile_names())


def test_a_variable_that_a_profile_needs_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(SQLITE.format(folder="${MARQUEE_NOWHERE}"))
    with pytest.raises(ProfileError, match=r"needs MARQUEE_NOWHERE, which is not set"):
        load_profile(str(file))


@pytest.mark.parametrize("text", ["", "project: [", SQLITE.replace("type: sqlite", "type: sqlit")])
def test_what_feast_cannot_use_is_refused_with_the_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=r"Feast cannot use .*own\.yaml"):
        load_profile(str(file))


def test_profiles_differ_in_nothing_but_stores_and_the_place_of_the_registry() -> None:
    def common(file: Path) -> list[str]:
        text = file.read_text().split("offline_store:")
        after = text[1].split("materialization:")[1]
        return [
            line for line in (text[0] + after).splitlines() if not line.lstrip().startswith(("#", "path:"))
        ]

    files = sorted(PROFILES.glob("*.yaml"))
    assert {file.name: common(file) for file in files} == {file.name: common(DEFAULT) for file in files}


def test_another_online_store_serves_the_same_definitions(on_sqlite: FeatureGateway) -> None:
    assert on_sqlite.healthy()
    assert on_sqlite.member_features("ann", NOON)[s.COUNTRY].tolist() == ["KR"]
    assert on_sqlite.countries(["ann", "zoe"]) == ["KR", ""]
    assert np.isnan(on_sqlite.member_features("ann", NOON)[s.WATCH_COUNT]).all()


@pytest.mark.parametrize("overwrite", [False, True])
def test_rows_are_written_to_another_online_store(
    on_sqlite: FeatureGateway, make_rows: MakeRows, overwrite: bool
) -> None:
    row = {s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON + timedelta(hours=1), s.COUNTRY: "JP"}
    on_sqlite.write_online(s.USER_PROFILE, make_rows(s.USER_PROFILE, [row]), overwrite=overwrite)
    assert on_sqlite.countries(["ann"]) == ["JP"]


def test_what_only_our_redis_store_can_do_is_told(on_sqlite: FeatureGateway) -> None:
    assert on_sqlite.newest_rows() == {}
    with pytest.raises(NotImplementedError, match="SqliteOnlineStore cannot remove a member"):
        on_sqlite.forget_member("ann")


def test_the_redis_of_the_stream_stays_the_one_of_the_settings(
    on_sqlite: FeatureGateway, settings: Settings
) -> None:
    assert on_sqlite.online_url == settings.redis_url
