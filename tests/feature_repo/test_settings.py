from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.settings import REPOSITORY_ROOT, Settings


def test_without_an_environment_everything_lies_in_var() -> None:
    settings = Settings.from_environment({})
    assert settings.home == REPOSITORY_ROOT / "var"
    assert settings.lake == str(REPOSITORY_ROOT / "var" / "lake")
    assert settings.redis_url is None


def test_an_empty_variable_counts_as_none() -> None:
    empty = {"MARQUEE_HOME": "", "MARQUEE_LAKE": "", "REDIS_URL": ""}
    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_the_lake_moves_with_the_home(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MARQUEE_HOME": str(tmp_path)})
    assert settings.home == tmp_path
    assert settings.lake == str(tmp_path / "lake")


@pytest.mark.parametrize("lake", ["s3://bucket/prefix", "relative/lake", "gs://bucket/a//b/"])
def test_a_lake_of_its_own_is_kept_as_it_is(tmp_path: Path, lake: str) -> None:
    settings = Settings.from_environment({"MARQUEE_HOME": str(tmp_path), "MARQUEE_LAKE": lake})
    assert settings.lake == lake


def test_a_relative_home_is_resolved_where_the_program_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({"MARQUEE_HOME": "state"}).home == tmp_path / "state"


@pytest.mark.parametrize(
    ("value", "profile"),
    [("", None), ("redis_cluster", "redis_cluster"), ("own.yaml", "/work/own.yaml"), ("a/b", "/work/a/b")],
)
def test_a_profile_is_a_name_or_a_path_from_where_the_program_starts(
    value: str, profile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = profile and profile.replace("/work", str(tmp_path))
    assert Settings.from_environment({"MARQUEE_PROFILE": value}).profile == expected


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    monkeypatch.setenv("MARQUEE_LAKE", "s3://lake")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere:7000/2")
    assert Settings.from_environment() == Settings(tmp_path, "s3://lake", "redis://somewhere:7000/2")


def test_everything_but_the_lake_lies_under_the_home_in_places_of_its_own(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "s3://lake", None)
    places = [
        settings.bundles,
        settings.reports,
        settings.registry,
        settings.redis_directory,
        settings.simulation,
    ]
    assert all(place.parent == tmp_path for place in places)
    assert len(set(places)) == len(places)


def test_reading_settings_creates_nothing(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MARQUEE_HOME": str(tmp_path / "home")})
    assert not settings.home.exists()
