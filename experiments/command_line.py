"""What the commands share: the store of this home, refusals as messages, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import click

from experiments.opening import open_store
from experiments.store import ExperimentStore
from feature_repo.settings import Settings

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def instant(
    _context: click.Context | None, _option: click.Parameter | None, text: str | None
) -> datetime | None:
    """Return an instant written in ISO 8601, None for None; a click error names what is none."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no instant: write 2026-03-01T12:00") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


at_option: Final = click.option(
    "--at", "--as-of", "at", metavar="INSTANT", callback=instant,
    help="Take this for now; ISO 8601, UTC where it says nothing else.  [default: the service's clock]",
)  # fmt: skip


@contextmanager
def opened_store(settings: Settings) -> Iterator[ExperimentStore]:
    """Yield the home's store; turns what is refused into messages for people."""
    try:
        store = open_store(settings)
        try:
            yield store
        finally:
            store.close()
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
