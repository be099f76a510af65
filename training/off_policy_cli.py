"""``python -m training off-policy``: what a bundle would earn, before any member sees it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from experiments.off_policy import Estimate
from feature_repo.cli import open_gateway
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.settings import Settings
from training.bundle import ALIASES, CHAMPION, Bundle, BundleAliases, BundleError, load_bundle
from training.explored_slots import read_explored_slots
from training.off_policy import OffPolicyEstimates, evaluate_off_policy

_END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)


@click.command("off-policy")
@click.option("--bundle", "candidate", required=True, help="The candidate: a version, or `challenger`.")
@click.option("--against", default=CHAMPION, show_default=True, help="What it would replace.")
@click.option(
    "--from", "start", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
    help="First page, UTC.  [default: where both bundles' training data ends]",
)  # fmt: skip
@click.option(
    "--temperature", default=0.0, show_default=True, type=click.FloatRange(min=0),
    help="0: the best of each slot; above: softmax of the log-odds divided by it.",
)  # fmt: skip
@click.option("--clip", type=click.FloatRange(min=0, min_open=True), help="Largest weight.  [default: none]")
@click.option("--most-slots", default=30_000, show_default=True, type=click.IntRange(min=1), help="A sample.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of sample and folds.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def off_policy(
    candidate: str,
    against: str,
    start: datetime | None,
    temperature: float,
    clip: float | None,
    most_slots: int,
    seed: int,
    as_json: bool,
) -> None:
    """Estimate plays per explored slot of a bundle and of the champion, from the log alone.

    Slots that a bundle's training has seen flatter it: only later pages count, unless --from says otherwise.

    \b
    Example:
        python -m training off-policy --bundle challenger --json
    """
    settings = Settings.from_environment()
    try:
        bundles = _bundle(settings, candidate), _bundle(settings, against)
        unseen = max(bundle.manifest.data_window.end for bundle in bundles)
        since = unseen if start is None else start.replace(tzinfo=UTC)
        slots = read_explored_slots(
            Lake(settings.lake), since, _END_OF_TIME, most_slots=most_slots, seed=seed
        )
        if not len(slots):
            raise ValueError(f"no explored slot with a known outcome from {since:%Y-%m-%dT%H:%M:%SZ} on: "
                             "serve and log more pages, or say an earlier --from")  # fmt: skip
        with open_gateway(settings) as gateway:
            found = evaluate_off_policy(
                gateway, slots, bundles[0].contents, bundles[1].contents,
                temperature=temperature, clip=clip, seed=seed,
            )  # fmt: skip
    except (ValueError, FileNotFoundError, LakeError, BundleError) as error:
        raise click.ClickException(str(error)) from error
    names = {"candidate": bundles[0].manifest.version, "against": bundles[1].manifest.version}
    seen = since < unseen
    if as_json:
        click.echo(json.dumps(_record(found, names, since, seen), indent=2, allow_nan=False))
        return
    Console().print(_table(found, names))
    click.echo(f"Both would show the same title in {found.agreement:.0%} of the slots.")
    if seen:
        click.echo(f"Pages before {unseen:%Y-%m-%dT%H:%M:%SZ} were training data: they flatter who saw them.")


def _bundle(settings: Settings, name: str) -> Bundle:
    version = BundleAliases(settings.bundles).get(name) if name in ALIASES else name
    if version is None:
        raise BundleError(settings.bundles, f"no {name}", "a published version", "Name a version instead.")
    return load_bundle(settings.bundles / version)


def _record(found: OffPolicyEstimates, names: dict[str, str], since: datetime, seen: bool) -> dict[str, Any]:
    return {
        "bundles": names,
        "from": since.isoformat(),
        "training_data_included": seen,
        "agreement": found.agreement,
        "plays_per_slot": {
            policy: {method: _plain(value) for method, value in methods.items()}
            for policy, methods in found.values.items()
        },
        "candidate_minus_against": {method: _plain(value) for method, value in found.differences.items()},
    }


def _plain(value: Estimate) -> dict[str, float | int | None]:
    """Return an estimate's numbers; a bound that is infinite is null."""
    return {name: number if isfinite(number) else None for name, number in asdict(value).items()}


def _table(found: OffPolicyEstimates, names: dict[str, str]) -> Table:
    shown = Table(
        "policy", "method", "plays per slot", "95 % interval", "effective slots", "slots", "members"
    )
    lines = [(names.get(policy, policy), methods) for policy, methods in found.values.items()]
    for policy, methods in [*lines, ("candidate - against", found.differences)]:
        for method, value in methods.items():
            shown.add_row(
                policy, method, f"{value.value:.4f}", f"{value.low:.4f} to {value.high:.4f}",
                f"{value.effective_slots:,.0f}", f"{value.slots:,}", f"{value.members:,}",
            )  # fmt: skip
    return shown
