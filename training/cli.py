"""Training from the command line."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
import numpy as np
from rich.console import Console

from feature_repo.backfill_cli import build_features
from feature_repo.cli import open_gateway
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.cli import movielens
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.settings import Settings
from feature_repo.simulation.cli import simulate_command
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.world import World
from feature_repo.stream.seeding import forget as forget_stream
from training.bundle import BundleError, PublishAs
from training.champion import champion_of, hit_rates_of
from training.cold_start import measure_cold_start, not_measured
from training.config import TrainingConfig
from training.config_option import config_option, read_config
from training.evaluation.results import to_json
from training.freshness_cli import freshness
from training.judging import TruePlayProbability
from training.off_policy_cli import off_policy
from training.parity.cli import parity
from training.pipeline import train
from training.progress_bar import progress_bar
from training.retrain import solve_new_titles
from training.retrain_cli import retrain
from training.steps import StepRecorder
from training.training_data import TrainingData, read_training_data

SIMULATED = "simulated service"
_EXAMINATION = examination_probability(SimulationConfig())
"""The command-line simulation knows no other."""
_json = click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON, for scripts.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Models from features.

    \b
    Everything in one command, from data to a bundle that can be served:
        python -m training pipeline
        python -m training pipeline --data ../shared/data/ml-latest-small
    Only the models, from the features that are there:
        python -m training run
    Again and again, each time from where the last one ended:
        python -m training retrain --every 1h --window 7d
    Between trainings, for titles that came since:
        python -m training solve-titles
    How soon new members and new titles are served well:
        python -m training cold-start
    What a bundle would earn, before any member sees it:
        python -m training off-policy --bundle challenger
    Whether the ranker is served what it was trained on:
        python -m training parity
    """


main.add_command(retrain)


@main.command()
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A MovieLens folder; without it the simulated service is created.",
)  # fmt: skip
@config_option
@_json
@click.argument("simulation", nargs=-1, type=click.UNPROCESSED)
def pipeline(data: Path | None, config_file: Path | None, as_json: bool, simulation: tuple[str, ...]) -> None:
    """Data in, features, training, bundle: all that serving needs.

    Without --data, what follows `--` goes to `python -m feature_repo simulate`, such as:

    \b
        python -m training pipeline -- --members 500 --titles 2000 --days 14
    """
    if data is not None and simulation:
        raise click.UsageError(
            f"{' '.join(simulation)!r} is for the simulated service; leave it or --data out"
        )
    config, console = read_config(config_file), Console(stderr=True, log_path=False)
    recorder = StepRecorder(console.log)
    # What these commands print is for people; with --json only the outcome goes to standard output.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        with recorder.step("simulate" if data is None else "import"):
            if data is None:
                simulate_command.main(list(simulation), "simulate", standalone_mode=False)
            else:
                movielens.main([str(data)], "movielens", standalone_mode=False)
        with recorder.step("build features"):
            build_features.main([], "build-features", standalone_mode=False)
    settings = Settings.from_environment()
    with open_gateway(settings) as gateway:
        gateway.forget()  # members and titles of other data may carry the same ids
        forget_stream(gateway.online_url)
    _train(config, recorder, console, SIMULATED if data is None else f"MovieLens {data.name}", as_json)


@main.command()
@config_option
@click.option("--dataset", default="", help="Name of the data, for the report.")
@click.option(
    "--publish-as", default="champion", show_default=True, type=click.Choice(get_args(PublishAs)),
    help="What the bundle is to be; auto: champion, but challenger where people chose the one that serves.",
)  # fmt: skip
@_json
def run(config_file: Path | None, dataset: str, publish_as: PublishAs, as_json: bool) -> None:
    """Train on the features that are there, and publish a bundle.

    \b
    Examples:
        python -m training run
        python -m training run --config settings.json --json
        python -m training run --config deeper.json --publish-as challenger
    """
    config, console = read_config(config_file), Console(stderr=True, log_path=False)
    recorder = StepRecorder(console.log)
    with recorder.step("join impressions"):
        join_impressions(Lake(Settings.from_environment().lake), datetime.now(UTC))
    _train(config, recorder, console, dataset, as_json, publish_as)


@main.command("solve-titles")
@config_option
@click.option(
    "--min-viewers", type=click.IntRange(min=1), help="Viewers a title needs. [viewers_to_solve, 20]"
)
@_json
def solve_titles(config_file: Path | None, min_viewers: int | None, as_json: bool) -> None:
    """Give titles that came after the training their collaborative vector, from their first viewers.

    Nothing is trained; servers take the vectors up within a second.

    \b
    Example:
        python -m training solve-titles --min-viewers 10
    """
    needed = min_viewers or read_config(config_file).viewers_to_solve
    settings = Settings.from_environment()
    with open_gateway(settings) as gateway:
        try:
            solved = solve_new_titles(gateway, settings, needed, datetime.now(UTC))
        except (ValueError, FileNotFoundError, LakeError, BundleError) as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(list(solved), indent=2))
        return
    click.echo(f"{len(solved)} titles solved")
    for title_id in solved:
        click.echo(title_id)


@main.command("cold-start")
@config_option
@click.option(
    "--share", default=0.1, show_default=True, help="Members and titles held out.",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
)  # fmt: skip
@_json
def cold_start(config_file: Path | None, share: float, as_json: bool) -> None:
    """Measure how soon new members and new titles are served well.

    Trains without a share of them, then shows what is found for them watch by watch. Needs a champion, whose
    merge is used; publishes nothing.

    \b
    Example:
        python -m training cold-start --share 0.2 --json
    """
    settings, config = Settings.from_environment(), read_config(config_file)
    with open_gateway(settings) as gateway:
        try:
            champion = champion_of(settings)
            data = read_training_data(gateway, Lake(settings.lake), config)
            with progress_bar(Console(stderr=True)) as progress:
                rows = measure_cold_start(
                    data, config, hit_rates_of(champion), share, progress, _truth_of(settings, data)
                )
        except (ValueError, FileNotFoundError, LakeError, BundleError) as error:
            raise click.ClickException(str(error)) from error
    for missing in not_measured(rows):
        click.echo(missing, err=True)
    if as_json:
        click.echo(json.dumps(to_json(rows), indent=2))
        return
    for row in rows:
        click.echo(
            f"{row.segment:<28}{row.model:<24}{row.metric}@{row.k} {row.value:.4f} "
            f"({row.low:.4f} to {row.high:.4f}, {row.users:,} members)"
        )


main.add_command(freshness)
main.add_command(off_policy)
main.add_command(parity)


@main.command()
def defaults() -> None:
    """Print the settings of a training as JSON, to change and pass with --config.

    \b
    Example:
        python -m training defaults > settings.json
    """
    click.echo(TrainingConfig().model_dump_json(indent=2))


def _train(
    config: TrainingConfig,
    recorder: StepRecorder,
    console: Console,
    dataset: str,
    as_json: bool,
    publish_as: PublishAs = "champion",
) -> None:
    settings = Settings.from_environment()
    with open_gateway(settings) as gateway:
        with recorder.step("apply definitions"):
            gateway.apply()
        try:
            with progress_bar(console) as progress:
                version = train(
                    gateway, Lake(settings.lake), settings, config, recorder,
                    now=datetime.now(UTC), dataset=dataset, progress=progress,
                    truth=_truth(settings) if dataset == SIMULATED else None,
                    examination=_EXAMINATION if dataset == SIMULATED else None, publish_as=publish_as,
                )  # fmt: skip
        except (ValueError, FileNotFoundError, LakeError, BundleError) as error:
            raise click.ClickException(str(error)) from error
    report = settings.reports / version / "index.html"
    if as_json:
        click.echo(json.dumps({"bundle": version, "report": str(report)}, indent=2))
    else:
        click.echo(f"bundle {version}")
        click.echo(f"report {report}")


def _truth(settings: Settings) -> TruePlayProbability:
    return World.load(settings.simulation).play_probability


def _truth_of(settings: Settings, data: TrainingData) -> TruePlayProbability | None:
    """Return the simulated service's truth, where the data is its own."""
    if not settings.simulation.is_dir():
        return None
    world = World.load(settings.simulation)
    known = np.isin(data.members.user_ids, world.user_ids).all()
    return (
        world.play_probability if known and np.isin(data.catalogue.title_ids, world.title_ids).all() else None
    )
