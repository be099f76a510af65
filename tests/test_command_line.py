"""Commands say what they do, with examples; what a script reads is JSON; Ctrl-C leaves nothing broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import click
import pytest
import redis
from click.testing import CliRunner

import experiments.cli
import feature_repo.cli
import serving.cli
import tests.benchmarks.__main__
import tests.proofs.__main__
import training.cli
from feature_repo import schema as s
from feature_repo.command_line import run_program
from feature_repo.settings import REPOSITORY_ROOT
from tests.conftest import NOT_COPIED, TrainedService

PROGRAMS = {
    "feature_repo": feature_repo.cli.main,
    "training": training.cli.main,
    "serving": serving.cli.serving,
    "experiments": experiments.cli.main,
    "tests.benchmarks": tests.benchmarks.__main__.main,
    "tests.proofs": tests.proofs.__main__.main,
}
READ_BY_SCRIPTS = {
    "feature_repo": {"build-features", "materialize"},
    "training": {
        "cold-start", "freshness", "off-policy", "parity", "pipeline", "retrain", "run", "solve-titles",
    },
    "serving": {
        "bundles activate", "bundles list", "bundles rollback", "doctor", "keys list", "rehearse",
        "shadow-report",
    },
    "experiments": {
        "alerts", "analyze", "assign", "create", "decide", "holdout", "list", "pause", "power", "promote",
        "report", "rollback", "start", "status", "sweep",
    },
}  # fmt: skip
"""What `--json` is for. `defaults`, `template` and `promoted` print JSON anyway, `env` lines for a shell."""
OTHER_STATUSES = {"training retrain": "75", "experiments sweep": "3"}
"""Commands with an exit status of their own. See feature_repo/command_line.py for those of all."""


def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from walk(f"{name} {part}", below)


COMMANDS = dict(pair for name, program in PROGRAMS.items() for pair in walk(name, program))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_in_a_line_what_a_command_does_and_shows_an_example(name: str) -> None:
    told = COMMANDS[name].help or ""
    summary = told.strip().partition("\n\n")[0]
    assert re.fullmatch(r"[A-Z][^\n]{8,}[.:]", " ".join(summary.split()))
    examples = re.findall(rf"python -m {re.escape(name.partition(' ')[0])}\b[^\n]*", told)
    own = [line for line in examples if line.startswith(f"python -m {name}")]
    assert own, f"{name} has no example of itself"
    assert all(option.help for option in COMMANDS[name].params if isinstance(option, click.Option))


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_name_options_that_there_are(name: str) -> None:
    for line in re.findall(r"python -m [^\n|>#]+", COMMANDS[name].help or ""):
        words = line.split()[2:]
        command = next(
            (COMMANDS[" ".join(words[:n])] for n in (3, 2, 1) if " ".join(words[:n]) in COMMANDS), None
        )
        if command is None:
            continue
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        before_simulation = words[: words.index("--")] if "--" in words else words
        assert {word for word in before_simulation if word.startswith("--")} <= known, line


def test_what_a_script_reads_can_be_had_as_json() -> None:
    with_json = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in option.opts for option in command.params)
    }
    assert with_json == {f"{name} {part}" for name, parts in READ_BY_SCRIPTS.items() for part in parts}


@pytest.mark.parametrize(("name", "status"), OTHER_STATUSES.items())
def test_an_exit_status_that_others_do_not_have_is_told(name: str, status: str) -> None:
    assert re.search(rf"\b{status}\b", COMMANDS[name].help or "")


def ask(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY_ROOT, env={**surroundings(), **environment}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


def surroundings() -> dict[str, str]:
    ours = ("MARQUEE_", "REDIS_URL", "PROMETHEUS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def test_help_does_not_wait_for_statistics_that_only_an_analysis_needs() -> None:
    program = (
        "import sys\n"
        "from experiments.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "assert 'statsmodels' not in sys.modules\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    ran = ask("-c", program)
    assert (ran.returncode, ran.stderr) == (0, "")


Refusal = Callable[..., tuple[object, str]]


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refusal:
    """Run a program in this process as `python -m` does, in an empty home; return its status and message."""
    for name in set(os.environ) - set(surroundings()):
        monkeypatch.delenv(name)
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path / "home"))

    def run(program: str, *arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as ended:
            run_program(f"python -m {program}", import_module(f"{program}.__main__")._load)
        return ended.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("feature_repo build-features", 1, "import or simulate data first"),
        ("feature_repo ingest movielens /no/such/folder", 2, "does not exist"),
        ("training run", 1, "lake"),
        ("training solve-titles", 1, "champion"),
        ("serving run", 1, "make pipeline"),
        ("serving bundles rollback", 1, "no bundle"),
        ("serving bundles activate no-version", 1, "bundles list"),
        ("experiments status nothing", 1, "no experiment 'nothing'"),
        ("experiments analyze nothing", 1, "no experiment 'nothing'"),
    ],
)
def test_an_empty_home_is_answered_with_what_to_do(
    refusal: Refusal, command: str, status: int, said: str
) -> None:
    ended, told = refusal(*command.split())
    assert (ended, said in told) == (status, True), told


@pytest.mark.parametrize(
    "command",
    ["feature_repo apply", "feature_repo materialize", "feature_repo stream", "training solve-titles"],
)
def test_a_redis_that_is_away_is_named(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    ended, told = refusal(*command.split())
    assert ended == 1
    assert "REDIS_URL='redis://127.0.0.1:1/0' does not answer; start it, or unset REDIS_URL" in told


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (PermissionError(13, "Permission denied", "/srv/home"), 1, "/srv/home"),
        (redis.exceptions.ConnectionError("away"), 1, "away"),
        (KeyboardInterrupt(), 130, "interrupted; "),
        (click.UsageError("no such thing"), 2, "no such thing"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_is_known_to_go_wrong_is_a_line_with_a_status(
    raised: BaseException,
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @click.command()
    def fails() -> None:
        raise raised

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(SystemExit) as ended:
        run_program("program", lambda: (fails, ()))
    assert ended.value.code == status
    assert said in capsys.readouterr().err


def test_what_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(ZeroDivisionError):
        run_program("program", lambda: (fails, ()))


class Interruptible:
    """A command at work in a home; ``lines`` are those of its standard error."""

    def __init__(self, home: Path, command: Sequence[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=REPOSITORY_ROOT, text=True,
            env={**surroundings(), "MARQUEE_HOME": str(home), **environment},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stderr is not None
        self.lines = self.process.stderr

    def interrupted(self) -> None:
        """Send Ctrl-C, and see that the command ends as it should."""
        self.process.send_signal(signal.SIGINT)
        rest = self.lines.read()
        assert self.process.wait() == 130, rest
        assert "Traceback" not in rest
        assert rest.strip().splitlines()[-1].startswith("interrupted; ")


@pytest.mark.slow
def test_a_pipeline_that_is_interrupted_in_any_of_its_steps_succeeds_when_it_is_run_again(
    tmp_path: Path,
) -> None:
    home, settings = tmp_path / "home", tmp_path / "fast.json"
    fast = {
        "als": {"iterations": 2},
        "ranker": {"trees": 10},
        "two_tower": {"epochs": 1},
        "evaluation_members": 20,
    }
    settings.write_text(json.dumps(fast))
    small = ("--", "--members", "60", "--titles", "300", "--days", "7")
    command = ("training", "pipeline", "--json", "--config", str(settings), *small)
    for step in ("simulate", "build features", "retrieval before the ranker's window"):
        pipeline = Interruptible(home, command)
        assert any(f"{step} ..." in line for line in pipeline.lines), step
        pipeline.interrupted()
    ran = ask("-m", *command, MARQUEE_HOME=str(home))
    assert ran.returncode == 0, ran.stderr
    made = json.loads(ran.stdout)
    assert Path(made["report"]).exists()
    listed = CliRunner(env={"MARQUEE_HOME": str(home)}).invoke(PROGRAMS["serving"], ["bundles", "list"])
    assert listed.stdout.count(made["bundle"]) == 1
    assert not list((home / "lake" / "_staging").glob("*"))


def test_a_materialization_that_is_interrupted_is_made_whole_by_the_next(
    trained_service: TrainedService, tmp_path: Path, redis_url: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        at_work = Interruptible(home, ("feature_repo", "materialize"), REDIS_URL=redis_url)
        while not client.dbsize():
            assert at_work.process.poll() is None
        at_work.interrupted()
    environment = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": None, "REDIS_URL": redis_url}
    ran = CliRunner(env=environment).invoke(PROGRAMS["feature_repo"], ["materialize", "--json"])
    assert ran.exit_code == 0, ran.output
    known = trained_service.lake.read(s.USER_SNAPSHOT, [s.USER_ID])[s.USER_ID]
    assert json.loads(ran.stdout)["user_snapshot"] == len(known.unique())
