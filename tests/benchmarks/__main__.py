"""``python -m tests.benchmarks``: how fast the service is, beside how fast it would be otherwise."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
import structlog
from rich.console import Console

from feature_repo.command_line import run_program
from feature_repo.settings import Settings
from tests.benchmarks.arrivals import measure_arrivals
from tests.benchmarks.assembly import measure_assembly
from tests.benchmarks.candidates import measure_candidates
from tests.benchmarks.experiments import measure_experiments
from tests.benchmarks.features import measure_features
from tests.benchmarks.fold_in import measure_fold_in
from tests.benchmarks.freshness import measure_freshness
from tests.benchmarks.gate import hold
from tests.benchmarks.http_load import measure_http
from tests.benchmarks.impressions import measure_impressions
from tests.benchmarks.pages import measure_pages
from tests.benchmarks.ranking import measure_ranking
from tests.benchmarks.recovery import measure_recovery
from tests.benchmarks.results import Measurement, table, write
from tests.benchmarks.retrieval import measure_retrieval
from tests.benchmarks.stream import measure_stream
from tests.benchmarks.subject import Subject, default_environment, open_subject
from tests.benchmarks.swap import measure_swap
from tests.benchmarks.timing import Effort
from tests.benchmarks.two_tower import measure_two_tower
from training.bundle import BundleError

BENCHMARKS: Final[dict[str, Callable[[Subject, Effort], Iterator[Measurement]]]] = {
    "features": measure_features,
    "retrieval": measure_retrieval,
    "candidates": measure_candidates,
    "ranker": measure_ranking,
    "assembly": measure_assembly,
    "page": measure_pages,
    "http": measure_http,
    "fold-in": measure_fold_in,
    "swap": measure_swap,
    "recovery": measure_recovery,
    "arrivals": measure_arrivals,
    "stream": measure_stream,
    "freshness": measure_freshness,
    "impressions": measure_impressions,
    "two-tower": measure_two_tower,
    "experiments": measure_experiments,
}
QUICK: Final = 50


@click.command()
@click.option("--home", type=click.Path(file_okay=False), help="Where the service lies. [MARQUEE_HOME, var/]")
@click.option("--repeat", default=500, show_default=True, type=click.IntRange(min=1), help="Calls of each.")
@click.option("--quick", is_flag=True, help=f"{QUICK} calls of each: a look, not a measurement.")
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Only this (repeatable).")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="JSON file. [bench.json in the home]"
)
@click.option("--gate", is_flag=True, help="Exit with 1 where an entry falls below its floor, as told above.")
@click.option("--seed", default=0, show_default=True, help="Of the sample of members.")
def main(
    home: str | None,
    repeat: int,
    quick: bool,
    only: tuple[str, ...],
    output: Path | None,
    gate: bool,
    seed: int,
) -> None:
    """Measure the service that is there; without one, the default pipeline makes one first.

    \b
    Examples:
        python -m tests.benchmarks
        python -m tests.benchmarks --quick --only page --only http
        python -m tests.benchmarks --gate --only features --only ranker --only page

    --gate judges ratios, not times: how many times faster an entry is than the baseline measured beside it,
    against its floor in tests/benchmarks/gate.py, half of what docs/measured.md reports. An entry whose
    baseline is left out by --only is not judged, and that is said (http takes its baseline from page).
    """
    # Redirected, the table keeps its width.
    console = Console() if os.isatty(1) else Console(width=200)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    environment = default_environment(home)
    measured: list[Measurement] = []
    with open_subject(environment, seed) as subject:
        for name in only or BENCHMARKS:
            with console.status(f"measuring {name}"):
                measured += BENCHMARKS[name](subject, Effort(QUICK if quick else repeat))
        title = f"{subject.state.models.version}, {len(subject.state.catalogue):,} titles"
    load = f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, one thread per library"
    console.print(table(measured, f"{title}; {load}"))
    file = output or Settings.from_environment(environment).home / "bench.json"
    write(file, measured)
    click.echo(f"written to {file}")
    if gate:
        click.echo(hold(measured))


if __name__ == "__main__":
    run_program("python -m tests.benchmarks", lambda: (main, (BundleError,)))
