from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from feature_repo.cli import main
from feature_repo.ingest.lake import Lake
from feature_repo.schema import FEATURE_TABLES
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway


@pytest.fixture
def environment(settings: Settings) -> Mapping[str, str]:
    """A home of its own, an empty Redis."""
    return {
        "MARQUEE_HOME": str(settings.home),
        "MARQUEE_LAKE": settings.lake,
        "REDIS_URL": settings.redis_url or "",
    }


def run(environment: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner(env=dict(environment)).invoke(main, list(arguments))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["materialize", "--help"], ["env", "--help"]])
def test_help_shows_an_example(environment: Mapping[str, str], arguments: list[str]) -> None:
    result = run(environment, *arguments)
    assert result.exit_code == 0
    assert "python -m feature_repo" in result.output


def test_the_documented_steps_lead_from_nothing_to_features_online(
    environment: Mapping[str, str], settings: Settings
) -> None:
    small = ["--members", "20", "--titles", "60", "--days", "2"]
    for step in (["simulate", *small], ["build-features"], ["apply"], ["materialize"]):
        result = run(environment, *step)
        assert result.exit_code == 0, f"{step}: {result.output}"
    # The vectors come with the first training.
    entities = {line.split()[0]: line.split()[1] for line in result.stdout.splitlines()}
    assert entities["title_metadata"] == "60"
    assert entities["user_profile"] == "20"
    assert entities["user_als_embedding"] == "0"
    assert FeatureGateway.open(settings).healthy()
    written = {table.name for table in FEATURE_TABLES if Lake(settings.lake).exists(table)}
    assert {"title_metadata", "user_snapshot", "interactions"} <= written


def test_apply_says_where_the_registry_is(environment: Mapping[str, str], settings: Settings) -> None:
    result = run(environment, "apply")
    assert result.exit_code == 0
    assert str(settings.registry) in result.output
    assert settings.registry.exists()


def test_an_instant_that_cannot_be_read_is_named(environment: Mapping[str, str]) -> None:
    result = run(environment, "materialize", "--start", "yesterday")
    assert result.exit_code == 2
    assert "yesterday" in result.output


def test_a_redis_that_does_not_answer_is_a_message(environment: Mapping[str, str]) -> None:
    result = run({**environment, "REDIS_URL": "redis://127.0.0.1:1/0"}, "apply")
    assert result.exit_code == 1
    assert result.output.startswith("Error: REDIS_URL='redis://127.0.0.1:1/0' does not answer")


def test_a_profile_that_is_not_there_is_a_message_with_the_choices(environment: Mapping[str, str]) -> None:
    result = run({**environment, "MARQUEE_PROFILE": "sparc"}, "apply")
    assert result.exit_code == 1
    assert result.output.startswith("Error: MARQUEE_PROFILE='sparc': there is no ")
    assert "home" in result.output


def test_env_names_the_profile(environment: Mapping[str, str]) -> None:
    result = run({**environment, "MARQUEE_PROFILE": "home"}, "env")
    assert result.output.splitlines()[-1] == "export MARQUEE_PROFILE=home"


def test_env_prints_what_a_shell_can_evaluate(environment: Mapping[str, str], tmp_path: Path) -> None:
    home = tmp_path / "a home"
    result = run({**environment, "MARQUEE_HOME": str(home), "MARQUEE_LAKE": "s3://bucket/lake"}, "env")
    assert result.output.splitlines() == [
        f"export MARQUEE_HOME='{home}'",
        "export MARQUEE_LAKE=s3://bucket/lake",
        f"export REDIS_URL={environment['REDIS_URL']}",
    ]


def test_env_leaves_out_a_redis_that_is_not_there(environment: Mapping[str, str]) -> None:
    assert "REDIS_URL" not in run({**environment, "REDIS_URL": ""}, "env").output


def test_as_a_program_it_refuses_an_empty_lake_without_a_traceback(environment: Mapping[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "feature_repo", "materialize"],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "feature_repo build-features" in result.stderr
    assert "Traceback" not in result.stderr
