"""``python -m serving bundles``: which bundle serves, and which served before."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from feature_repo.settings import Settings
from serving.bundle_desk import BundleChangeError, BundleDesk, BundleSummary, UnknownBundleError
from serving.clock import wall_clock
from training.bundle import ALIASES, CHAMPION, AliasChange

_P = ParamSpec("_P")
_R = TypeVar("_R")
_json = click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")


def _refusing(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Say what cannot be done in one line."""

    @wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except (UnknownBundleError, BundleChangeError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


@click.group(name="bundles")
def bundles_command() -> None:
    """Look at the bundles, and say which one serves.

    \b
    Examples:
        python -m serving bundles list
        python -m serving bundles activate 20260102T030405Z-0a1b2c3d
        python -m serving bundles rollback
    """


@bundles_command.command(name="list")
@_json
@_refusing
def list_them(as_json: bool) -> None:
    """List the bundles, the newest first: aliases, data, metrics, and why one was refused.

    \b
    Example:
        python -m serving bundles list --json
    """
    found = _desk().list()
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    elif not found.bundles:
        click.echo("no bundle is published yet; run `make pipeline`")
    else:
        click.echo("\n".join(_lines(found.bundles)))


@bundles_command.command()
@click.argument("version")
@click.option(
    "--alias", type=click.Choice(ALIASES), default=CHAMPION, show_default=True, help="What it is to be."
)
@_json
@_refusing
def activate(version: str, alias: str, as_json: bool) -> None:
    """Verify a bundle and make it champion or challenger.

    Each server loads it beside the bundle that serves, tries it, warms it up and swaps it in, within seconds;
    one that must not serve is refused, and `bundles list` shows why.

    \b
    Examples:
        python -m serving bundles activate 20260102T030405Z-0a1b2c3d
        python -m serving bundles activate 20260102T030405Z-0a1b2c3d --alias challenger
    """
    _say(_desk().activate(version, alias), as_json)


@bundles_command.command()
@_json
@_refusing
def rollback(as_json: bool) -> None:
    """Make the champion before the present one champion again.

    \b
    Example:
        python -m serving bundles rollback
    """
    _say(_desk().roll_back(), as_json)


def _desk() -> BundleDesk:
    return BundleDesk(Settings.from_environment().bundles, wall_clock)


def _say(change: AliasChange, as_json: bool) -> None:
    if as_json:
        click.echo(change.model_dump_json(indent=2))
    else:
        click.echo(f"{change.alias}: {change.version} (before: {change.before or 'none'})")


def _lines(bundles: list[BundleSummary]) -> list[str]:
    table = [("VERSION", "CREATED", "DATA", "PARENT", "ALIASES", "METRICS")]
    table += [
        (
            one.version, _instant(one.created_at), f"{_day(one.data_start)}..{_day(one.data_end)}",
            one.parent or "-", ", ".join(one.aliases) or "-", _metrics(one),
        )
        for one in bundles
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = []
    for place, line in enumerate(table):
        lines.append("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())
        one = bundles[place - 1] if place else None
        if one is not None and one.damaged:
            lines.append(f"    damaged: {one.damaged}")
        if one is not None and one.refused:
            lines.append(f"    refused {_instant(one.refused.at)} ({one.refused.kind}): {one.refused.reason}")
    return lines


def _metrics(one: BundleSummary) -> str:
    shown = [f"{model} {name} {v:.3f}" for model, by in one.headline.items() for name, v in by.items()]
    return ", ".join(shown[:2]) or "-"


def _instant(instant: Any) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _day(instant: Any) -> str:
    return "?" if instant is None else f"{instant:%Y-%m-%d}"
