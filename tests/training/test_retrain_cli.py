from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from feature_repo.settings import Settings
from training.bundle import CHAMPION, BundleAliases
from training.cli import main
from training.config import TrainingConfig
from training.moved import Published
from training.retrain_cli import TRY_LATER, retrain_config, savings, summary
from training.retrain_state import RetrainRecord, only_retrain, read_record, write_record
from training.schedule import Schedule

if TYPE_CHECKING:
    from tests.conftest import TrainedService

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SMALL = {
    "als": {"iterations": 2, "threads": 1}, "bpr": {"iterations": 1}, "ranker": {"trees": 5, "threads": 1},
    "two_tower": {"epochs": 1, "batch": 128, "uniform_negatives": 64},
}  # fmt: skip


def record_of(**changes: object) -> RetrainRecord:
    found = {"slot": 7, "period_seconds": 3600, "began_at": NOW, "pid": 12, "outcome": "published"}
    return RetrainRecord.model_validate(found | {"seconds": 61.0, "bundle": "b"} | changes)


@pytest.fixture
def environment(settings: Settings) -> Mapping[str, str]:
    return {
        "MARQUEE_HOME": str(settings.home),
        "MARQUEE_LAKE": settings.lake,
        "REDIS_URL": settings.redis_url or "",
    }


def run(environment: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner(env=dict(environment)).invoke(main, ["retrain", *arguments])


def test_help_shows_the_commands_to_type_and_the_exit_statuses(environment: Mapping[str, str]) -> None:
    output = run(environment, "--help").output
    assert "python -m training retrain --every 1h --window 7d" in output
    assert "75: another is at work" in output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--every", "hourly"], "such as 90m, 1h or 7d"), (["--every", "0"], "shorter than 0:01:00"),
        (["--window", "5m"], "shorter than 1:00:00"), (["--older-share", "1.5"], "older-share"),
        (["--moved", "-1"], "moved"), (["--json"], "--json goes with --status"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(
    environment: Mapping[str, str], arguments: list[str], named: str
) -> None:
    result = run(environment, *arguments)
    assert result.exit_code == 2
    assert named in result.output


def test_the_command_line_goes_before_the_configuration_and_a_week_is_the_default() -> None:
    plain, day = TrainingConfig(), timedelta(days=1)
    assert retrain_config(plain, None, None, None) == plain.model_copy(update={"window_days": 7.0})
    assert retrain_config(plain, day / 2, 0.2, 0.5) == plain.model_copy(
        update={"window_days": 0.5, "older_share": 0.2, "moved": 0.5}
    )
    three = plain.model_copy(update={"window_days": 3.0})
    assert retrain_config(three, None, None, None) == three
    assert retrain_config(three, 0 * day, None, None).window_days is None


def test_the_line_of_a_run_says_what_was_published_and_what_that_saved() -> None:
    assert savings({"users": Published(3, 4), "titles": Published(1, 2)}) == (
        "4 vectors published, 6 saved that had not moved (60%)"
    )
    assert savings({}) == "all vectors published, of a new beginning"
    line = summary(record_of(published={"users": Published(1, 1)}, solved_titles=2))
    assert line.startswith("bundle b after 61 s; 1 vectors published, 1 saved")
    assert line.endswith("2 new titles solved")
    failed = summary(record_of(outcome="failed", reason="ValueError: no"))
    assert failed == "failed after 61 s: ValueError: no; the champion stays, the next slot tries again"


def test_status_tells_of_the_last_run(environment: Mapping[str, str], settings: Settings) -> None:
    assert "no retrain yet" in run(environment, "--status").output
    assert json.loads(run(environment, "--status", "--json").output) is None
    write_record(settings.home, record_of())
    assert "bundle b after 61 s" in run(environment, "--status").output
    assert json.loads(run(environment, "--status", "--json").output)["slot"] == 7
    running = record_of(outcome="running", seconds=None, bundle=None)
    write_record(settings.home, running)
    assert "ended without a word" in run(environment, "--status").output
    with only_retrain(settings.home, NOW):
        assert run(environment, "--status").output.endswith("running\n")
    (settings.home / "retrain.json").write_text("{")
    damaged = run(environment, "--status")
    assert damaged.exit_code == 1
    assert "retrain.json" in damaged.output


def test_one_run_without_data_fails_with_the_reason(
    environment: Mapping[str, str], settings: Settings
) -> None:
    result = run(environment, "--once")
    assert result.exit_code == 1
    assert "import or simulate data first" in result.output.replace("\n", " ")
    record = read_record(settings.home)
    assert record is not None
    assert record.outcome == "failed"


@contextmanager
def program(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "training", "retrain", *arguments],
        env=os.environ | dict(environment) | {"COLUMNS": "200"}, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process
        process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read the program's log up to a line with these words."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if words in line:
            return seen
    pytest.fail(f"the program ended with {process.wait()} and never said {words!r}: {seen}")


def test_a_second_one_is_told_who_is_at_work_and_to_try_later(
    environment: Mapping[str, str], settings: Settings
) -> None:
    with only_retrain(settings.home, NOW), program(environment, "--once") as second:
        told = read_until(second, "try later")
        assert second.wait() == TRY_LATER
    assert f"process {os.getpid()}, since 2026-03-01T12:00:00+00:00" in told


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_between_runs_ends_it(
    environment: Mapping[str, str], settings: Settings, number: signal.Signals, status: int
) -> None:
    period, now = timedelta(weeks=500), datetime.now(UTC)
    slot = Schedule(period).slot_at(now)
    write_record(settings.home, record_of(slot=slot, began_at=now, period_seconds=period.total_seconds()))
    with program(environment, "--every", "500w", "--titles-every", "0") as process:
        read_until(process, "first at")
        process.send_signal(number)
        read_until(process, "the champion stays in service")
        assert process.wait() == status


@pytest.fixture
def goes_on(
    trained_service: TrainedService, environment: Mapping[str, str], settings: Settings
) -> Mapping[str, str]:
    """The small trained service, copied into this home, with a configuration beside it."""
    shutil.copytree(
        trained_service.settings.home, settings.home, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("redis", "registry.db"),
    )  # fmt: skip
    (settings.home / "small.json").write_text(json.dumps(SMALL))
    return environment


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_the_champion_and_the_next_one_works(
    goes_on: Mapping[str, str], settings: Settings
) -> None:
    aliases = BundleAliases(settings.bundles)
    before, config = aliases.get(CHAMPION), ["--config", str(settings.home / "small.json")]
    with program(goes_on, "--once", *config) as killed:
        read_until(killed, "retrieval before the test window ...")
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
    assert aliases.get(CHAMPION) == before
    assert "ended without a word" in run(goes_on, "--status").output
    with program(goes_on, "--once", *config) as interrupted:
        read_until(interrupted, "ranker ...")
        interrupted.send_signal(signal.SIGINT)
        read_until(interrupted, "the champion stays in service")
        assert interrupted.wait() == 130
    assert aliases.get(CHAMPION) == before
    with program(goes_on, "--once", *config) as process:
        told = read_until(process, "vectors published")
        assert process.wait() == 0
    assert aliases.get(CHAMPION) not in (None, before)
    assert re.search(rf"bundle {aliases.get(CHAMPION)} after \d+ s", told)
    assert not list(Path(settings.lake).glob("_staging/*/*.previous"))
