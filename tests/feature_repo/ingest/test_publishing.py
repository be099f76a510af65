"""What becomes of a write to the lake whose process is killed: a real one, between any two renames."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from feature_repo.deletion.lake_rows import erase_member
from feature_repo.ingest.lake import Lake
from feature_repo.schema import EVENT_ID, EVENTS, MEMBERS, TITLES, USER_ID
from feature_repo.settings import REPOSITORY_ROOT

Build = Callable[..., pa.Table]

KILLED_BEFORE_A_MOVE = """
import os, signal, sys
import pyarrow.parquet as pq
from feature_repo import schema as s
from feature_repo.ingest.lake import Lake

lake, moves_made, new = Lake(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

class Filesystem:
    left = moves_made
    def __getattr__(self, name):
        return getattr(lake.filesystem, name)
    def move(self, source, target):
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        lake.filesystem.move(source, target)

lake.publisher._filesystem = Filesystem()
with lake.transaction() as transaction:
    transaction.replace(s.EVENTS, pq.read_table(f"{new}/events.parquet", schema=s.EVENTS.arrow_schema))
    transaction.append(s.TITLES, pq.read_table(f"{new}/titles.parquet", schema=s.TITLES.arrow_schema))
    transaction.replace(s.MEMBERS, pq.read_table(f"{new}/members.parquet", schema=s.MEMBERS.arrow_schema))
"""
MOVES = (
    "begin to publish",
    "old events aside", "new events in", "titles in", "old members aside", "new members in",
    "end",
)  # fmt: skip
OLD = (["e0", "e1"], ["t0"], ["anna"])
NEW = (["e10", "e11", "e12"], ["t0", "t1"], ["bert", "zoe"])


def _contents(lake: Lake) -> tuple[list[str], list[str], list[str]]:
    read = [(EVENTS, EVENT_ID), (TITLES, "title_id"), (MEMBERS, USER_ID)]
    events, titles, members = (sorted(lake.read(t, [c])[c].to_pylist()) for t, c in read)
    return events, titles, members


@pytest.fixture
def killed(
    lake: Lake, events: Build, members: Build, title_rows: Build, tmp_path: Path
) -> Callable[[int], None]:
    """Fill the lake, and have a process killed that writes to it, after so many moves."""

    def titles(*changes: dict[str, str]) -> pa.Table:
        return pa.Table.from_batches([title_rows(*changes)]).cast(TITLES.arrow_schema)

    lake.replace(EVENTS, events(2))
    lake.replace(TITLES, titles({}))
    lake.replace(MEMBERS, members("anna"))
    new = tmp_path / "new"
    new.mkdir()
    pq.write_table(events(3, first=10), new / "events.parquet")
    pq.write_table(titles({"title_id": "t1"}), new / "titles.parquet")
    pq.write_table(members("bert", "zoe"), new / "members.parquet")

    def kill(after: int) -> None:
        command = [sys.executable, "-c", KILLED_BEFORE_A_MOVE, lake.root, str(after), str(new)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT)}
        ended = subprocess.run(
            command, env=environment, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr

    return kill


@pytest.mark.parametrize(
    "moves", range(len(MOVES)), ids=[f"before_{move.replace(' ', '_')}" for move in MOVES]
)
def test_a_write_that_is_killed_is_all_there_or_not_at_all_once_the_lake_is_opened(
    killed: Callable[[int], None], lake: Lake, moves: int
) -> None:
    killed(moves)
    with capture_logs() as logs:
        opened = Lake(lake.root)
    assert _contents(opened) == (OLD if moves == 0 else NEW)
    assert [line["log_level"] for line in logs] == ([] if moves == 0 else ["warning"])
    assert opened.publisher.unfinished() == []
    with capture_logs() as logs:
        Lake(lake.root)
    assert logs == []


def test_a_lake_that_stays_open_finishes_a_killed_write_before_its_next_one(
    killed: Callable[[int], None], lake: Lake, members: Build
) -> None:
    killed(MOVES.index("new members in"))
    assert not lake.exists(MEMBERS)
    lake.append(MEMBERS, members("carl"))
    assert _contents(lake) == (*NEW[:2], ["bert", "carl", "zoe"])


def test_a_member_who_is_erased_does_not_come_back_with_a_write_that_was_killed(
    killed: Callable[[int], None], lake: Lake
) -> None:
    killed(MOVES.index("titles in"))
    assert erase_member(lake, "zoe") == {"members": 1}
    assert _contents(Lake(lake.root)) == (*NEW[:2], ["bert"])


def test_a_lake_that_takes_nothing_opens_and_finishes_the_killed_write_later(
    killed: Callable[[int], None], lake: Lake
) -> None:
    killed(MOVES.index("new events in"))
    lock = Path(lake.root, "_publish.lock")
    lock.unlink()
    lock.mkdir()
    with capture_logs() as logs:
        assert not Lake(lake.root).exists(EVENTS)
    assert [(line["log_level"], "make the lake writable" in line["event"]) for line in logs] == [
        ("error", True)
    ]
    lock.rmdir()
    assert _contents(Lake(lake.root)) == NEW
