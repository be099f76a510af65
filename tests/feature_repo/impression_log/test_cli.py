from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from feature_repo import schema as s
from feature_repo.cli import main
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.simulation.cli import simulate_command
from tests.feature_repo.impression_log.conftest import append, event, outcomes, shown


def run(lake: Lake, *arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--lake", lake.root], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_join_says_what_it_did(lake: Lake) -> None:
    append(lake, [*shown("p1", 20, "a", "b"), *shown("p2", 44, "a")], [event(20.5, "a", "play")])
    assert run(lake, "join-impressions", "--until", "2026-03-01") == "2026-03-01: 2 tiles joined\n"
    assert run(lake, "join-impressions") == "2026-03-02: 1 tiles joined\n"
    assert run(lake, "join-impressions") == "nothing new since the last join\n"
    assert outcomes(lake)["p1", "a"] == (True, None, True)


def test_what_expired_is_named(lake: Lake) -> None:
    append(lake, [*shown("p1", 20, "a"), *shown("p2", 24 * 8, "a")])
    assert run(lake, "expire-impressions", "--keep", "1w") == "shown_tiles/2026-03-01 expired\n"
    assert run(lake, "expire-impressions") == "nothing is older\n"


def test_a_day_that_is_none_and_a_span_too_short_are_refused(lake: Lake) -> None:
    runner = CliRunner()
    assert "write it as 2026-03-01" in runner.invoke(main, ["join-impressions", "--since", "March"]).output
    assert "take a longer one" in runner.invoke(main, ["expire-impressions", "--keep", "3h"]).output


def test_a_lake_that_cannot_be_written_is_named(lake: Lake) -> None:
    append(lake, shown("p1", 20, "a"))
    (Path(lake.root) / "_staging").rmdir()
    (Path(lake.root) / "_staging").write_text("no folder")
    result = CliRunner().invoke(main, ["join-impressions", "--lake", lake.root])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {lake.root}: ")


def test_a_new_simulated_service_forgets_the_log_of_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    monkeypatch.setenv("MARQUEE_LAKE", str(tmp_path / "lake"))
    lake = Lake(str(tmp_path / "lake"))
    append(lake, shown("p1", 20, "a"))
    run(lake, "join-impressions")
    simulate_command.main(
        ["--members", "20", "--titles", "100", "--days", "2"], "simulate", standalone_mode=False
    )
    assert lake.read(SHOWN_TILES).num_rows == 0
    assert run(lake, "join-impressions") == "nothing new since the last join\n"
    assert "p1" not in lake.read(s.IMPRESSIONS)[s.PAGE_ID].to_pylist()


def test_building_features_joins_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    monkeypatch.setenv("MARQUEE_LAKE", str(tmp_path / "lake"))
    simulate_command.main(
        ["--members", "20", "--titles", "100", "--days", "2"], "simulate", standalone_mode=False
    )
    lake = Lake(str(tmp_path / "lake"))
    title = lake.read(s.TITLES)[s.TITLE_ID][0].as_py()
    before = lake.read(s.IMPRESSIONS).num_rows
    append(lake, shown("p1", 20, title))
    run(lake, "build-features")
    assert lake.read(s.IMPRESSIONS).num_rows == before + 1
    statistics = lake.read(s.TITLE_STATISTICS).to_pylist()
    of_the_day = [r for r in statistics if r[s.TITLE_ID] == title and r[s.EVENT_TIMESTAMP].year == 2026]
    assert max(of_the_day, key=lambda r: r[s.IMPRESSION_COUNT])[s.IMPRESSION_COUNT] >= 1
