"""The command that creates the simulated service."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click
import pyarrow as pa
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import LOG_TABLES
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.simulate import SimulatedService, simulate

_DEFAULTS = SimulationConfig()
_DEFAULT_END = "2026-11-01T00:00:00Z"
"""Fixed, so that the same command makes the same service on any day."""


def _as_instant(_context: click.Context, _option: click.Parameter, value: str) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not an instant such as {_DEFAULT_END}") from error
    if instant.tzinfo is None:
        raise click.BadParameter(f"{value!r} has no time zone: append Z for UTC")
    return instant.astimezone(UTC)


@click.command("simulate")
@click.option("--members", default=_DEFAULTS.members, show_default=True, help="Members at the end.")
@click.option("--titles", default=_DEFAULTS.titles, show_default=True, help="Size of the catalogue.")
@click.option("--days", default=_DEFAULTS.days, show_default=True, help="Length of the window.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Same seed, same service.")
@click.option(
    "--end",
    default=_DEFAULT_END,
    show_default=True,
    callback=_as_instant,
    help="End of the window, RFC 3339.",
)
def simulate_command(members: int, titles: int, days: int, seed: int, end: datetime) -> None:
    """Create the simulated service: replace the lake's raw tables and the hidden truth.

    The tables go to MARQUEE_LAKE, the truth to MARQUEE_HOME/simulation.

    \b
    Example, a small service in a second:
        python -m feature_repo simulate --members 50 --titles 200 --days 7
    """
    try:
        config = SimulationConfig(members=members, titles=titles, days=days)
    except ValidationError as error:
        reasons = "; ".join(f"--{e['loc'][0] if e['loc'] else ''}: {e['msg']}" for e in error.errors())
        raise click.UsageError(reasons) from error
    started = time.perf_counter()
    settings = Settings.from_environment()
    service = _simulate_with_progress(config, seed, end)
    _write(service, settings)
    click.echo(f"simulated {days} days in {time.perf_counter() - started:.1f} s into {settings.lake}")


def _simulate_with_progress(config: SimulationConfig, seed: int, end: datetime) -> SimulatedService:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating members", total=config.members)
        return simulate(config, seed, end, lambda done, total: bar.update(task, completed=done, total=total))


def _write(service: SimulatedService, settings: Settings) -> None:
    tables: tuple[tuple[s.Table, pa.Table], ...] = (
        (s.TITLES, service.titles),
        (s.MEMBERS, service.members),
        (s.SIGN_UPS, s.SIGN_UPS.arrow_schema.empty_table()),  # those of an earlier service are gone
        (s.EVENTS, service.events),
        (s.IMPRESSIONS, service.impressions),
    )
    lake = Lake(settings.lake)
    logs = [(table, table.arrow_schema.empty_table()) for table in LOG_TABLES if lake.exists(table)]
    with Console(stderr=True).status("writing the lake"):
        written = {table.name: lake.replace(table, data) for table, data in (*tables, *logs)}
        service.world.save(settings.simulation)
    for name, rows in written.items():
        click.echo(f"{name:<12}{rows:>12,} rows")
