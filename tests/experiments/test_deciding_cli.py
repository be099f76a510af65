"""Decisions day after day, as a supervisor runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.cli import main
from experiments.definitions import ExperimentDefinition, Status
from experiments.store import ExperimentStore

DEFINITION = ExperimentDefinition.model_validate(
    {
        "name": "tiles", "layer": "ui", "traffic": 100,
        "arms": [
            {"name": "control", "share": 500},
            {"name": "large", "share": 500, "treatment": {"variant": "large"}},
        ],
    }
)  # fmt: skip


def started(file: Path) -> None:
    store = ExperimentStore.open(f"sqlite:///{file}")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    store.create(DEFINITION, yesterday)
    store.change_status("tiles", Status.RUNNING, yesterday)
    store.close()


@contextmanager
def deciding(home: Path, file: Path, every: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"MARQUEE_HOME": str(home), "MARQUEE_EXPERIMENTS": f"sqlite:///{file}"}
    environment.pop("MARQUEE_LAKE", None)
    command = [sys.executable, "-m", "experiments", "decide", "--every", every]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_decides_at_once_and_a_signal_is_its_proper_end(tmp_path: Path, number: signal.Signals) -> None:
    started(tmp_path / "experiments.db")
    with deciding(tmp_path, tmp_path / "experiments.db", "1d") as process:
        assert process.stdout is not None
        assert "hold by rule: too early" in process.stdout.readline()
        process.send_signal(number)
        rest, told = process.communicate()
        assert (process.returncode, rest, told) == (0, "", "stopped; nothing is lost\n")


def test_a_store_that_is_away_is_told_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "not-there-yet"
    folder.write_text("a file where a folder should be")
    with deciding(tmp_path, folder / "experiments.db", "1s") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("nothing decided, trying again in 0:00:01: ")
        folder.unlink()
        folder.mkdir()
        started(folder / "experiments.db")
        for _ in range(2):
            assert "tiles: " in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 0


def test_rounds_to_come_are_not_decided_as_of_one_instant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    refused = CliRunner().invoke(main, ["decide", "--every", "1d", "--at", "2026-03-01"])
    assert refused.exit_code == 2
    assert "leave --at out" in refused.output
