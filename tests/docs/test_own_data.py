"""docs/own_data.md, followed to the letter."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from tests.docs.commands import run_line
from tests.docs.markdown import FOLDER, blocks_of

PAGE = FOLDER / "own_data.md"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's files, which is the working directory."""
    for block in blocks_of(PAGE):
        if block.language == "csv":
            (tmp_path / block.argument).write_text(block.text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def commands() -> list[str]:
    return [line for block in blocks_of(PAGE) if block.language == "sh" for line in block.text.splitlines()]


def test_rows_are_kept_or_rejected_as_the_page_says(files: Path, commands: list[str]) -> None:
    home = files / "home"
    environment = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": "", "REDIS_URL": ""}
    replace, append, build = commands
    run_line(replace, environment)
    lake = Lake(str(home / "lake"))
    assert sorted(lake.read(s.EVENTS)[s.EVENT_ID].to_pylist()) == ["e1", "e2", "e4"]
    assert len(lake.read(s.TITLES)) == 3
    [rejected] = (home / "rejects").glob("events-*.csv")
    assert rejected.read_text("utf-8") == (files / "rejects").read_text("utf-8")

    run_line(append, environment)
    run_line(append, environment)
    assert sorted(lake.read(s.EVENTS)[s.EVENT_ID].to_pylist()) == ["e1", "e2", "e3", "e4", "e5"]

    run_line(build, environment)
    snapshots = lake.read(s.USER_SNAPSHOT)
    of_zoe = snapshots.filter(pc.equal(snapshots[s.USER_ID], "zoe")).sort_by(s.EVENT_TIMESTAMP)
    last = of_zoe.slice(len(of_zoe) - 1).to_pylist()[0]
    assert last[s.RECENT_TITLE_IDS] == ["salt", "night-ferry"]
    assert last[s.RECENT_WATCH_FRACTIONS] == pa.array([0.17, 0.95], pa.float32()).to_pylist()
