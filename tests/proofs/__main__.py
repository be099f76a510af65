"""``python -m tests.proofs``: the statistics of experiments, tried on simulated ones whose truth is known."""

from __future__ import annotations

import os
import time

import click
from rich.console import Console

from feature_repo.command_line import run_program
from tests.proofs.findings import table
from tests.proofs.live_trial import live_trial
from tests.proofs.off_policy import off_policy
from tests.proofs.position_bias import position_bias
from tests.proofs.suites import PROOFS
from training.bundle import BundleError


@click.group(invoke_without_command=True)
@click.pass_context
@click.option(
    "--experiments", default=1_000, show_default=True, type=click.IntRange(min=50), help="Of each kind."
)
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
@click.option("--only", multiple=True, type=click.Choice(list(PROOFS)), help="Only this (repeatable).")
def main(context: click.Context, experiments: int, seed: int, only: tuple[str, ...]) -> None:
    """Simulate experiments and print how often the statistics are right.

    The commands prove other things, each on a simulated service that a pipeline has made.

    \b
    Examples:
        python -m tests.proofs --experiments 200
        python -m tests.proofs --only aa --only sample-ratio
        python -m tests.proofs position-bias
    """
    if context.invoked_subcommand is not None:
        return
    console = Console() if os.isatty(1) else Console(width=140)
    for name in only or PROOFS:
        begin = time.perf_counter()
        findings = PROOFS[name](experiments, seed)
        doing = (PROOFS[name].__doc__ or "").rstrip(".")
        seconds = time.perf_counter() - begin
        console.print(table(f"{name}: {doing}. {experiments:,} experiments, {seconds:.1f} s", findings))


main.add_command(live_trial)
main.add_command(off_policy)
main.add_command(position_bias)

if __name__ == "__main__":
    run_program("python -m tests.proofs", lambda: (main, (BundleError,)))
