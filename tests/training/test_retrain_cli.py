from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner, Result

from feature_repo.settings import Settings
from tests.faults.small_disk import small_disk
from training.bundle import CHAMPION, BundleAliases, list_bundles, read_manifest
from training.cli import main
from training.config import TrainingConfig
from training.moved import Published
from training.retrain_cli import TRY_LATER, retrain_config, savings, summary
from training.retrain_state import RetrainRecord, Tally, only_retrain, read_record, write_record
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
        (["--moved", "-1"], "moved"), (["--time-limit", "5s"], "shorter than 0:01:00"),
        (["--metrics-port", "0"], "metrics-port"), (["--json"], "--json goes with --status"),
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
    assert "import or simulate data first" in " ".join(result.output.split())
    record = read_record(settings.home)
    assert record is not None
    assert record.outcome == "failed"


def test_on_a_disk_that_is_full_a_run_says_that_it_cannot_be_recorded(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        disk.fill()
        command = disk.run(sys.executable, "-m", "training", "retrain", "--once")
        variables = {**environment, "MARQUEE_HOME": str(disk.inside), "COLUMNS": "200"}
        done = subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "cannot be recorded ([Errno 28] No space left on device" in done.stderr


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


def attempt_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Return the process that does the work at this moment."""
    return next(
        one
        for one in psutil.Process(process.pid).children()
        if one.status() != psutil.STATUS_ZOMBIE and "training.attempt" in one.cmdline()
    )


@pytest.mark.slow
def test_whoever_ends_the_run_ends_its_attempt_and_the_champion_stays(
    goes_on: Mapping[str, str], settings: Settings
) -> None:
    aliases = BundleAliases(settings.bundles)
    before, config = aliases.get(CHAMPION), ["--config", str(settings.home / "small.json")]
    with program(goes_on, "--once", *config) as killed:
        read_until(killed, "retrieval before the ranker's window ...")
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        assert killed.stderr is not None
        killed.stderr.read()  # which ends with the last process that writes to it: the attempt
    assert aliases.get(CHAMPION) == before
    assert "ended without a word" in run(goes_on, "--status").output
    with program(goes_on, "--once", *config) as interrupted:
        read_until(interrupted, "build features ...")
        attempt = attempt_of(interrupted)
        interrupted.send_signal(signal.SIGINT)
        read_until(interrupted, "the champion stays in service")
        assert interrupted.wait() == 130
    assert not attempt.is_running()
    assert aliases.get(CHAMPION) == before
    record = read_record(settings.home)
    assert record is not None
    assert (record.outcome, record.plan) == ("interrupted", "smaller")
    assert not list(Path(settings.lake).glob("_staging/*/*.previous"))


MORE_THAN_IMPORTS = 64 << 20
STARVED_SECONDS = 60


def bytes_of_imports() -> int:
    """Return how much private memory an attempt takes before it begins to work."""
    code = "import training.attempt; print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    found = re.search(r"VmData:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) << 10


@pytest.mark.slow
def test_what_runs_out_of_memory_and_what_is_killed_is_tried_again_with_less_and_published(
    goes_on: Mapping[str, str], settings: Settings
) -> None:
    """The first attempt cannot have more memory, really; the second is killed; the third is let alone."""
    aliases, metrics = BundleAliases(settings.bundles), settings.home / "retrain.prom"
    before = aliases.get(CHAMPION)
    limit = bytes_of_imports() + MORE_THAN_IMPORTS
    arguments = ["--once", "--config", str(settings.home / "small.json"), "--metrics-file", str(metrics)]
    with program(goes_on, *arguments) as process:
        read_until(process, "join impressions ...")
        starved = attempt_of(process)
        resource.prlimit(starved.pid, resource.RLIMIT_DATA, (limit, limit))
        # Without memory most of what it calls raises, and some of it waits for threads that never came: then
        # the limit of time ends it, for which nobody needs to wait here.
        psutil.wait_procs([starved], timeout=STARVED_SECONDS)
        if starved.is_running():
            starved.kill()
        failed = read_until(process, "trying again with less memory: plan smaller")
        read_until(process, "ranker ...")
        attempt_of(process).kill()
        read_until(process, "plan smaller failed (killed)")
        told = read_until(process, "vectors published")
        assert process.wait() == 0
    assert re.search(r"plan full failed \((error|killed)\): ", failed)
    assert aliases.get(CHAMPION) not in (None, before)
    assert f"bundle {aliases.get(CHAMPION)} after" in told
    assert "memory plan smallest, after 2 that failed" in told
    manifest = read_manifest(settings.bundles / str(aliases.get(CHAMPION)))
    assert (manifest.memory_plan, manifest.parent) == ("smallest", before)
    record = read_record(settings.home)
    assert record is not None
    assert (record.plan, record.bundle) == ("smallest", aliases.get(CHAMPION))
    assert [a.plan for a in record.attempts] == ["full", "smaller", "smallest"]
    assert [a.failure is None for a in record.attempts] == [False, False, True]
    told_metrics = metrics.read_text()
    assert "marquee_retrain_published_plan 2.0" in told_metrics
    assert 'marquee_retrain_failed_attempts_total{cause="killed",plan="smaller"} 1.0' in told_metrics
    assert not list(Path(settings.lake).glob("_staging/*/*.previous"))


@pytest.mark.slow
def test_when_every_attempt_fails_the_champion_stays_and_everything_says_so(
    goes_on: Mapping[str, str], settings: Settings
) -> None:
    aliases, metrics = BundleAliases(settings.bundles), settings.home / "retrain.prom"
    before, bundles = aliases.get(CHAMPION), list_bundles(settings.bundles)
    with program(goes_on, "--once", "--metrics-file", str(metrics)) as process:
        for plan in ("full", "smaller", "smallest"):
            read_until(process, "join impressions ...")
            attempt_of(process).kill()
            read_until(process, f"plan {plan} failed (killed)")
        assert "the champion stays" in read_until(process, "failed after")
        assert process.wait() == 1
    assert (aliases.get(CHAMPION), list_bundles(settings.bundles)) == (before, bundles)
    status = json.loads(run(goes_on, "--status", "--json").output)
    assert (status["outcome"], len(status["attempts"]), status["bundle"]) == ("failed", 3, None)
    assert "SIGKILL" in status["reason"]
    assert "marquee_retrain_failed_in_a_row 1.0" in metrics.read_text()


def test_a_schedule_serves_its_metrics_and_another_may_read_them(
    environment: Mapping[str, str], settings: Settings
) -> None:
    period, now = timedelta(weeks=500), datetime.now(UTC)
    slot, tally = Schedule(period).slot_at(now), Tally(runs={"failed": 3}, failed_in_a_row=3)
    write_record(settings.home, record_of(
        slot=slot, began_at=now, period_seconds=period.total_seconds(), tally=tally,
    ))  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ("--every", "500w", "--titles-every", "0", "--metrics-port", str(port))
    with program(environment, *arguments) as process:
        read_until(process, "first at")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            told = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    assert "marquee_retrain_failed_in_a_row 3.0" in told
