from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from feature_repo.ingest import cli
from feature_repo.ingest.cli import ingest
from feature_repo.ingest.lake import Lake
from feature_repo.schema import EVENTS, MEMBERS, TITLES

EVENT_CSV = "event_id,user_id,title_id,event_type,event_timestamp\n"
TITLE_CSV = (
    "title_id,name,title_type,genres,cast,available_since,event_timestamp\n"
    "t1,One,movie,,,1709294400,1709294400\n"
)
Write = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MARQUEE_LAKE", raising=False)
    return tmp_path / "home"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(ingest, [str(argument) for argument in arguments])


def test_files_are_imported_with_a_summary_and_a_reject_file(home: Path, write: Write) -> None:
    events = write("e.csv", EVENT_CSV + "e1,anna,t1,play,1709294400\ne2,anna,t1,nap,1709294400\n")
    result = _run("files", "--events", events, "--titles", write("t.csv", TITLE_CSV))
    assert result.exit_code == 0, result.output
    assert f"Imported into {home}/lake in " in result.output
    assert "1 × event_type: is not one of" in result.output
    assert Lake(str(home / "lake")).read(EVENTS).num_rows == 1
    assert len(list((home / "rejects").glob("events-*.csv"))) == 1


def test_appended_events_join_those_of_before(home: Path, write: Write) -> None:
    titles = write("t.csv", TITLE_CSV)
    _run("files", "--events", write("1.csv", EVENT_CSV + "e1,anna,t1,play,1709294400\n"), "--titles", titles)
    result = _run("files", "--append", "--events", write("2.csv", EVENT_CSV + "e2,anna,t1,play,1709294500\n"))
    assert result.exit_code == 0, result.output
    lake = Lake(str(home / "lake"))
    assert (lake.read(EVENTS).num_rows, lake.read(TITLES).num_rows) == (2, 1)


def test_a_bad_file_ends_with_exit_code_1_and_says_what_to_do(home: Path, write: Write) -> None:
    result = _run("files", "--events", write("e.csv", "event_id\n"), "--titles", write("t.csv", TITLE_CSV))
    assert result.exit_code == 1
    assert "e.csv, column 'user_id': the column is missing. Add it" in result.output
    assert "Nothing was imported; the lake is as it was." in result.output
    assert not Lake(str(home / "lake")).exists(TITLES)


@pytest.mark.usefixtures("home")
def test_missing_options_are_a_usage_error(write: Write) -> None:
    for arguments in (["files"], ["files", "--append"], ["files", "--titles", write("t.csv", TITLE_CSV)]):
        result = _run(*arguments)
        assert result.exit_code == 2
        assert "append" in result.output


def test_a_movielens_folder_is_imported(home: Path, write: Write, tmp_path: Path) -> None:
    write("ml/ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,1000\n")
    write("ml/movies.csv", "movieId,title,genres\n1,Toy Story (1995),Children\n")
    result = _run("movielens", tmp_path / "ml")
    assert result.exit_code == 0, result.output
    lake = Lake(str(home / "lake"))
    assert [lake.read(table).num_rows for table in (EVENTS, TITLES, MEMBERS)] == [1, 1, 1]


def test_an_interrupted_import_leaves_nothing(
    home: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("ml/ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,1000\n")
    write("ml/movies.csv", "movieId,title,genres\n1,Toy Story (1995),Children\n")

    def interrupted(*arguments: object, progress: Callable[[str, int], None], **options: object) -> object:
        def stop_at_titles(table: str, rows: int) -> None:
            progress(table, rows)
            if table == TITLES.name:
                raise KeyboardInterrupt

        return import_movielens(*arguments, progress=stop_at_titles, **options)

    import_movielens = cli.import_movielens
    monkeypatch.setattr(cli, "import_movielens", interrupted)
    result = _run("movielens", tmp_path / "ml")
    assert result.exit_code == 1
    assert "Aborted" in result.output
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("command", [[], ["movielens"], ["files"]])
def test_help_explains_every_command(command: list[str]) -> None:
    result = _run(*command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output or "reject file" in result.output
