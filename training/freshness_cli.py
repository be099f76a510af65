"""``python -m training freshness``: what fresh vectors give."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from feature_repo.cli import open_gateway
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.settings import Settings
from training.bundle import BundleError
from training.champion import champion_of, hit_rates_of
from training.config_option import config_option, read_config
from training.evaluation.results import MetricRow, to_json
from training.freshness import measure_freshness
from training.progress_bar import progress_bar
from training.training_data import read_training_data


@click.command()
@config_option
@click.option("--members", default=300, show_default=True, type=click.IntRange(min=1), help="At most.")
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSON.")
def freshness(config_file: Path | None, members: int, as_json: bool) -> None:
    """Replay the test days: fresh member vectors beside vectors up to 6 hours old.

    Trains up to the test window. Needs a champion, whose merge is used; publishes nothing.

    \b
    Example:
        python -m training freshness --members 500
    """
    settings, config = Settings.from_environment(), read_config(config_file)
    with open_gateway(settings) as gateway:
        try:
            rates = hit_rates_of(champion_of(settings))
            data = read_training_data(gateway, Lake(settings.lake), config)
            with progress_bar(Console(stderr=True)) as progress:
                rows = measure_freshness(data, config, rates, members=members, progress=progress)
        except (ValueError, FileNotFoundError, LakeError, BundleError) as error:
            raise click.ClickException(str(error)) from error
    click.echo(json.dumps(to_json(rows), indent=2)) if as_json else Console().print(_table(rows))


def _table(rows: list[MetricRow]) -> Table:
    shown = Table("vectors", "instants", "members", "recall@20", "NDCG@10", "MRR")
    by_line: dict[tuple[str, str], list[MetricRow]] = {}
    for row in rows:
        by_line.setdefault((row.segment, row.model), []).append(row)
    for (segment, model), found in by_line.items():
        cells = [
            f"{r.value:+.4f} ({r.low:+.4f} to {r.high:+.4f})" if " - " in model else f"{r.value:.4f}"
            for r in found
        ]
        shown.add_row(model, segment, f"{found[0].users}", *cells)
    return shown
