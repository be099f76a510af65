"""``python -m feature_repo ingest``: real viewing data into the lake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pyarrow as pa
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import Progress as ProgressBars, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from feature_repo.arrivals import Arrivals
from feature_repo.encoder_tables import CONTENT_WORDS
from feature_repo.ingest.generic import import_files
from feature_repo.ingest.import_run import Progress, TableImport
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.ingest.movielens import import_movielens
from feature_repo.ingest.sources import DataFileError
from feature_repo.redis_server import RedisUnavailableError, running_redis
from feature_repo.schema import EVENTS, IMPRESSIONS, MEMBERS, TITLES
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.store_profile import ProfileError
from feature_repo.title_feed import TitleFeed

_EXISTING = click.Path(exists=True, path_type=Path)


@click.group()
def ingest() -> None:
    """Import viewing data into the lake, checking every row.

    Bad rows go to a reject file, with the reason, under MARQUEE_HOME/rejects. A bad file stops the import
    with exit code 1 and changes nothing. The lake is MARQUEE_LAKE: a path, or a URL such as s3://bucket/lake.

    \b
    Examples:
        python -m feature_repo ingest movielens ../shared/data/ml-latest-small
        python -m feature_repo ingest files --events events.parquet --titles titles.csv
    """


@ingest.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--titles",
    type=_EXISTING,
    help="movielens-titles.parquet, or Kaggle's movies_metadata.csv beside credits.csv. "
    "[default: movielens-titles.parquet beside DIRECTORY, if it is there]",
)
def movielens(directory: Path, titles: Path | None) -> None:
    """Replace the lake's data by a MovieLens folder (ml-latest*, ml-1m, ml-10m, ml-25m, ml-32m).

    \b
    Examples:
      python -m feature_repo ingest movielens ../shared/data/ml-latest-small
      python -m feature_repo ingest movielens ml-25m --titles kaggle/movies_metadata.csv
    """
    _import(
        lambda lake, rejects, now, progress: import_movielens(
            lake, directory, rejects, _name(now), now=now, titles=titles, progress=progress
        )
    )


@ingest.command()
@click.option(
    "--events", type=_EXISTING, help="What members did; a Parquet or CSV file, or a folder of them."
)
@click.option("--titles", type=_EXISTING, help="The catalogue.")
@click.option("--members", type=_EXISTING, help="Profiles: country, language, maturity limit.")
@click.option("--impressions", type=_EXISTING, help="Tiles shown, for training the ranker.")
@click.option(
    "--append/--replace",
    default=False,
    help="Add to the lake (rows it has already are rejected), or replace all raw data. [default: replace]",
)
def files(
    events: Path | None, titles: Path | None, members: Path | None, impressions: Path | None, append: bool
) -> None:
    """Import own data in the columns that docs/data.md describes.

    Titles that are appended come online at once, where features were built before: running servers show
    them within a second.

    \b
    Examples:
      python -m feature_repo ingest files --events events.parquet --titles titles.csv
      python -m feature_repo ingest files --append --events events/2026-11-23.csv.gz
    """
    given = {EVENTS: events, TITLES: titles, MEMBERS: members, IMPRESSIONS: impressions}
    sources = {table.name: path for table, path in given.items() if path is not None}
    if append and not sources:
        raise click.UsageError("Name at least one file to append, such as --events events.csv")
    if not append and (events is None or titles is None):
        raise click.UsageError("Replacing needs both --events and --titles; to add to the lake use --append")
    kept: list[pa.RecordBatch] = []
    _import(
        lambda lake, rejects, now, progress: import_files(
            lake,
            sources,
            rejects,
            _name(now),
            now=now,
            append=append,
            progress=progress,
            observe_titles=kept.append,
        )
    )
    if append and any(batch.num_rows for batch in kept):
        _announce(pa.Table.from_batches(kept))


def _announce(titles: pa.Table) -> None:
    """Bring appended titles online, where there is a feature store to bring them to."""
    settings = Settings.from_environment()
    lake = Lake(settings.lake)
    if not (settings.registry.exists() and lake.exists(CONTENT_WORDS)):
        return
    try:
        with running_redis(settings) as url:
            arrivals = Arrivals.open(lake, FeatureGateway.open(settings, url), TitleFeed.open(url))
            online = arrivals.announce_titles(titles, datetime.now(UTC))
    except ProfileError as error:
        raise click.ClickException(f"{error}\nThe titles are in the lake, not online.") from error
    except (RedisUnavailableError, RedisError) as error:
        raise click.ClickException(
            f"{error}\nThe titles are in the lake, not online; run `python -m feature_repo build-features` "
            "and `materialize` once Redis answers."
        ) from error
    click.echo(f"{online:,} titles are online")


def _import(work: Callable[[Lake, Path, datetime, Progress], list[TableImport]]) -> None:
    settings = Settings.from_environment()
    console = Console(stderr=True)
    started = time.monotonic()
    try:
        with _progress(console) as progress:
            results = work(Lake(settings.lake), settings.home / "rejects", datetime.now(UTC), progress)
    except (DataFileError, LakeError) as error:
        raise click.ClickException(f"{error}\nNothing was imported; the lake is as it was.") from error
    console.print(_summary(results))
    click.echo(f"Imported into {settings.lake} in {time.monotonic() - started:.1f} s")


def _name(now: datetime) -> str:
    """Return the name of an import's reject files."""
    return now.strftime("%Y%m%dT%H%M%SZ")


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"))
    drawn = console.is_terminal
    with ProgressBars(*columns, TimeElapsedColumn(), console=console, disable=not drawn) as bars:
        tasks = {table.name: bars.add_task(table.name, total=None, visible=False)
                 for table in (EVENTS, TITLES, MEMBERS, IMPRESSIONS)}  # fmt: skip

        def advance(table: str, rows: int) -> None:
            bars.update(tasks[table], advance=rows, visible=True)

        yield advance


def _summary(results: list[TableImport]) -> Grid:
    grid = Grid("table", "rows kept", "rows rejected")
    grid.add_column("why and where", overflow="fold")
    for result in results:
        why = [f"{count:,} × {rule}" for rule, count in result.rejected.items()]
        where = [str(result.reject_file)] if result.reject_file else []
        grid.add_row(
            result.table, f"{result.kept:,}", f"{sum(result.rejected.values()):,}", "\n".join(why + where)
        )
    return grid
