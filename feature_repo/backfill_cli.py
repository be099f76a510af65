"""``build-features``: compute the feature tables of the lake."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from feature_repo.backfill import backfill
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.settings import Settings


@click.command("build-features")
@click.option(
    "--lake", "root", default=None, help="Path or URL of the lake; default: MARQUEE_LAKE or var/lake."
)
@click.option("--seed", default=0, show_default=True, help="Fixes the axes of cast and synopsis vectors.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def build_features(root: str | None, seed: int, as_json: bool) -> None:
    """Compute every feature table from the raw tables of the lake, after finding out what came of tiles.

    \b
    Examples:
        python -m feature_repo build-features
        python -m feature_repo build-features --json
    """
    lake = Lake(root or Settings.from_environment().lake)
    try:
        join_impressions(lake, datetime.now(UTC))
        rows = _with_progress(lake, seed)
    except (LakeError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    summary = Table("table", "rows")
    summary.columns[1].justify = "right"
    for name, count in rows.items():
        summary.add_row(name, f"{count:,}")
    Console().print(summary)


def _with_progress(lake: Lake, seed: int) -> dict[str, int]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading events", total=None)

        def show(table: str, done: int, total: int) -> None:
            bar.update(task, description=table, completed=done, total=total)

        rows = backfill(lake, datetime.now(UTC), seed, show)
        bar.update(task, description="features", completed=len(rows), total=len(rows))
    return rows
