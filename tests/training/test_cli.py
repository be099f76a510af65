from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from feature_repo.settings import Settings
from training.bundle import BundleAliases, load_bundle
from training.cli import main
from training.config import TrainingConfig

SMALL = {"als": {"iterations": 2, "threads": 1}, "ranker": {"trees": 5, "threads": 1}, "candidates": 40}


@pytest.fixture
def environment(settings: Settings) -> Mapping[str, str]:
    """A home of its own, an empty Redis."""
    return {
        "MARQUEE_HOME": str(settings.home),
        "MARQUEE_LAKE": settings.lake,
        "REDIS_URL": settings.redis_url or "",
    }


@pytest.fixture
def small_config(tmp_path: Path) -> str:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL))
    return str(path)


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """A MovieLens folder: 40 members, each rating 20 of 60 movies an hour apart, spread over 10 weeks."""
    folder = tmp_path / "ml-tiny"
    folder.mkdir()
    movies = [f"{m},Movie {m} ({1990 + m % 30}),{('Drama', 'Comedy|Romance')[m % 2]}" for m in range(1, 61)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]) + "\n")
    rng = np.random.default_rng(0)
    rows = [
        f"{user},{movie},{rng.choice([2.0, 4.0, 5.0])},{1_700_000_000 + user * 150_000 + place * 3_600}"
        for user in range(1, 41)
        for place, movie in enumerate(rng.permutation(60)[:20] + 1)
    ]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n")
    return folder


def run(environment: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner(env=dict(environment)).invoke(main, list(arguments))


def test_help_shows_the_commands_to_type(environment: Mapping[str, str]) -> None:
    result = run(environment, "--help")
    assert result.exit_code == 0
    assert "python -m training pipeline" in result.output


def test_the_defaults_are_a_configuration(environment: Mapping[str, str], tmp_path: Path) -> None:
    result = run(environment, "defaults")
    assert TrainingConfig.model_validate_json(result.output) == TrainingConfig()


def test_the_pipeline_makes_a_champion_from_a_folder_of_ratings(
    environment: Mapping[str, str], settings: Settings, ratings: Path, small_config: str
) -> None:
    result = run(environment, "pipeline", "--data", str(ratings), "--config", small_config)
    assert result.exit_code == 0, result.output
    champion = BundleAliases(settings.bundles).get("champion")
    assert champion is not None
    assert f"bundle {champion}" in result.stdout
    assert (settings.reports / champion / "index.html").exists()
    bundle = load_bundle(settings.bundles / champion)
    assert len(bundle.contents.title_ids) == 60
    assert "truth" not in bundle.manifest.metrics
    judged = {"popularity", "item_knn", "ease", "als", "bpr", "two_tower", "mix", "mix_ranker"}
    assert judged <= set(bundle.manifest.metrics["test"])
    measured = run(environment, "cold-start", "--config", small_config, "--share", "1e-9", "--json")
    assert measured.exit_code == 0, measured.output
    assert json.loads(measured.stdout) == []
    assert "new members: not measured" in measured.stderr


def test_a_terminal_shows_how_far_an_epoch_is(
    environment: Mapping[str, str], ratings: Path, small_config: str
) -> None:
    terminal = {**environment, "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}
    result = run(terminal, "pipeline", "--data", str(ratings), "--config", small_config)
    assert result.exit_code == 0, result.output
    assert "two-tower epoch 1" in result.stderr
    assert "two-tower epoch" not in run(environment, "run", "--config", small_config).output


def test_without_data_the_pipeline_simulates_and_judges_by_the_truth(
    environment: Mapping[str, str], settings: Settings, small_config: str
) -> None:
    size = ["--members", "120", "--titles", "300", "--days", "8"]
    result = run(environment, "pipeline", "--config", small_config, "--", *size)
    assert result.exit_code == 0, result.output
    champion = BundleAliases(settings.bundles).get("champion")
    assert champion is not None
    bundle = load_bundle(settings.bundles / champion)
    assert len(bundle.contents.title_ids) == 300
    assert "oracle" in bundle.manifest.metrics["truth"]


def test_options_of_the_simulation_do_not_go_with_real_data(
    environment: Mapping[str, str], ratings: Path
) -> None:
    result = run(environment, "pipeline", "--data", str(ratings), "--", "--members", "120")
    assert result.exit_code == 2
    assert "'--members 120' is for the simulated service" in result.output


def test_a_lake_without_features_is_refused_with_a_remedy(environment: Mapping[str, str]) -> None:
    result = run(environment, "run")
    assert result.exit_code == 1
    assert "import or simulate data first" in result.output


def test_a_folder_without_ratings_is_refused_with_a_remedy(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run(environment, "pipeline", "--data", str(empty))
    assert result.exit_code == 1
    assert "no MovieLens folder" in result.output


def test_the_truth_of_a_service_that_was_never_simulated_is_a_message(environment: Mapping[str, str]) -> None:
    result = run(environment, "run", "--dataset", "simulated service")
    assert result.exit_code == 1
    assert "run the simulate command first" in result.output


@pytest.mark.parametrize(
    ("content", "named"),
    [('{"candidates": 0}', "candidates"), ('{"epochs": 3}', "epochs"), ("{", "Invalid JSON")],
)
def test_a_configuration_that_does_not_fit_is_named(
    environment: Mapping[str, str], tmp_path: Path, content: str, named: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    result = run(environment, "run", "--config", str(path))
    assert result.exit_code == 2
    assert named in result.output


def test_as_a_program_it_refuses_an_empty_lake_without_a_traceback(environment: Mapping[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "training", "run"],
        env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "import or simulate data first" in result.stderr
    assert "Traceback" not in result.stderr
