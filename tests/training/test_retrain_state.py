from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from training.moved import Published
from training.retrain_state import (
    DamagedRecordError,
    RetrainRecord,
    RetrainRunningError,
    only_retrain,
    read_record,
    retrain_running,
    write_record,
)
from training.schedule import Turn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = RetrainRecord(
    slot=7, period_seconds=3600, began_at=NOW, pid=12, outcome="published", seconds=3.5, bundle="b",
    published={"user_als_embedding": Published(3, 4)},
)  # fmt: skip
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from training.retrain_state import only_retrain
with only_retrain(Path(sys.argv[1]), datetime(2026, 3, 1, 11, tzinfo=UTC)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that retrains in this home."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    assert [file.name for file in tmp_path.iterdir()] == ["retrain.json"]


def test_a_record_of_another_period_says_nothing_of_the_slots() -> None:
    assert RECORD.turn(3600) == Turn(7, NOW)
    assert RECORD.turn(1800) is None


@pytest.mark.parametrize(("text", "named"), [("{", "Invalid JSON"), ('{"slot": "x"}', "slot"), ("", "JSON")])
def test_a_damaged_record_is_named_with_what_follows(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "retrain.json").write_text(text)
    with pytest.raises(DamagedRecordError, match=rf"retrain.json: .*{named}.*as if there were none"):
        read_record(tmp_path)


def test_a_second_retrain_is_told_who_is_at_work(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert retrain_running(tmp_path)
    told = rf"another retrain is at work: process {holder.pid}, since 2026-03-01T11:00:00\+00:00"
    with pytest.raises(RetrainRunningError, match=told), only_retrain(tmp_path, NOW):
        pytest.fail("two at once")


def test_a_retrain_that_was_killed_holds_up_nobody(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert not retrain_running(tmp_path)
    with only_retrain(tmp_path, NOW):
        assert f'"pid": {os.getpid()}' in (tmp_path / "retrain.lock").read_text()
        assert retrain_running(tmp_path)
    assert not retrain_running(tmp_path)


def test_a_home_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    assert not retrain_running(tmp_path / "new")
    with only_retrain(tmp_path / "new", NOW):
        assert (tmp_path / "new").is_dir()
