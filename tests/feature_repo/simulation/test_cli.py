from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.simulation.cli import simulate_command
from feature_repo.simulation.world import World

TINY = ["--members", "10", "--titles", "60", "--days", "2"]


def run(home: Path, *arguments: str) -> tuple[int, str]:
    environment = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": "", "REDIS_URL": ""}
    result = CliRunner().invoke(simulate_command, list(arguments), env=environment)
    return result.exit_code, result.output


def test_the_four_tables_and_the_truth_are_written(tmp_path: Path) -> None:
    code, output = run(tmp_path, *TINY)
    assert code == 0, output
    lake = Lake(str(tmp_path / "lake"))
    assert lake.read(s.TITLES).num_rows == len(World.load(tmp_path / "simulation").title_ids) == 60
    assert lake.read(s.MEMBERS).num_rows == 10
    for table in s.RAW_TABLES:
        assert f"{lake.read(table).num_rows:,} rows" in output
        assert table.name in output


def test_running_again_replaces_what_was_there(tmp_path: Path) -> None:
    run(tmp_path, *TINY)
    code, output = run(tmp_path, "--members", "5", "--titles", "70", "--days", "2")
    assert code == 0, output
    assert Lake(str(tmp_path / "lake")).read(s.TITLES).num_rows == 70
    assert len(World.load(tmp_path / "simulation").user_ids) == 5


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--titles", "3"], "titles"),
        (["--end", "yesterday"], "yesterday"),
        (["--end", "2026-01-01T00:00:00"], "time zone"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], named: str
) -> None:
    code, output = run(tmp_path, *arguments)
    assert code == 2
    assert named in output
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example(tmp_path: Path) -> None:
    code, output = run(tmp_path, "--help")
    assert code == 0
    assert "--members 50 --titles 200 --days 7" in output
