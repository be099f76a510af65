"""What operators type, and what scripts read."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from experiments.assignment import arm_of, bucket
from experiments.bundle_alias import bundle_aliases
from experiments.cli import PAUSED, main
from experiments.definitions import ExperimentDefinition
from experiments.store import ExperimentStore
from serving.settings import ServingSettings

OLD, NEW = "20260101T000001Z-00000001", "20260101T000002Z-00000002"
Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for version in (OLD, NEW):
        (tmp_path / "bundles" / version).mkdir(parents=True)
        (tmp_path / "bundles" / version / "manifest.json").write_text("{}")
    aliases = bundle_aliases(tmp_path / "bundles")
    aliases.set("champion", OLD)
    aliases.set("challenger", NEW)
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    """Run a command; ``status`` is what it must end with."""

    def one(*arguments: str, text: str = "", status: int = 0, **environment: str) -> Result:
        runner = CliRunner(env={"MARQUEE_HOME": str(home), "MARQUEE_EXPERIMENTS": ""} | environment)
        result = runner.invoke(main, list(arguments), input=text)
        assert result.exit_code == status, result.output
        return result

    return one


@pytest.fixture
def create(run: Run) -> Callable[..., Any]:
    """Create a running experiment from its layer's template."""

    def one(name: str, layer: str = "ranker", *options: str, **changes: Any) -> Any:
        asked = json.loads(run("template", layer).stdout) | {"name": name} | changes
        return json.loads(run("create", "-", "--start", "--json", *options, text=json.dumps(asked)).stdout)

    return one


@pytest.mark.parametrize("layer", ["candidate", "ranker", "post_filter", "ui"])
def test_a_template_is_a_definition_of_its_layer(run: Run, layer: str) -> None:
    definition = ExperimentDefinition.model_validate_json(run("template", layer).stdout)
    assert definition.layer == layer
    assert definition.arms[1].treatment.layers == {layer}
    assert definition.hypothesis


def test_help_shows_what_to_type_and_the_exit_statuses(run: Run) -> None:
    output = run("--help").output
    assert "python -m experiments create new-ranker.json --start" in output
    assert "2 wrong usage, 3 a sweep" in " ".join(output.split())
    for name, command in main.commands.items():
        assert command.help, name
        assert run(name, "--help").output.startswith("Usage:")


def test_an_experiment_from_its_file_to_its_promotion(run: Run, home: Path) -> None:
    file = home / "new-ranker.json"
    file.write_text(run("template", "ranker").stdout)
    assert run("create", str(file)).output == "ranker-1 is draft, buckets 0 to 99 of ranker\n"
    assert "ranker-1 is running" in run("start", "ranker-1").output
    assert "ranker-1 is paused" in run("pause", "ranker-1", "--reason", "a doubt").output
    assert "ranker-1 is paused: a doubt" in run("status", "ranker-1").output
    run("start", "ranker-1")
    answer = run("promote", "ranker-1", "--arm", "treatment", "--reason", "plays +3 %").output
    assert f"promote treatment by operator: plays +3 %; champion {OLD} -> {NEW}" in answer
    assert bundle_aliases(home / "bundles").get("champion") == NEW
    back = json.loads(run("rollback", "ranker-1", "--reason", "slow pages", "--json").stdout)
    assert (back["action"], back["champion_after"], back["decided_by"]) == ("roll_back", OLD, "operator")
    assert bundle_aliases(home / "bundles").get("champion") == OLD
    told = json.loads(run("status", "ranker-1", "--json").stdout)
    assert (told["name"], told["status"], told["buckets"]) == ("ranker-1", "rolled_back", [0, 99])
    assert [decision["action"] for decision in told["decisions"]] == ["promote", "roll_back"]
    assert len(list((home / "experiments" / "decisions").glob("ranker-1-*.json"))) == 2


def test_the_list_is_as_asked_for(run: Run, create: Any) -> None:
    assert run("list").output == "no experiments\n"
    create("one")
    create("two", "ui")
    run("rollback", "two", "--reason", "withdrawn")
    heading, *lines = run("list").output.splitlines()
    assert heading.split() == ["NAME", "LAYER", "STATUS", "BUCKETS", "STARTED", "ARMS"]
    assert [line.split()[:4] for line in lines] == [
        ["one", "ranker", "running", "0-99"], ["two", "ui", "rolled_back", "0-99"],
    ]  # fmt: skip
    assert lines[0].endswith("control 50 %, treatment 50 %")

    def listed(*options: str) -> list[str]:
        return [e["name"] for e in json.loads(run("list", "--json", *options).stdout)]

    assert listed() == ["one", "two"]
    assert listed("--layer", "ui") == ["two"]
    assert listed("--status", "running", "--status", "paused") == ["one"]


def test_what_is_refused_is_told_without_a_traceback(run: Run, create: Any) -> None:
    create("one", traffic=600)
    asked = json.loads(run("template", "ranker").stdout)
    over = json.dumps(asked | {"name": "two", "traffic": 500})
    refusals = [
        (run("create", "-", text=over, status=1), "'one' (running) owns 0 to 599"),
        (
            run("create", "-", text=json.dumps(asked | {"name": "one"}), status=1),
            "choose a name that was never used",
        ),
        (run("create", "-", text="{", status=1), "<stdin> is no definition of an experiment"),
        (
            run("create", "-", text=json.dumps(asked | {"traffic": 0}), status=1),
            "traffic: Input should be greater",
        ),
        (run("start", "one", status=1), "'one' is running, not to become running"),
        (run("status", "on", status=1), "did you mean 'one'?"),
        (run("alerts", "on", status=1), "did you mean 'one'?"),
        (run("promote", "one", "--arm", "old", "--reason", "x", status=1), "has no arm 'old'"),
        (run("holdout", "20", status=1), "use 50 to 100"),
        (run("holdout", "100", status=1), "'one'"),
        (run("list", status=1, MARQUEE_EXPERIMENTS="mysql://h/d"), "use sqlite:///file.db"),
        (run("promote", "one", "--arm", "treatment", status=2), "--reason"),
        (run("template", "colour", status=2), "post_filter"),
        (run("create", "nowhere.json", status=2), "nowhere.json"),
    ]
    for result, told in refusals:
        assert told in result.stderr
        assert result.stdout == ""
        assert "Traceback" not in result.output


def test_the_holdout_is_printed_and_set(run: Run) -> None:
    assert run("holdout").output == "50\n"
    assert run("holdout", "100").output == "100\n"
    assert run("holdout").output == "100\n"
    assert json.loads(run("holdout", "--json").output) == {"holdout": 100}


def test_a_sweep_says_what_it_paused_by_its_exit_status(run: Run, create: Any, home: Path) -> None:
    create("one")
    create("two")
    assert run("sweep").output == "nothing to do\n"
    with sqlite3.connect(home / "experiments.db") as connection:
        connection.execute("UPDATE experiments SET first_bucket = 50 WHERE name = 'two'")
    paused = json.loads(run("sweep", "--json", status=PAUSED).stdout)["paused"]
    assert [alert["experiment"] for alert in paused] == ["two"]
    assert "two  paused: 'one', which started earlier, owns buckets 50 to 99" in run("alerts").output
    assert json.loads(run("alerts", "two", "--json").stdout) == paused
    assert run("alerts", "one").output == "no alerts\n"


def test_a_sweep_finishes_what_was_interrupted(run: Run, create: Any, home: Path) -> None:
    create("one")
    promoted = run("promote", "one", "--arm", "treatment", "--reason", "won", "--json").stdout
    with sqlite3.connect(home / "experiments.db") as connection:  # as if the process had ended before
        connection.execute("DELETE FROM experiment_decisions")
        connection.execute("UPDATE experiments SET status = 'running', ended_at = NULL")
    assert json.loads(run("sweep", "--json").stdout)["finished"] == [json.loads(promoted)]
    assert json.loads(run("status", "one", "--json").stdout)["status"] == "promoted"


def test_a_members_arms_are_told(run: Run, create: Any, home: Path) -> None:
    create("one", traffic=1000)
    create("korean", "ui", traffic=1000, eligibility={"countries": ["KR"]})
    store = ExperimentStore.open(f"sqlite:///{home / 'experiments.db'}")
    one, korean = store.get("one"), store.get("korean")
    store.close()
    seen = json.loads(run("assign", "m000001", "--country", "KR", "--device", "tv", "--json").stdout)
    assert seen["arms"] == {
        "ranker": f"one/{arm_of(one, 'm000001').name}", "ui": f"korean/{arm_of(korean, 'm000001').name}",
    }  # fmt: skip
    assert seen["buckets"]["ranker"] == 751  # of the published vectors
    assert (seen["held_out"], seen["holdout_bucket"]) == (False, 377)
    elsewhere = run("assign", "m000001", "--country", "US").output
    assert f"one/{arm_of(one, 'm000001').name}" in elsewhere
    assert "korean" not in elsewhere
    held = next(f"m{number}" for number in range(1000) if bucket(f"m{number}", "holdout") < 50)
    assert f"{held} is held out and sees no experiment" in run("assign", held).output
    assert json.loads(run("assign", held, "--json").stdout)["arms"] == {}


def test_promoted_treatments_are_merged_into_a_servers_settings(run: Run, create: Any, home: Path) -> None:
    create("variety", "post_filter")
    create("tiles", "ui")
    for name in ("variety", "tiles"):
        run("promote", name, "--arm", "treatment", "--reason", "won")
    file = home / "settings.json"
    file.write_text(ServingSettings().model_dump_json())
    result = run("promoted", str(file))
    assert ServingSettings.model_validate_json(result.stdout).page.variety_weight == 0.3
    assert "tiles: the client is to show the variant 'large-tiles' to all" in result.stderr
    assert json.loads(run("promoted").stdout) == {"page": {"variety_weight": 0.3}}
    for text, told in (
        ("[]", "settings is no object"),
        ('{"page": 1}', "page is no object"),
        ("{", "settings.json"),
    ):
        file.write_text(text)
        assert told in run("promoted", str(file), status=1).stderr


def test_the_environment_names_another_database(run: Run, postgresql: Callable[[], str], home: Path) -> None:
    url = postgresql()
    run("create", "-", "--start", text=run("template", "ui").stdout, MARQUEE_EXPERIMENTS=url)
    assert "ui-1" in run("list", MARQUEE_EXPERIMENTS=url).output
    assert run("list").output == "no experiments\n"


def test_of_two_processes_that_create_at_once_one_succeeds(run: Run, home: Path) -> None:
    asked = json.loads(run("template", "ranker").stdout) | {"traffic": 600}
    processes = []
    for name in ("one", "two"):
        file = home / f"{name}.json"
        file.write_text(json.dumps(asked | {"name": name}))
        command = [sys.executable, "-m", "experiments", "create", str(file), "--start"]
        environment = {**os.environ, "MARQUEE_HOME": str(home), "MARQUEE_EXPERIMENTS": ""}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=environment, **pipes))
    outputs = [process.communicate(timeout=120) for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1]
    winner = 0 if processes[0].returncode == 0 else 1
    assert outputs[winner][0] == f"{('one', 'two')[winner]} is running, buckets 0 to 599 of ranker\n"
    assert outputs[1 - winner][1].startswith("Error: ")
    assert f"'{('one', 'two')[winner]}'" in outputs[1 - winner][1]
