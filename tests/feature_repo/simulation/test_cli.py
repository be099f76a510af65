from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.simulation.cli import simulate_command
from feature_repo.simulation.world import World

TINY = ["--members", "10", "--titles", "60", "--days", "2"]


def run(home: Path, *arguments: str, lake: str = "") -> tuple[int, str]:
    environment = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": lake, "REDIS_URL": ""}
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
        (["--titles", "3"], "--titles"),
        (["--members", "0"], "--members"),
        (["--days", "366"], "--days"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "one"], "--seed"),
        (["--end", "yesterday"], "--end"),
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


def contents(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted((home / "simulation").rglob("*"))
        if path.is_file()
    }


def test_the_same_arguments_make_the_same_service_byte_for_byte(tmp_path: Path) -> None:
    first, second, other = tmp_path / "first", tmp_path / "second", tmp_path / "other"
    for home, seed in ((first, "5"), (second, "5"), (other, "6")):
        assert run(home, *TINY, "--seed", seed)[0] == 0
    for table in s.RAW_TABLES:
        one, same, another = (
            Lake(str(home / "lake")).read(table).sort_by([(key, "ascending") for key in table.keys])
            for home in (first, second, other)
        )
        assert one.equals(same)
        assert table == s.SIGN_UPS or not one.equals(another)  # nobody signs up in the past
    assert contents(first) == contents(second) != contents(other)


def test_the_end_is_where_the_events_stop(tmp_path: Path) -> None:
    code, output = run(tmp_path, *TINY, "--end", "2026-03-02T12:00:00+09:00")
    assert code == 0, output
    latest = max(Lake(str(tmp_path / "lake")).read(s.EVENTS)[s.EVENT_TIMESTAMP].to_pylist())
    assert datetime(2026, 2, 28, 3, tzinfo=UTC) < latest < datetime(2026, 3, 2, 3, tzinfo=UTC)


def test_the_lake_may_lie_elsewhere_than_the_truth(tmp_path: Path) -> None:
    home, lake = tmp_path / "home", tmp_path / "elsewhere"
    code, output = run(home, *TINY, lake=str(lake))
    assert code == 0, output
    assert str(lake) in output
    assert Lake(str(lake)).read(s.MEMBERS).num_rows == 10
    assert [path.name for path in home.iterdir()] == ["simulation"]
